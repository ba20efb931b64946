"""Classic codecs through Pillow and its plugins: a picture to a complete file, and back.

    picture --Image.save, settings below--> bytes of the file --Image.open--> picture

A library that is not installed is no error until it is asked to code: `missing` names it.
"""

from __future__ import annotations

import copy
import io
import struct
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import numpy as np
import numpy.typing as npt
import PIL
from PIL import Image, features

from mien.errors import StreamError

Picture = npt.NDArray[np.uint8]  # [H, W, 3], RGB
# What Pillow and its plugins raise on bytes that are no file of the format, or half of one.
_DAMAGE = (
    OSError,
    SyntaxError,
    ValueError,
    RuntimeError,
    EOFError,
    struct.error,
    Image.DecompressionBombError,
)


@dataclass(frozen=True)
class Recipe:
    """How a codec is asked for.

    Attributes:
        format: Pillow's name of the file format.
        settings: Given to `Image.save`, beside the quality.
        package: What pip calls whatever brings the library.
        library: Load the library and return its version.
    """

    format: str
    settings: Mapping[str, Any]
    package: str
    library: Callable[[], str]


def _jpeg() -> str:
    # With mozjpeg in its place Pillow would search for better scans: another codec.
    name = "mozjpeg" if features.check("mozjpeg") else "libjpeg-turbo"
    return _of_pillow(name, features.version("libjpeg_turbo"))


def _webp() -> str:
    return _of_pillow("libwebp", features.version("webp"))


def _avif() -> str:
    return _of_pillow("libavif", features.version("avif"))


def _of_pillow(name: str, found: str | None) -> str:
    if found is None:
        raise ImportError(f"this Pillow was built without {name}")
    return f"Pillow {PIL.__version__}, {name} {found}"


def _jxl() -> str:
    import pillow_jxl  # noqa: F401  # makes itself known to Pillow

    return f"pillow-jxl-plugin {_installed('pillow-jxl-plugin')}"


@cache  # half a millisecond: as long as some codecs need for a picture
def _installed(package: str) -> str:
    return version(package)


def _heic() -> str:
    import pillow_heif

    pillow_heif.register_heif_opener()
    encoder = pillow_heif.libheif_info()["HEIF"]
    if not encoder:
        raise ImportError("this pillow-heif was built without an HEVC encoder")
    return (
        f"pillow-heif {pillow_heif.__version__}, libheif {pillow_heif.libheif_version()}, "
        f"{encoder}"
    )


_JPEG = {"subsampling": "4:2:0"}
# One thread each: x265 and aom write other bytes with other threads.
RECIPES = {
    "jpeg": Recipe("JPEG", _JPEG | {"optimize": False, "progressive": False}, "pillow", _jpeg),
    # Huffman tables of its own and progressive scans, by the same library: as far as it goes.
    # mozjpeg's trellis quantisation would save more.
    "jpeg-optimised": Recipe(
        "JPEG", _JPEG | {"optimize": True, "progressive": True}, "pillow", _jpeg
    ),
    "webp": Recipe("WEBP", {"method": 6}, "pillow", _webp),  # always 4:2:0
    "avif": Recipe(
        "AVIF",
        {"subsampling": "4:2:0", "codec": "aom", "speed": 6, "max_threads": 1},
        "pillow>=11.3",
        _avif,
    ),
    "jxl": Recipe("JXL", {"effort": 7, "num_threads": 1}, "pillow-jxl-plugin", _jxl),
    "heic": Recipe(
        "HEIF",
        {
            "subsampling": "4:2:0",
            "enc_params": {"preset": "slow", "tune": "ssim", "x265:pools": "none"},
        },
        "pillow-heif",
        _heic,
    ),
}


def missing(codecs: Iterable[str]) -> dict[str, str]:
    """Return each of these codecs that cannot be run here, with the command that brings it."""
    found: dict[str, str] = {}
    for codec in codecs:
        try:
            RECIPES[codec].library()
        except ImportError:
            found[codec] = f"pip install '{RECIPES[codec].package}'"
    return found


def library_of(codec: str) -> str:
    """Return what codes, with its version, ready to code.

    Raises:
        StreamError: If it is not installed.
    """
    recipe = RECIPES[codec]
    try:
        return recipe.library()
    except ImportError as error:
        raise StreamError(
            f"{codec}: its library is not installed ({error}): pip install '{recipe.package}'"
        ) from None


def settings_of(codec: str, quality: int) -> dict[str, Any]:
    """Return all that a codec is asked for.

    Args:
        codec: A key of `RECIPES`.
        quality: Of the library's own scale, 1..100; two libraries' qualities are not alike.
    """
    return {"quality": quality, **copy.deepcopy(dict(RECIPES[codec].settings))}


def encode(codec: str, picture: Picture, quality: int) -> bytes:
    """Return a picture, uint8 [H, W, 3], as a file without metadata.

    Raises:
        StreamError: If the library is not installed.
    """
    library_of(codec)
    buffer = io.BytesIO()
    image = Image.fromarray(picture)
    image.save(buffer, RECIPES[codec].format, **settings_of(codec, quality))
    return buffer.getvalue()


def decode(codec: str, data: bytes, height: int, width: int) -> Picture:
    """Return the picture, uint8 [H, W, 3], of a file.

    Raises:
        StreamError: If the library is not installed, or the file is damaged, of another format,
            or of another size than this.
    """
    library_of(codec)
    recipe = RECIPES[codec]
    try:
        with Image.open(io.BytesIO(data), formats=[recipe.format]) as image:
            found = (image.mode, image.height, image.width)
            if found != ("RGB", height, width):
                raise StreamError(
                    f"{codec}: a file of mode {found[0]}, {found[2]}x{found[1]} pixels, not "
                    f"the RGB of {width}x{height} that was encoded"
                )
            return np.array(image)
    except _DAMAGE as error:
        raise StreamError(f"{codec}: not a whole {recipe.format} file: {error}") from None
