"""`mien encode` and `mien decode`: pictures to `.mien` files and back."""

from __future__ import annotations

import io
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image
from tqdm import tqdm

from mien.codec.container import parse
from mien.codec.picture import Encoded, Picture, decode_picture, encode_picture
from mien.codec.stream import Loaded, load_coder
from mien.data.pictures import rgb
from mien.errors import DataError, StreamError
from mien.files import replacing
from mien.metrics.distortion import psnr
from mien.metrics.rate import bits_per_pixel
from mien.verbs.named import named, wrote
from mien.verbs.places import PICTURE_SUFFIXES, STREAM_SUFFIX, listed, targets

# Lossless ones: another codec's losses would be taken for this one's.
_SAVED: dict[str, dict[str, Any]] = {
    ".png": {},
    ".webp": {"lossless": True},
    ".bmp": {},
    ".ppm": {},
    ".tif": {},
    ".tiff": {},
}


def encode(names: Sequence[str], out: str, codec: str, *, verify: bool, force: bool) -> None:
    """Write a `.mien` file for every picture, and print a line for each.

    Args:
        names: Pictures, folders of them, patterns.
        out: A file for one picture, else a folder.
        codec: Who encodes: see `named`.
        verify: Decode each file again before it gets its name, and print how far off it is.
        force: Whether files that are there may be replaced.

    Raises:
        DataError: If a picture cannot be read, or a file would be written over.
        StreamError: If a picture is too large, or does not come back.
    """
    work = targets(listed(names, PICTURE_SUFFIXES), out, STREAM_SUFFIX, force=force)
    loaded = load_coder(named(codec).codec)
    total, pixels = 0, 0
    for source, target in tqdm(work, desc="encode", unit="img", disable=None):
        picture = rgb(source.path.read_bytes(), source.path)
        encoded = _encoded(loaded, picture, source.path)
        checked = f", {_verified(loaded, picture, encoded, source.path)}" if verify else ""
        _write(target, encoded.data)
        height, width = picture.shape[:2]
        total, pixels = total + len(encoded.data), pixels + height * width
        tqdm.write(
            f"{target}: {width}x{height}, {_cost(len(encoded.data), height * width)}{checked}"
        )
    if len(work) > 1:
        print(f"{len(work)} pictures, {_cost(total, pixels)}")


def decode(names: Sequence[str], out: str, codec: str | None, *, force: bool) -> None:
    """Write the picture of every `.mien` file, as PNG where `out` is a folder.

    Args:
        names: Files, folders of them, patterns.
        out: A picture file of a lossless kind, or a folder.
        codec: Who wrote them: see `named`; None: each file says, of the codecs in this folder.
        force: Whether files that are there may be replaced.

    Raises:
        DataError: If a file would be written over, or `out` is of a kind that is not written.
        StreamError: If a file is damaged or its codec is not there.
    """
    work = targets(listed(names, (STREAM_SUFFIX,)), out, ".png", force=force)
    for _, target in work:
        if target.suffix.lower() not in _SAVED:
            raise DataError(f"{target}: pictures are written as {' '.join(sorted(_SAVED))}")
    for source, target in tqdm(work, desc="decode", unit="img", disable=None):
        picture = decoded(source.path, codec)
        _write(target, _coded(picture, target.suffix.lower()))
        tqdm.write(f"{target}: {picture.shape[1]}x{picture.shape[0]}")


def decoded(path: Path, codec: str | None) -> Picture:
    """Return the picture of one file, by the codec that is named or that it names.

    Raises:
        StreamError: It names the file.
    """
    data = path.read_bytes()
    try:
        found = wrote(parse(data).codec) if codec is None else named(codec)
        return decode_picture(_loaded(found.codec), data)[0]
    except StreamError as error:
        raise StreamError(f"{path}: {error}") from None


@cache
def _loaded(path: Path) -> Loaded:
    return load_coder(path)


def _encoded(loaded: Loaded, picture: Picture, path: Path) -> Encoded:
    try:
        return encode_picture(loaded, picture)
    except StreamError as error:
        raise StreamError(f"{path}: {error}") from None


def _cost(n_bytes: int, n_pixels: int) -> str:
    return f"{n_bytes} bytes, {bits_per_pixel(n_bytes, 1, n_pixels):.4f} bit/pixel"


def _verified(loaded: Loaded, picture: Picture, encoded: Encoded, path: Path) -> str:
    """Return how far off the picture is that its bytes give.

    Raises:
        StreamError: If they do not give what was encoded.
    """
    again, symbols = decode_picture(loaded, encoded.data)
    if symbols != encoded.symbols or again.shape != picture.shape:
        raise StreamError(f"{path}: does not decode to what was encoded: nothing was written")
    return f"verified, PSNR {psnr(picture, again):.2f} dB"


def _coded(picture: Picture, suffix: str) -> bytes:
    buffer = io.BytesIO()
    kind = Image.registered_extensions()[suffix]
    Image.fromarray(picture).save(buffer, kind, **_SAVED[suffix])
    return buffer.getvalue()


def _write(path: Path, data: bytes) -> None:
    with replacing(path) as temporary:
        temporary.write_bytes(data)
