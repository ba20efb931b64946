"""The paper's own numbers (arXiv 2509.17262, Tables 1 and 2), to stand beside ours.

They are printed and never computed with: no curve, delta or interval of ours has one in it.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

TABLE = Path(__file__).with_name("published.csv")

DIFFERENCES = (
    "As published: arXiv 2509.17262 on AffectNet, n = 3,999, printed without intervals; its "
    "loss weights, the qualities it started from, whether its bits are real or estimated, the "
    "pixels of its bpp, its BD implementation and its seeds are not stated, so they may differ "
    "from ours."
)


@dataclass(frozen=True)
class PublishedDelta:
    """A row of the paper's Table 1, against its mbt2018-mean baseline."""

    bd_accuracy: float  # percentage points
    bd_rate: float  # percent


@dataclass(frozen=True)
class PublishedPoint:
    """A row of the paper's Table 2."""

    bpp: float  # bit/pixel
    accuracy: float  # percent, on decoded images
    raw_accuracy: float  # percent, same classifier on raw images

    @property
    def change(self) -> float:
        """Decoded minus raw, percentage points."""
        return round(self.accuracy - self.raw_accuracy, 2)


def published_deltas() -> dict[str, PublishedDelta]:
    """Return the paper's Table 1 by strategy."""
    return {
        row["strategy"]: PublishedDelta(float(row["bd_accuracy"]), float(row["bd_rate"]))
        for row in _rows("1")
    }


def published_points(strategy: str) -> list[PublishedPoint]:
    """Return the paper's Table 2, by ascending rate; empty for all strategies but `joint`."""
    return [
        PublishedPoint(*(float(row[key]) for key in ("bpp", "accuracy", "raw_accuracy")))
        for row in _rows("2")
        if row["strategy"] == strategy
    ]


def _rows(table: str) -> list[dict[str, str]]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return [row for row in csv.DictReader(file) if row["table"] == table]
