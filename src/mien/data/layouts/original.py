"""The original release: `training.csv` and `validation.csv` beside folders of whole pictures.

The lists are in one of three places and the pictures below one of four, depending on who
unpacked them. A picture may have several rows, one for each face.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from itertools import chain
from pathlib import Path

from mien.data.layouts import rows
from mien.data.layouts.reading import names
from mien.data.layouts.records import PARTS, Entry, Fault, Listing, Part
from mien.data.packed import Packed
from mien.errors import DataError

LISTS: dict[Part, str] = {"train_set": "training.csv", "val_set": "validation.csv"}
LIST_FOLDERS = ("", "Manually_Annotated_file_lists", "file_lists")
PICTURE_FOLDERS = (
    "Manually_Annotated/Manually_Annotated_Images",
    "Manually_Annotated_Images",
    "Manually_Annotated",
    "",
)


def lists(root: Path, part: Part) -> list[str]:
    """Return every place below the root where the list of a part is."""
    return [path for path in _places(part) if (root / path).is_file()]


def _places(part: Part) -> list[str]:
    return [f"{folder}/{LISTS[part]}".lstrip("/") for folder in LIST_FOLDERS]


def find(root: Path) -> tuple[dict[Part, Listing[Entry]], str]:
    """Return the images of both parts by ascending number, and where their pictures are.

    Every folder of pictures is listed once; no picture is asked for.

    Raises:
        DataError: If a list is missing, there twice, or lacks a column; if no picture is found
            below any of the folders, or some below several.
    """
    paths = {part: _only_list(root, part) for part in PARTS}
    stated = {part: rows.listed(root, paths[part]) for part in PARTS}
    found = _pictures(root, stated.values())
    where = f"original release, {', '.join(paths.values())}, pictures below {found}"
    return {part: _located(stated[part], found) for part in PARTS}, where


def _only_list(root: Path, part: Part) -> str:
    found = lists(root, part)
    if len(found) == 1:
        return found[0]
    seen = f"found {', '.join(found)}: remove" if found else "found none: restore"
    raise DataError(f"{root}: expected one of {', '.join(_places(part))}; {seen} it")


@dataclass
class Found:
    """What of the stated paths was found below one folder; most are as they are stated."""

    start: str  # below the root
    n: int = 0  # pictures
    renamed: dict[str, str] = field(default_factory=dict)  # paths that differ in case
    missing: dict[str, set[str]] = field(default_factory=dict)  # names by their folder

    def __str__(self) -> str:
        """Return the folder."""
        return f"{self.start}/" if self.start else "the root"


def _pictures(root: Path, stated: Iterable[Listing[Entry]]) -> Found:
    """Return what was found below the one folder that the stated paths start from."""
    by_folder: dict[str, set[str]] = {}
    for entry in chain.from_iterable(listing.entries for listing in stated):
        folder, _, name = entry.source.rpartition("/")
        by_folder.setdefault(folder, set()).add(name)
    tried = [_found(root, start, by_folder) for start in PICTURE_FOLDERS]
    found = [trial for trial in tried if trial.n]
    if len(found) == 1:
        return found[0]
    n = sum(map(len, by_folder.values()))
    if not found:
        raise DataError(
            f"{root}: none of the {n} pictures that {' and '.join(LISTS.values())} name "
            f"({_example(by_folder)}, say) is below {', '.join(map(str, tried))}: unpack them "
            "there"
        )
    seen = ", ".join(f"{trial.n} below {trial}" for trial in found)
    raise DataError(f"{root}: of {n} pictures that the lists name, {seen}: keep one place")


def _example(by_folder: dict[str, set[str]]) -> str:
    paths = (f"{folder}/{min(by_folder[folder])}" for folder in by_folder)
    return min(paths, default="none").lstrip("/")


def _found(root: Path, start: str, by_folder: dict[str, set[str]]) -> Found:
    """Look for all stated paths below `start`, listing each of their folders once."""
    found = Found(start)
    for folder, stated in by_folder.items():
        try:
            there = set(names(root / start / folder))
        except (FileNotFoundError, NotADirectoryError):
            found.missing[folder] = stated
            continue
        absent = stated - there
        alike = _by_folded_name(there) if absent else {}
        only = {name: alike.get(name.casefold(), []) for name in absent}
        for name in absent:
            if len(only[name]) == 1:
                found.renamed[f"{folder}/{name}"] = f"{folder}/{only[name][0]}"
        found.missing[folder] = {name for name in absent if len(only[name]) != 1}
        found.n += len(stated) - len(found.missing[folder])
    return found


def _by_folded_name(there: set[str]) -> dict[str, list[str]]:
    folded: dict[str, list[str]] = {}
    for name in there:
        folded.setdefault(name.casefold(), []).append(name)
    return folded


def _located(stated: Listing[Entry], found: Found) -> Listing[Entry]:
    """Return a part with the pictures' paths below the root, those not found as faults."""
    entries, faults = Packed[Entry](), list(stated.faults)
    for entry in stated.entries:
        folder, _, name = entry.source.rpartition("/")
        path = found.renamed.get(f"{folder}/{name}", entry.source)
        source = f"{found.start}/{path}".lstrip("/")
        if name in found.missing[folder]:
            detail = "there is no such file, nor exactly one whose name differs only in case"
            faults.append(Fault(entry.number, "missing", source, detail, entry.label))
        else:
            entries.append(replace(entry, source=source))
    return Listing(entries, faults, stated.dropped)
