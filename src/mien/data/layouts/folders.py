"""Copies with one folder per expression, whose order of classes the user must state.

Most are subsets, and their folders are named or numbered in many ways (in alphabetical order,
say, which is not AffectNet's). So nothing is inferred from a name.
"""

from __future__ import annotations

import re
from pathlib import Path

from mien.data.layouts.reading import PICTURE_NAME, names
from mien.data.layouts.records import Entry, Listing, Part
from mien.data.packed import Packed
from mien.errors import DataError, ParamsError
from mien.params import Folders


def find(root: Path, folders: Folders) -> tuple[dict[Part, Listing[Entry]], str]:
    """Return the images of both parts, numbered by label and name, and where they are.

    Raises:
        ParamsError: If the stated order names a folder twice, or none.
        DataError: If a folder is missing or is not in the order, or a file is no picture.
    """
    stated = [name for name in folders.label_order if name is not None]
    if not stated or len(set(stated)) < len(stated):
        raise ParamsError(
            f"data.folders.label_order: {list(folders.label_order)}: name the folder of every "
            "expression once, in the order of AffectNet's codes; null where there is none"
        )
    if folders.train == folders.test:
        raise ParamsError(f"data.folders: train and test are both {folders.train!r}")
    parts: dict[Part, str] = {"train_set": folders.train, "val_set": folders.test}
    listings = {part: _part(root, parts[part], folders.label_order) for part in parts}
    return listings, f"one folder per expression in {folders.train} and {folders.test}"


def _part(root: Path, folder: str, order: tuple[str | None, ...]) -> Listing[Entry]:
    _refuse_others(root / folder, {name for name in order if name is not None})
    entries = Packed[Entry]()
    for label, name in enumerate(order):
        for picture in [] if name is None else _pictures(root / folder / name):
            entries.append(Entry(len(entries), f"{folder}/{name}/{picture}", label))
    if not len(entries):
        raise DataError(f"{root / folder}: holds no images: check data.folders")
    return Listing(entries)


def _refuse_others(part: Path, stated: set[str]) -> None:
    """Refuse a part that has other folders than those stated, or pictures beside them."""
    if not part.is_dir():
        raise DataError(f"{part}: no such folder: check data.folders")
    there = set(names(part))
    if absent := stated - there:
        raise DataError(
            f"{part}: has no folder {', '.join(sorted(absent))}: check "
            "data.folders.label_order, or make an empty one if there are no such images"
        )
    for name in sorted(there - stated):
        if (part / name).is_dir() or PICTURE_NAME.fullmatch(name):
            raise DataError(
                f"{part / name}: is not in data.folders.label_order: name the folders of all "
                "expressions there, or move this elsewhere"
            )


def _pictures(folder: Path) -> list[str]:
    """Return the names in one folder, numbers in them in the order of numbers."""
    found = sorted(names(folder), key=_natural)
    for name in found:
        if not PICTURE_NAME.fullmatch(name):
            raise DataError(
                f"{folder / name}: not a picture by its name (jpg, jpeg, png, bmp, tif, tiff, "
                "webp): move it elsewhere"
            )
    return found


def _natural(name: str) -> tuple[list[tuple[str, int]], str]:
    """Return what sorts 2.jpg before 10.jpg: text and the number after it, in turn."""
    pieces = re.split(r"([0-9]+)", name)
    return [(t, int(n)) for t, n in zip(pieces[::2], [*pieces[1::2], "-1"], strict=True)], name
