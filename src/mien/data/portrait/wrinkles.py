"""Furrows and folds that action units press into the skin, as lines on a canvas of mode L.

The canvas starts at 128: below is darker than the skin around, above is lighter.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.data.portrait.canvas import Canvas, curve
from mien.data.portrait.landmarks import MIRRORED, Points
from mien.data.portrait.units import Units

FLAT = 128
FAINTEST = 0.04  # depth below which a furrow is not seen
SAMPLES = 18  # segments of every line; a multiple of 2 and of 3

# One side's landmarks [68, 2], x outwards, and the intensity of each action unit on that side.
Strengths = dict[int, float]


@dataclass(frozen=True)
class Furrow:
    """A line in the skin of one side."""

    points: tuple[tuple[float, float], ...]  # three or four (outwards, y), face units
    depth: float  # 0..1
    width: float  # face units


def paint_wrinkles(canvas: Canvas, marks: Points, units: Units, age: float) -> None:
    """Paint every furrow of a face, a dark line with a light lip below it.

    Args:
        marks: Landmarks [68, 2] with the action units at work.
        age: In [0, 1]; shows some furrows at rest.
    """
    lines, depths, widths = [], [], []
    for side, outwards in ((0, -1.0), (1, 1.0)):
        own = (marks if side == 0 else marks[MIRRORED]) * (outwards, 1.0)
        strengths = {number: sides[side] for number, sides in units.items()}
        for furrow in _furrows(own, strengths, age):
            if furrow.depth >= FAINTEST:
                points = np.array(furrow.points) * (outwards, 1.0)
                lines.append(curve(points, steps=SAMPLES // (len(points) - 1)))
                depths.append(furrow.depth)
                widths.append(furrow.width)
    if not lines:
        return
    dark, depth, width = np.stack(lines), np.array(depths), np.array(widths)
    light = dark + np.stack([0 * width, 0.8 * width], axis=1)[:, None]
    canvas.strokes(light, np.full((len(dark), 3), 200.0), width, 0.35 * depth)
    canvas.strokes(dark, np.full((len(dark), 3), 20.0), width, 0.75 * depth)


def _furrows(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    parts = (_forehead, _between_brows, _around_eye, _nose, _cheek, _chin)
    return [furrow for part in parts for furrow in part(m, unit, age)]


def _forehead(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    """Level lines: the inner brow raiser lifts the middle, the outer one the side."""
    inner, outer = unit.get(1, 0.0), unit.get(2, 0.0)
    middle = max(inner, 0.35 * age) * (1 - 0.4 * unit.get(4, 0.0))
    furrows = []
    for row in range(3):
        y = m[19, 1] - 0.15 - 0.085 * row
        rise = 0.03 * inner
        centre = ((0.0, y - rise), (0.13, y - rise + 0.005), (0.26, y + 0.01))
        side = ((0.26, y + 0.01), (0.4, y), (0.52, y + 0.05))
        furrows += [Furrow(centre, middle, 0.018), Furrow(side, max(outer, 0.25 * age), 0.018)]
    return furrows


def _between_brows(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    x, y = m[21, 0] * 0.45, m[21, 1]
    upright = ((x + 0.02, y - 0.09), (x, y), (x - 0.01, y + 0.12))
    return [Furrow(upright, max(unit.get(4, 0.0), 0.15 * age), 0.024)]


def _around_eye(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    """Crow's feet and the furrow under the lower lid."""
    x, y = m[36]
    cheek, lid = unit.get(6, 0.0), unit.get(7, 0.0)
    feet = [
        Furrow(
            ((x + 0.05, y + dy), (x + 0.11, y + dy * 2.2), (x + 0.17, y + dy * 3.2)),
            max(cheek, 0.4 * age),
            0.014,
        )
        for dy in (-0.025, 0.008, 0.04)
    ]
    below = _beside(m[[39, 40, 41, 36]], (-0.01, 0.05), (0, 0.06), (0, 0.065), (0, 0.07))
    return [*feet, Furrow(below, max(0.9 * cheek, 0.7 * lid, 0.2 + 0.35 * age), 0.018)]


def _nose(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    """Level lines across the root and a slanted one down the side."""
    root, wrinkler = m[27, 1], unit.get(9, 0.0)
    across = [
        Furrow(
            ((0.0, root + dy), (0.06, root + dy + 0.01), (0.11, root + dy + 0.05)),
            wrinkler,
            0.02,
        )
        for dy in (0.0, 0.06, 0.12)
    ]
    down = ((0.09, root + 0.2), (0.14, root + 0.26), (0.17, root + 0.36))
    return [*across, Furrow(down, max(wrinkler, 0.1 * age), 0.02)]


def _cheek(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    """The fold from nose to mouth, the dimple, and the line that hangs from the corner."""
    wing, corner = m[31], m[48]
    raised = max(unit.get(9, 0.0), unit.get(10, 0.0), unit.get(12, 0.0))
    fold = _beside(
        np.stack([wing, (wing + corner) / 2, corner, corner]),
        (0.04, -0.04), (0.1, -0.05), (0.1, -0.04), (0.095, 0.07),
    )  # fmt: skip
    at_corner = np.stack([corner, corner, corner])
    pit = _beside(at_corner, (0.05, -0.07), (0.075, 0.0), (0.05, 0.07))
    droop = _beside(at_corner, (0.01, 0.01), (0.05, 0.07), (0.055, 0.15))
    return [
        Furrow(fold, max(raised, 0.1 + 0.45 * age), 0.026),
        Furrow(pit, 1.2 * unit.get(14, 0.0), 0.036),
        Furrow(droop, max(unit.get(15, 0.0), 0.2 * age), 0.024),
    ]


def _chin(m: Points, unit: Strengths, age: float) -> list[Furrow]:
    """The groove under the lower lip and the pits of a raised chin."""
    lip, raiser = m[57, 1], unit.get(17, 0.0)
    middle = (lip + m[8, 1]) / 2
    pits = [
        Furrow(
            ((x, middle + dy), (x + 0.02, middle + dy + 0.02), (x + 0.015, middle + dy + 0.05)),
            raiser,
            0.016,
        )
        for x, dy in ((0.02, 0.0), (0.07, 0.03), (0.11, -0.02))
    ]
    groove = ((0.0, lip + 0.04), (0.09, lip + 0.035), (0.17, lip + 0.01))
    return [*pits, Furrow(groove, max(raiser, unit.get(23, 0.0), 0.2 + 0.1 * age), 0.024)]


def _beside(points: Points, *shifts: tuple[float, float]) -> tuple[tuple[float, float], ...]:
    moved = points + np.array(shifts)
    return tuple((float(x), float(y)) for x, y in moved)
