"""How many images AffectNet's releases have of each expression, and how a data set differs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from mien.data.layouts.records import PARTS, Part
from mien.expressions import EXPRESSIONS, N_EXPRESSIONS

Counts = tuple[int, ...]  # by AffectNet's code, 0..7

TRAIN: Counts = (74_874, 134_415, 25_459, 14_090, 6_378, 3_803, 24_882, 3_750)  # 287,651
# The npy release lost the first data row of validation.csv, a contempt. Both are accepted.
RELEASES: dict[str, dict[Part, Counts]] = {
    "8-label release": {"train_set": TRAIN, "val_set": (500,) * 7 + (499,)},
    "original release": {"train_set": TRAIN, "val_set": (500,) * 8},
}
OF_LAYOUT = {"csv": "original release"}  # the others: the 8-label release


@dataclass(frozen=True)
class Comparison:
    """A data set's images per class beside those of a release."""

    release: str
    expected: Mapping[Part, Counts]
    seen: Mapping[Part, Counts]

    @property
    def matches(self) -> bool:
        """Return whether every class of both parts has the release's count."""
        return all(self.seen[part] == self.expected[part] for part in PARTS)

    def facts(self) -> dict[str, Any]:
        """Return what a manifest says of it: the classes that differ, by part."""
        differences = {
            part: {
                EXPRESSIONS[code]: {"expected": expected, "seen": seen}
                for code, expected, seen in self._rows(part)
                if expected != seen
            }
            for part in PARTS
        }
        return {"release": self.release, "matches": self.matches, "differences": differences}

    def table(self) -> str:
        """Return the parts that differ as text: expression, expected, seen, difference."""
        lines = []
        for part in PARTS:
            if self.seen[part] == self.expected[part]:
                continue
            lines.append(f"{part:<12}{'expected':>10}{'seen':>10}{'difference':>12}")
            lines += [
                f"{EXPRESSIONS[code]:<12}{expected:>10,}{seen:>10,}{seen - expected:>+12,}"
                for code, expected, seen in self._rows(part)
            ]
        return "\n".join(lines)

    def worst(self) -> str:
        """Return the largest differences in one line."""
        rows = [(part, *row) for part in PARTS for row in self._rows(part)]
        rows.sort(key=lambda row: -abs(row[3] - row[2]))
        return ", ".join(
            f"{part} {EXPRESSIONS[code]} {seen:,} instead of {expected:,}"
            for part, code, expected, seen in rows[:3]
            if expected != seen
        )

    def _rows(self, part: Part) -> list[tuple[int, int, int]]:
        codes = range(N_EXPRESSIONS)
        return list(zip(codes, self.expected[part], self.seen[part], strict=True))


def compared(seen: Mapping[Part, Counts], layout: str) -> Comparison:
    """Compare images per class with the release that has them, or else with the layout's own.

    Args:
        seen: As the annotations state them, whether the images can be used or not.
        layout: `npy`, `csv` or `folders`.
    """
    own = OF_LAYOUT.get(layout, "8-label release")
    candidates = [Comparison(name, RELEASES[name], seen) for name in RELEASES]
    candidates.sort(key=lambda comparison: comparison.release != own)
    return next((c for c in candidates if c.matches), candidates[0])
