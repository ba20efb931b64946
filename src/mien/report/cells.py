"""What a table is made of: columns that know how to print, and cells as people read them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mien.report.statistics import Bounded, Estimate

Cell = str | int | float | Estimate | None

ABSENT = "–"
MINUS = "−"
OPEN = "…"  # an end of an interval beyond what was measured
ARROWS = {"higher": "↑", "lower": "↓", None: ""}


@dataclass(frozen=True)
class Column:
    """What a column holds and how it is printed."""

    key: str  # in CSV
    title: str
    unit: str = ""
    better: Literal["higher", "lower"] | None = None
    decimals: int | None = None  # None: text
    signed: bool = False  # a difference: printed with its sign, bold when that is established
    bounded: bool = False  # an Estimate: printed with its interval

    @property
    def header(self) -> str:
        """Title, unit and arrow."""
        unit = f"[{self.unit}]" if self.unit else ""
        return " ".join(part for part in (self.title, unit, ARROWS[self.better]) if part)


@dataclass(frozen=True)
class Table:
    """Rows of cells under columns; the first column labels the row."""

    name: str
    title: str
    caption: str
    columns: list[Column]
    rows: list[list[Cell]]

    @property
    def notes(self) -> list[str]:
        """Why values are absent and what intervals could not use: one line per row and why."""
        return [
            f"{row[0]}, {', '.join(columns)}: {remark}"
            for row in self.rows
            for remark, columns in self.remarks(row).items()
        ]

    def remarks(self, row: list[Cell]) -> dict[str, list[str]]:
        """Return each remark on a row with the titles of the columns it is about."""
        found: dict[str, list[str]] = {}
        for column, cell in zip(self.columns, row, strict=True):
            if isinstance(cell, Estimate) and (remark := _remark(cell)):
                found.setdefault(remark, []).append(column.title)
        return found


@dataclass(frozen=True)
class Shown:
    """A cell as people read it, before any markup."""

    text: str
    bold: bool

    def marked(self, before: str, after: str) -> str:
        """Return the text between two marks if it is bold, else alone."""
        return f"{before}{self.text}{after}" if self.bold else self.text


def shown_cells(table: Table, row: list[Cell], minus: str = MINUS) -> list[Shown]:
    """Return every cell of a row as people read it."""
    return [
        Shown(
            cell_text(column, cell).replace("-", minus)
            if column.decimals is not None
            else str(cell),
            column.signed and isinstance(cell, Estimate) and cell.excludes_zero,
        )
        for column, cell in zip(table.columns, row, strict=True)
    ]


def cell_text(column: Column, cell: Cell) -> str:
    """Return a number or a bound, with its interval if it has one, with an ASCII minus."""
    if not isinstance(cell, Estimate):
        return _number(column, cell)
    ends = (cell.low, cell.high)
    if ends == (None, None):
        return _value(column, cell)
    low, high = (OPEN if end is None else _number(column, end) for end in ends)
    return f"{_value(column, cell)} [{low}, {high}]"


def _value(column: Column, cell: Estimate) -> str:
    if isinstance(cell, Bounded) and cell.above is not None:
        return f"> {_number(column, cell.above)}"
    if isinstance(cell, Bounded) and cell.below is not None:
        return f"< {_number(column, cell.below)}"
    return _number(column, cell.value)


def _number(column: Column, value: Cell) -> str:
    if not isinstance(value, int | float) or column.decimals is None:
        return ABSENT
    rounded = round(value, column.decimals) + 0.0  # no -0.0
    return f"{rounded:{'+' if column.signed else ''},.{column.decimals}f}"


def _remark(estimate: Estimate) -> str | None:
    if estimate.value is None:
        return f"{_side(estimate)}{estimate.reason}"
    if estimate.absent > 0:
        return (
            f"{100 * estimate.absent:.1f} % of the resamples have no value, the interval is "
            "that of the others"
        )
    return None


def _side(estimate: Estimate) -> str:
    """Return the bound that stands for a missing value, as CSV has no other place for it."""
    if isinstance(estimate, Bounded) and estimate.above is not None:
        return f"above {estimate.above:.4g}: "
    if isinstance(estimate, Bounded) and estimate.below is not None:
        return f"below {estimate.below:.4g}: "
    return ""
