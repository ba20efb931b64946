"""What all layouts read alike: codes, affect, and the picture itself.

A worker process calls these for one image after the other. What is wrong with an image comes
back as a `Fault`, so that one bad file neither stops the stage nor is passed over.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

from mien.data import pictures
from mien.data.layouts.records import Entry, Fault, Kind, Sample, UnusableError
from mien.data.pictures import Box
from mien.errors import DataError
from mien.expressions import N_EXPRESSIONS

PICTURE = r"\.(?i:jpe?g|png|bmp|tiff?|webp)"  # the extensions there are, in any case
PICTURE_NAME = re.compile(f".+{PICTURE}", re.DOTALL)

_INVALID = -2.0  # AffectNet's mark for "no valence or arousal"
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")  # in messages: it would differ every time


def look(root: Path, entry: Entry) -> Sample | Fault:
    """Return an image's facts, having decoded every pixel of it once, or what is wrong."""
    try:
        data = _bytes(root / entry.source)
        height, width = pictures.rgb(data, root / entry.source).shape[:2]
        crop = None if entry.box is None else clamped(entry.box, width, height)
    except UnusableError as error:
        return Fault(entry.number, error.kind, entry.source, str(error), entry.label)
    except pictures.UnreadableError as error:
        kind: Kind = "truncated" if error.kind == "truncated" else "broken"
        detail = steady(error).removeprefix(f"{root / entry.source}: ")
        return Fault(entry.number, kind, entry.source, detail, entry.label)
    return Sample(
        number=entry.number,
        label=entry.label,
        source=entry.source,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        valence=entry.valence,
        arousal=entry.arousal,
        crop=crop,
    )


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except FileNotFoundError:  # a link to nowhere, or removed since the folder was listed
        raise UnusableError("missing", "no such file") from None
    except OSError as error:
        raise UnusableError("broken", f"cannot be read: {error.strerror}") from None


def clamped(box: Box, width: int, height: int) -> Box:
    """Return the part of a box that lies within a picture of `width` x `height` pixels.

    Raises:
        UnusableError: If nothing of it does.
    """
    left, top = max(box[0], 0), max(box[1], 0)
    right, bottom = min(box[0] + box[2], width), min(box[1] + box[3], height)
    if right <= left or bottom <= top:
        raise UnusableError(
            "crop",
            f"the box at x {box[0]}, y {box[1]} of {box[2]} x {box[3]} pixels holds no pixel "
            f"of the picture of {width} x {height}",
        )
    return left, top, right - left, bottom - top


def label_of(code: float, name: str) -> int:
    """Return the label of a code; 1.5 and nan are none either. `name` is the annotation's."""
    if code not in range(N_EXPRESSIONS):
        raise UnusableError("label", f"{name}: {code:g} is not one of 0..{N_EXPRESSIONS - 1}")
    return int(code)


def affect_of(value: float, name: str) -> float | None:
    """Return a valence or an arousal, None when it is marked invalid."""
    if value == _INVALID:
        return None
    if not -1.0 <= value <= 1.0:
        raise UnusableError("affect", f"{name}: {value:g} is neither in -1..1 nor -2")
    return value


def names(folder: Path) -> Iterator[str]:
    """Yield what a folder holds, in no order, having listed it once and asked for no file.

    Hidden files are no part of the data: .DS_Store, ._0.jpg and their like.
    """
    try:
        with os.scandir(folder) as entries:
            yield from (entry.name for entry in entries if not entry.name.startswith("."))
    except PermissionError:
        raise DataError(f"{folder}: may not be listed: give yourself the right to") from None


def steady(error: Exception) -> str:
    """Return an error's text without what differs from one process to the next."""
    return _ADDRESS.sub("", " ".join(str(error).split())) or type(error).__name__
