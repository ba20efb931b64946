"""The rows of `training.csv` and `validation.csv` in the original release.

A row names a picture, the box of the face in it, and its annotations. An image's number is
that of its row, counted over the data rows from 0.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path

from mien.data.layouts.reading import affect_of, label_of
from mien.data.layouts.records import Entry, Fault, Kind, Listing, UnusableError
from mien.data.packed import Packed
from mien.data.pictures import Box
from mien.errors import DataError

_BOX = ("face_x", "face_y", "face_width", "face_height")
COLUMNS = (
    *("subDirectory_filePath", *_BOX, "facial_landmarks"),
    *("expression", "valence", "arousal"),
)
NEEDED = tuple(column for column in COLUMNS if column != "facial_landmarks")
NOT_EXPRESSIONS = {8: "none", 9: "uncertain", 10: "no-face"}  # codes that are dropped

Row = Sequence[str]
Places = Mapping[str, int]  # of the columns, by name


def listed(root: Path, path: str) -> Listing[Entry]:
    """Return the rows of the list at `root / path`, the picture's path as stated for `source`.

    Raises:
        DataError: If the file is no csv file, or lacks a column.
    """
    entries, faults = Packed[Entry](), []
    dropped = Counter(dict.fromkeys(NOT_EXPRESSIONS.values(), 0))
    places, rows = _opened(root / path)
    for number, row in enumerate(rows):
        read = _read(number, row, places, f"{path} row {number}")
        if isinstance(read, Entry):
            entries.append(read)
        elif isinstance(read, Fault):
            faults.append(read)
        else:
            dropped[read] += 1
    return Listing(entries, faults, dict(dropped))


def _opened(path: Path) -> tuple[Places, Iterator[Row]]:
    """Return where each column is, and the data rows.

    A header may start with a BOM or `#`; without one the order is that of the release.
    """
    lines = _lines(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: is empty: restore it")
    titles = [cell.strip().lstrip("#").strip() for cell in first]
    if not set(titles) & set(COLUMNS):
        if len(first) != len(COLUMNS):
            raise DataError(
                f"{path}: its first line is no header and has {len(first)} columns, not the "
                f"{len(COLUMNS)} of the release: restore it"
            )
        return {name: COLUMNS.index(name) for name in NEEDED}, chain([first], lines)
    for name in NEEDED:
        if titles.count(name) != 1:
            raise DataError(
                f"{path}: its header names {name} {titles.count(name)} times: "
                f"{', '.join(titles)}: restore it"
            )
    return {name: titles.index(name) for name in NEEDED}, lines


def _lines(path: Path) -> Iterator[Row]:
    """Yield the lines that are not blank; `utf-8-sig` takes a BOM away."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file)
        try:
            yield from filter(None, reader)
        except (csv.Error, UnicodeDecodeError) as error:
            raise DataError(
                f"{path}: not a csv file in UTF-8 after line {reader.line_num}: {error}: "
                "restore it"
            ) from None


def _read(number: int, row: Row, places: Places, name: str) -> Entry | Fault | str:
    """Return a row's entry, what is wrong with it, or the name of a code that is dropped."""
    label, source = None, name
    try:
        if len(row) <= max(places.values()):
            raise UnusableError("row", f"has {len(row)} columns: is it cut short?")
        cells = {column: row[place].strip() for column, place in places.items()}
        source = _below(cells["subDirectory_filePath"])
        code = _number(cells, "expression", "label")
        if code in NOT_EXPRESSIONS:
            return NOT_EXPRESSIONS[int(code)]
        label = label_of(code, "expression")
        valence, arousal = (_affect(cells, column) for column in ("valence", "arousal"))
        return Entry(number, source, label, valence, arousal, _box(cells))
    except UnusableError as error:
        return Fault(number, error.kind, source, f"{name}: {error}", label)


def _below(path: str) -> str:
    """Return a stated path, which must lead below the folder of pictures and nowhere else."""
    if "\0" in path or {"", ".", ".."} & set(path.split("/")):
        raise UnusableError("row", f"{path!r} is no path below a folder of pictures")
    return path


def _number(cells: Mapping[str, str], column: str, kind: Kind) -> float:
    try:
        return float(cells[column])
    except ValueError:
        raise UnusableError(kind, f"{column}: {cells[column]!r} is not a number") from None


def _affect(cells: Mapping[str, str], column: str) -> float | None:
    return affect_of(_number(cells, column, "affect"), column) if cells[column] else None


def _box(cells: Mapping[str, str]) -> Box:
    try:
        x, y, width, height = (int(_number(cells, column, "crop")) for column in _BOX)
    except (ValueError, OverflowError):  # nan, inf
        stated = ", ".join(cells[column] for column in _BOX)
        raise UnusableError("crop", f"the box {stated} is not in pixels") from None
    return x, y, width, height
