"""The 8-label release: `images/N.jpg` beside `annotations/N_{exp,val,aro,lnd}.npy`.

Both folders are in `train_set` and `val_set`. N is a whole number without leading zeros, has
gaps, and starts again at 0 in each part.
"""

from __future__ import annotations

import re
import sys
import tokenize
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib.format import read_array
from numpy.typing import NDArray

from mien.data.layouts.reading import PICTURE, affect_of, label_of, look, names, steady
from mien.data.layouts.records import (
    PARTS,
    Entry,
    Fault,
    Kind,
    Listing,
    Part,
    Sample,
    UnusableError,
)
from mien.data.packed import Packed
from mien.errors import DataError

_NUMBER = r"0|[1-9]\d{0,17}"  # as many digits as 64 bits hold
_IMAGE = re.compile(rf"({_NUMBER})({PICTURE})", re.ASCII)
_ANNOTATION = re.compile(rf"({_NUMBER})_(exp|val|aro|lnd)\.npy", re.ASCII)
# All that NumPy raises on damaged bytes; a memory error is a header that asks for terabytes.
_UNREADABLE = (ValueError, TypeError, OverflowError, MemoryError, tokenize.TokenError)

Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Numbered:
    """What there is of one number; nothing of it is opened yet."""

    number: int  # N, unique within its part
    image: str | None  # path below the root, with `/`; None: there are only annotations
    annotations: str  # `<folder>/N` below the root, to which `_exp.npy` and the like are added


def part_folder(root: Path, part: Part) -> str | None:
    """Return the folder below the root that holds `images`, None when there is none.

    Some archives unpack into a doubled folder.
    """
    candidates = (part, f"{part}/{part}")
    return next((f for f in candidates if (root / f / "images").is_dir()), None)


def find(root: Path) -> tuple[dict[Part, Listing[Numbered]], str]:
    """Return all there is in both parts by ascending number, and where it is.

    The two folders of a part are listed once each: the release has 1.4 million small files.

    Raises:
        DataError: If a folder is missing, holds a file of another name, or has no image.
    """
    parts = {part: _existing(root, part) for part in PARTS}
    where = " and ".join(f"{folder}/images" for folder in parts.values())
    return {part: _listing(root, parts[part]) for part in PARTS}, f"8-label release, {where}"


def _existing(root: Path, part: Part) -> str:
    if (folder := part_folder(root, part)) is None:
        raise DataError(
            f"{root / part}: has no folder images: expected AffectNet's 8-label release, "
            f"{part}/images/N.jpg and {part}/annotations/N_exp.npy"
        )
    return folder


def _listing(root: Path, folder: str) -> Listing[Numbered]:
    images = _images(root / folder / "images")
    expressed, others = _annotations(root / folder / "annotations")
    pictured = np.fromiter(images, np.int64, len(images))
    numbers = np.unique(np.concatenate([pictured, expressed, others]))
    entries, bare = Packed[Numbered](), []
    is_expressed = np.isin(numbers, expressed)
    for number, labelled in zip(numbers.tolist(), is_expressed.tolist(), strict=True):
        ending = images.get(number)
        image = None if ending is None else f"{folder}/images/{number}{ending}"
        if image is not None and not labelled:
            bare.append(_bare(number, folder, image))
        else:
            entries.append(Numbered(number, image, f"{folder}/annotations/{number}"))
    return Listing(entries, bare)


def _bare(number: int, folder: str, image: str) -> Fault:
    detail = f"there is no {folder}/annotations/{number}_exp.npy"
    return Fault(number, "unlabelled", image, detail, None)


def _images(folder: Path) -> dict[int, str]:
    """Return the ending of every image's name by its number."""
    endings: dict[int, str] = {}
    strangers = []
    for name in names(folder):
        if not (match := _IMAGE.fullmatch(name)):
            strangers.append(name)
        elif (number := int(match[1])) in endings:
            first, second = sorted((f"{number}{endings[number]}", name))
            raise DataError(
                f"{folder / second}: {first} has the same number: remove one of them"
            )
        else:
            endings[number] = sys.intern(match[2])
    if strangers:
        raise DataError(
            f"{folder / min(strangers)}: not a name like 17.jpg (jpg, jpeg, png, bmp, tif, "
            "tiff, webp; no leading zeros): rename or remove it"
        )
    if not endings:
        raise DataError(f"{folder}: holds no images: expected N.jpg")
    return endings


def _annotations(folder: Path) -> tuple[Numbers, Numbers]:
    """Return the numbers that have an expression, and those of all other annotations."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: AffectNet's 8-label release has one")
    expressed, others = array("q"), array("q")
    strangers = []
    for name in names(folder):
        if match := _ANNOTATION.fullmatch(name):
            (expressed if match[2] == "exp" else others).append(int(match[1]))
        else:
            strangers.append(name)
    if strangers:
        raise DataError(
            f"{folder / min(strangers)}: not a name like 17_exp.npy (exp, val, aro or lnd; no "
            "leading zeros): rename or remove it"
        )
    return np.asarray(expressed, np.int64), np.asarray(others, np.int64)


def read(root: Path, numbered: Numbered) -> Sample | Fault:
    """Return one image's facts, or what is wrong with it or its annotations."""
    if numbered.image is None:
        return _lost(root, numbered)
    label = None
    try:
        label = _label(root, numbered)
        valence = _affect(root, f"{numbered.annotations}_val.npy")
        arousal = _affect(root, f"{numbered.annotations}_aro.npy")
    except UnusableError as error:
        return Fault(numbered.number, error.kind, numbered.image, str(error), label)
    return look(root, Entry(numbered.number, numbered.image, label, valence, arousal))


def _lost(root: Path, numbered: Numbered) -> Fault:
    try:
        label = _label(root, numbered)
    except UnusableError:
        label = None
    detail = f"there is no image of number {numbered.number}"
    return Fault(numbered.number, "missing", f"{numbered.annotations}_*.npy", detail, label)


def _label(root: Path, numbered: Numbered) -> int:
    name = f"{numbered.annotations}_exp.npy"
    if (code := _scalar(root, name, "label")) is None:
        raise UnusableError("unlabelled", f"there is no {name}")
    return label_of(code, name)


def _affect(root: Path, name: str) -> float | None:
    value = _scalar(root, name, "affect")
    return None if value is None else affect_of(value, name)


def _scalar(root: Path, name: str, kind: Kind) -> float | None:
    """Return the one value of an npy file, which may hold a string, an integer or a float.

    None when there is no such file.
    """
    try:
        with (root / name).open("rb") as file:
            array: NDArray[Any] = read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
            return float(array.item())
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UnusableError(kind, f"{name}: cannot be read: {error.strerror}") from None
    except _UNREADABLE as error:
        detail = f"{name}: not an npy file with one number: {steady(error)}"
        raise UnusableError(kind, detail) from None
