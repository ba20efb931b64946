"""AffectNet on disk: which layout it is in, and one reader for whichever that is.

`val_set` is the paper's test set in every layout: `validation.csv` of the original release,
and whatever folder the user says of a copy with one folder per expression.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from mien.data.layouts import folders, npy, original
from mien.data.layouts.reading import PICTURE_NAME, look, names
from mien.data.layouts.records import PARTS, Fault, Listing, Part, Sample
from mien.errors import DataError, ParamsError
from mien.params import Data

MOST_CLASSES = 12  # 8, and those that AffectNet drops
NAMES_SHOWN = 8

Reader = Callable[[Any], Sample | Fault]  # picklable: it is called in worker processes


@dataclass(frozen=True)
class DataSet:
    """A data set whose files are listed; no picture of it is opened yet."""

    layout: str  # npy, csv or folders
    parts: dict[Part, Listing[Any]]
    where: str  # its files are, in words
    read: Reader  # of the listed entries


def find(data: Data) -> DataSet:
    """List the data set at `data.root` in its layout, which `auto` leaves to be recognised.

    Raises:
        DataError: If the layout is not there, or `auto` finds none or two; or as the layouts'
            own `find` says.
    """
    root = Path(data.root)
    if not root.is_dir():
        raise DataError(f"{root}: no such folder: point data.root to the data set's")
    layout = recognised(root) if data.layout == "auto" else data.layout
    read: Reader = partial(npy.read if layout == "npy" else look, root)
    if layout == "npy":
        return DataSet(layout, *npy.find(root), read)
    if layout == "csv":
        return DataSet(layout, *original.find(root), read)
    if data.folders is None:
        raise ParamsError("data.folders: null, though data.layout is folders: describe them")
    return DataSet(layout, *folders.find(root, data.folders), read)


def recognised(root: Path) -> str:
    """Return the layout at `root`, `npy` or `csv`.

    Raises:
        DataError: If neither is there, or both, with what is there and what to set.
    """
    is_npy = [part for part in PARTS if npy.part_folder(root, part)]
    is_csv = [path for part in PARTS for path in original.lists(root, part)]
    if is_npy and is_csv:
        raise DataError(
            f"{root}: holds two layouts, npy ({is_npy[0]}/images) and csv ({is_csv[0]}): set "
            "data.layout to the one that is meant"
        )
    if is_npy or is_csv:
        return "npy" if is_npy else "csv"
    if alike := _class_folders(root):
        raise DataError(
            f"{root}: looks like one folder per expression ({alike}): set data.layout to "
            "folders, and in data.folders the folders of train and test and, as label_order, "
            "those of AffectNet's codes 0..7; no order is inferred from names"
        )
    raise DataError(
        f"{root}: holds {_spelt(root)}: neither the 8-label release "
        "(train_set/images, val_set/images) nor the original one (training.csv, "
        "validation.csv): point data.root to the folder that holds these, or set data.layout"
    )


def _class_folders(root: Path) -> str | None:
    """Return where a few folders of pictures lie side by side, looking two levels deep."""
    for parent in [root, *_folders(root)]:
        inner = _folders(parent)
        if len(inner) <= MOST_CLASSES and sum(map(_starts_with_a_picture, inner)) >= 2:
            return f"{parent}: {', '.join(folder.name for folder in inner)}"
    return None


def _folders(parent: Path) -> list[Path]:
    few = islice(sorted(names(parent)), 100)  # there may be 300,000 pictures
    return [path for name in few if (path := parent / name).is_dir()]


def _starts_with_a_picture(folder: Path) -> bool:
    return any(PICTURE_NAME.fullmatch(name) for name in islice(names(folder), 3))


def _spelt(root: Path) -> str:
    there = sorted(names(root))
    more = f" and {len(there) - NAMES_SHOWN} more" if len(there) > NAMES_SHOWN else ""
    return (", ".join(there[:NAMES_SHOWN]) or "nothing") + more
