"""Pictures of any kind to upright 8-bit RGB, cropped, resized, and coded for a shard.

A picture is an array, uint8 [H, W, 3], RGB. libjpeg-turbo decodes what it can: its pixels are
Pillow's, bit for bit, and faster. Pillow does all the rest.
"""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
import PIL
import simplejpeg
from PIL import Image, ImageOps

from mien.errors import DataError

Format = Literal["webp", "png", "jpg", "raw"]
Filter = Literal["bilinear", "bicubic", "lanczos", "opencv-bicubic"]
Picture = npt.NDArray[np.uint8]  # [H, W, 3], RGB
Box = tuple[int, int, int, int]  # x and y of the upper left corner, width, height; pixels

SUFFIXES: dict[str, str] = {"webp": "webp", "png": "png", "jpg": "jpg", "raw": "npy"}
LIBRARIES = {  # the pixels and the bytes of a shard are theirs
    "opencv": cv2.__version__,
    "pillow": PIL.__version__,
    "simplejpeg": simplejpeg.__version__,
}
_FILTERS = {
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Least effort: at WebP's method 0 more of it costs a third of the speed and saves no byte.
_ENCODINGS: dict[str, dict[str, int | bool]] = {
    "webp": {"lossless": True, "method": 0, "quality": 0},
    "png": {"compress_level": 1},
}
_MODES = {"1", "L", "LA", "P", "PA", "RGB", "RGBA", "RGBX", "CMYK", "YCbCr"}
# All that Pillow's readers raise on damaged bytes; a bomb is a picture of absurd size.
_UNDECODABLE = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)

# Worker processes are the parallelism here: OpenCV's own threads would only fight them.
cv2.setNumThreads(1)


class UnreadableError(DataError):
    """Bytes that are no picture."""

    kind = "broken"


class TruncatedError(UnreadableError):
    """A picture that is cut short."""

    kind = "truncated"


def rgb(data: bytes, path: Path) -> Picture:
    """Return a source decoded to its last pixel, upright by its EXIF orientation, in RGB.

    Grey is repeated, palettes and CMYK are converted, alpha lies over white, the page under a
    picture with holes; plain `convert("RGB")` would show whatever colour the transparent
    pixels happen to hold. Colour profiles are not applied, as in LibreFace and torchvision.

    Args:
        data: The bytes of a file in any format that Pillow reads.
        path: The file they came from, for the messages.

    Raises:
        UnreadableError: If the bytes are no picture, are cut short, or hold more than 8 bits a
            channel in a way that Pillow cannot bring to 8 (it would clip 16-bit grey).
    """
    picture = _turbo(data)
    return np.asarray(_flat(_opened(data, path))) if picture is None else picture


def _turbo(data: bytes) -> Picture | None:
    """Return the picture of a plain JPEG; None for anything that Pillow has to judge."""
    if data[:2] != b"\xff\xd8" or b"Exif\0\0" in data:
        return None
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        if colours not in ("YCbCr", "Gray") or height * width > (Image.MAX_IMAGE_PIXELS or 0):
            return None
        picture: Picture = simplejpeg.decode_jpeg(data)
        return picture
    except ValueError:  # the least doubt of libjpeg: Pillow may still read it, or says why not
        return None


def _opened(data: bytes, path: Path) -> Image.Image:
    try:
        image = Image.open(io.BytesIO(data))
        image.load()
        ImageOps.exif_transpose(image, in_place=True)
    except _UNDECODABLE as error:
        text = str(error) or type(error).__name__
        refusal = TruncatedError if "truncated" in text.lower() else UnreadableError
        raise refusal(
            f"{path}: cannot be decoded: {text}: replace it, or remove it together with its "
            "annotations"
        ) from None
    if image.mode not in _MODES:
        raise UnreadableError(
            f"{path}: its pixels are of Pillow's mode {image.mode}: convert it to 8-bit RGB, "
            "or remove it together with its annotations"
        )
    return image


def _flat(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image.convert("RGB")
    page = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(page, image.convert("RGBA")).convert("RGB")


def cropped(picture: Picture, box: Box) -> Picture:
    """Return the part of a picture inside a box that lies within it."""
    x, y, width, height = box
    return picture[y : y + height, x : x + width]


def resized(picture: Picture, size: int, filter: Filter) -> Picture:
    """Return a picture of `size` x `size` pixels; a source that is not square is squeezed.

    Args:
        picture: Of any size.
        size: Pixels.
        filter: `bilinear`, `bicubic` and `lanczos` are Pillow's, as in LibreFace and
            torchvision: antialiased when they reduce, `bicubic` with a = -0.5.
            `opencv-bicubic` is faster and img2dataset's way: INTER_CUBIC
            (a = -0.75) to enlarge, INTER_AREA when a side is reduced.
    """
    if filter == "opencv-bicubic":
        reduced = max(picture.shape[:2]) > size
        kernel = cv2.INTER_AREA if reduced else cv2.INTER_CUBIC
        return np.asarray(cv2.resize(picture, (size, size), interpolation=kernel), np.uint8)
    return np.asarray(Image.fromarray(picture).resize((size, size), _FILTERS[filter]))


def encoded(picture: Picture, format: Format, quality: int | None) -> bytes:
    """Return the bytes of a picture as a shard holds it, without metadata.

    Args:
        picture: Of any size.
        format: `webp` and `png` are lossless, `raw` is an array in NumPy's npy format.
        quality: 1..100 for `jpg`, which has 4:2:0 chroma; null for the others.
    """
    if format == "jpg":
        coded: bytes = simplejpeg.encode_jpeg(
            picture, quality, colorsubsampling="420", fastdct=False
        )
        return coded
    buffer = io.BytesIO()
    if format == "raw":
        np.save(buffer, picture)
    else:
        options: dict[str, Any] = _ENCODINGS[format]
        Image.fromarray(picture).save(buffer, format, **options)
    return buffer.getvalue()


def decoded(data: bytes | memoryview, format: Format) -> Picture:
    """Return the picture that `encoded` made these bytes of."""
    if format == "jpg":
        picture: Picture = simplejpeg.decode_jpeg(data)
        return picture
    if format == "raw":
        return np.asarray(np.load(io.BytesIO(data)))
    coded = np.frombuffer(data, np.uint8)
    return np.asarray(cv2.imdecode(coded, cv2.IMREAD_COLOR_RGB), np.uint8)
