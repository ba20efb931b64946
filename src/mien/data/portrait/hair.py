"""Hair, headscarves and beards: a ruled strip between a hairline and a silhouette, and strands.

`s` runs along the strip from the left tip over the crown to the right tip, `t` across it from
the hairline (0) to the silhouette (1), both in [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mien.data.portrait.canvas import Canvas, blend, curve, shifted
from mien.data.portrait.landmarks import Points
from mien.data.portrait.looks import Looks
from mien.data.portrait.shape import Head


@dataclass(frozen=True)
class Style:
    """One way to wear hair, symmetric: points from the tip to the crown as (outwards, y)."""

    hairline: tuple[tuple[float, float], ...]
    silhouette: tuple[tuple[float, float], ...]
    flow: Literal["across", "along", "curls", "folds"]
    falls: bool = False  # behind the neck and onto the shoulders


_SHORT_TOP = (
    (0.78, 0.14),
    (0.83, -0.15),
    (0.83, -0.55),
    (0.72, -0.92),
    (0.42, -1.16),
    (0, -1.22),
)
_TIGHT_TOP = (
    (0.75, 0.10),
    (0.77, -0.15),
    (0.76, -0.5),
    (0.64, -0.86),
    (0.38, -1.07),
    (0, -1.13),
)
STYLES = {
    "short": Style(
        ((0.75, 0.12), (0.72, -0.12), (0.67, -0.42), (0.55, -0.64), (0.3, -0.73), (0, -0.76)),
        _SHORT_TOP,
        "across",
    ),
    "parted": Style(
        ((0.75, 0.10), (0.72, -0.12), (0.66, -0.38), (0.56, -0.54), (0.36, -0.66), (0, -0.76)),
        ((0.79, 0.2), (0.86, -0.15), (0.88, -0.6), (0.76, -0.98), (0.44, -1.2), (0, -1.22)),
        "along",
    ),
    "fringe": Style(
        ((0.76, 0.3), (0.72, 0.0), (0.67, -0.26), (0.5, -0.38), (0.26, -0.41), (0, -0.4)),
        ((0.77, 0.42), (0.93, 0.1), (0.92, -0.5), (0.74, -0.95), (0.42, -1.18), (0, -1.24)),
        "across",
    ),
    "long": Style(
        ((0.68, 1.5), (0.74, 0.7), (0.72, 0.15), (0.64, -0.36), (0.4, -0.64), (0, -0.78)),
        ((1.05, 1.6), (1.0, 0.8), (0.94, 0.1), (0.9, -0.5), (0.64, -1.04), (0, -1.22)),
        "along",
        falls=True,
    ),
    "curly": Style(
        ((0.76, 0.3), (0.73, 0.0), (0.66, -0.36), (0.52, -0.58), (0.28, -0.68), (0, -0.7)),
        ((0.84, 0.42), (1.06, 0.1), (1.1, -0.55), (0.88, -1.08), (0.5, -1.34), (0, -1.4)),
        "curls",
    ),
    "receding": Style(
        ((0.75, 0.12), (0.73, -0.12), (0.68, -0.46), (0.56, -0.76), (0.34, -0.92), (0, -0.9)),
        _TIGHT_TOP,
        "across",
    ),
    "tied": Style(
        ((0.74, 0.02), (0.71, -0.14), (0.65, -0.42), (0.52, -0.62), (0.3, -0.72), (0, -0.76)),
        _TIGHT_TOP,
        "across",
    ),
    "scarf": Style(
        ((0.5, 1.1), (0.71, 0.6), (0.73, 0.1), (0.66, -0.36), (0.44, -0.6), (0, -0.68)),
        ((1.1, 1.6), (0.98, 0.8), (0.9, 0.1), (0.87, -0.5), (0.66, -1.0), (0, -1.2)),
        "folds",
        falls=True,
    ),
}  # fmt: skip
STRANDS = 150


@dataclass(frozen=True)
class Strip:
    """The area that hair covers, as two curves [n, 2] with matching points."""

    hairline: Points
    silhouette: Points

    def at(self, s: NDArray[np.float64], t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the points [..., 2] at positions along and across the strip."""
        along = np.clip(s, 0.0, 1.0) * (len(self.hairline) - 1)
        before = np.minimum(along.astype(int), len(self.hairline) - 2)
        share = (along - before)[..., None]
        inner = self.hairline[before] * (1 - share) + self.hairline[before + 1] * share
        outer = self.silhouette[before] * (1 - share) + self.silhouette[before + 1] * share
        return np.asarray(inner + (outer - inner) * t[..., None])

    def outline(self) -> Points:
        """Return the border of the strip [2n, 2]."""
        return np.concatenate([self.hairline, self.silhouette[::-1]])


def hair_strip(head: Head, looks: Looks) -> Strip | None:
    """Return where a person's hair lies in front of the head, or nothing for a bald one."""
    if looks.hair_style == "bald":
        return None
    style = STYLES[looks.hair_style]
    hairline = _both_sides(style.hairline, looks.parting)
    silhouette = _both_sides(style.silhouette, 0.3 * looks.parting)
    silhouette = hairline + (silhouette - hairline) * (0.75 + 0.25 * looks.volume)
    fit = np.array([head.half_width / 0.74, 1.0])
    rise = np.where(silhouette[:, 1:] < -0.5, head.crown + 1.1, 0.0) * (0.0, 1.0)
    return Strip(curve(hairline * fit), curve(silhouette * fit + rise))


def paint_back_hair(canvas: Canvas, strip: Strip | None, looks: Looks) -> None:
    """Paint the hair that hangs behind the head and neck."""
    if strip is None:
        return
    falls = STYLES[looks.hair_style].falls
    bottom = np.array([[0.8, 2.0], [-0.8, 2.0]]) if falls else np.empty((0, 2))
    canvas.fill(np.concatenate([strip.silhouette, bottom]), looks.hair * 0.55)
    if looks.hair_style == "tied":
        top = strip.silhouette[len(strip.silhouette) // 2]
        angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
        knot = np.stack([np.cos(angle) * 0.3, np.sin(angle) * 0.22], axis=1)
        canvas.fill(top + knot, looks.hair * 0.8)


def paint_hair(
    canvas: Canvas, strip: Strip | None, looks: Looks, rng: np.random.Generator
) -> None:
    """Paint the hair in front of the head, strand by strand over a ground."""
    if strip is None:
        return
    canvas.fill(strip.outline(), looks.hair * 0.72)
    flow = STYLES[looks.hair_style].flow
    s, t = _FLOWS[flow](rng)
    tones = rng.lognormal(0.02, 0.24 if flow != "folds" else 0.1, (len(s), 1))
    shine = np.clip(1 - np.abs(s.mean(axis=1) - rng.uniform(0.3, 0.7)) * 5, 0, 1)[:, None]
    colours = looks.hair * tones + 26 * shine * (rng.uniform(size=(len(s), 1)) < 0.5)
    width, opacity = {"folds": (0.07, 0.35), "curls": (0.03, 0.6)}.get(flow, (0.022, 0.5))
    canvas.strokes(strip.at(s, t), colours, width, opacity)


def paint_beard(canvas: Canvas, marks: Points, looks: Looks, rng: np.random.Generator) -> None:
    """Paint beard and moustache, which follow the jaw and the upper lip of `marks` [68, 2]."""
    colour = blend(looks.hair * 0.8, looks.skin * 0.5, 0.25)
    if looks.beard > 0:
        centre = np.array([0.0, 0.5])
        jaw = curve(marks[1:16], steps=3)
        reach = 0.92 - 0.22 * np.sin(np.linspace(0, np.pi, len(jaw))) ** 4
        strip = Strip(centre + (jaw - centre) * reach[:, None], centre + (jaw - centre) * 1.03)
        canvas.fill(strip.outline(), colour, 0.25 + 0.35 * looks.beard)
        _bristles(canvas, strip, colour, looks.beard, 240, rng)
    if looks.moustache > 0:
        lip = curve(marks[48:55], steps=4)
        rise = 0.05 + 0.06 * np.sin(np.linspace(0, np.pi, len(lip)))
        strip = Strip(lip - np.stack([0 * rise, rise], axis=1), shifted(lip, 0.0, 0.012))
        canvas.fill(strip.outline(), colour, 0.5 * looks.moustache)
        _bristles(canvas, strip, colour, looks.moustache, 90, rng)


def _bristles(
    canvas: Canvas,
    strip: Strip,
    colour: NDArray[np.float64],
    density: float,
    count: int,
    rng: np.random.Generator,
) -> None:
    s = rng.uniform(0, 1, (count, 1)) + rng.normal(0, 0.005, (count, 1)) * np.arange(2)
    t = rng.uniform(-0.15, 0.9, (count, 1)) + np.array([0.0, 0.2])
    tones = rng.lognormal(0.1, 0.3, (count, 1))
    canvas.strokes(strip.at(s, t), colour * tones, 0.012, 0.2 + 0.35 * density)


Flow = tuple[NDArray[np.float64], NDArray[np.float64]]  # s and t, each [strands, points]


def _across(rng: np.random.Generator) -> Flow:
    """Strands combed from the hairline back over the head."""
    t = np.linspace(-0.06, 1.03, 6) * rng.uniform(0.5, 1.0, (STRANDS, 1))
    t = t + rng.uniform(0.0, 0.5, (STRANDS, 1)) * (1 - t[:, -1:])
    lean = rng.normal(rng.normal(0.0, 0.06), 0.02, (STRANDS, 1))
    s = rng.uniform(0.0, 1.0, (STRANDS, 1)) + lean * t
    return s, np.asarray(t)


def _along(rng: np.random.Generator) -> Flow:
    """Strands that fall from the parting to the tips, on either side of it."""
    length = np.linspace(0.0, 1.0, 8)
    side = np.where(rng.uniform(size=(STRANDS, 1)) < 0.5, -0.5, 0.5)
    start, stop = rng.uniform(0.0, 0.35, (STRANDS, 1)), rng.uniform(0.6, 1.0, (STRANDS, 1))
    t = rng.uniform(-0.02, 1.03, (STRANDS, 1)) + rng.normal(0, 0.05, (STRANDS, 1)) * length
    return 0.5 + side * (start + (stop - start) * length), t


def _curls(rng: np.random.Generator) -> Flow:
    """Small arcs everywhere, a little over the silhouette too."""
    angle = rng.uniform(0, 2 * np.pi, (2 * STRANDS, 1)) + np.linspace(0, 4.0, 6)
    s = rng.uniform(0.01, 0.99, (2 * STRANDS, 1)) + 0.009 * np.cos(angle)
    return s, rng.uniform(0.05, 0.97, (2 * STRANDS, 1)) + 0.08 * np.sin(angle)


def _folds(rng: np.random.Generator) -> Flow:
    """A few broad folds of cloth around the face."""
    length = np.linspace(0.0, 1.0, 14)
    start, stop = rng.uniform(0.0, 0.3, (26, 1)), rng.uniform(0.6, 1.0, (26, 1))
    t = rng.uniform(0.0, 1.0, (26, 1)) + rng.normal(0, 0.15, (26, 1)) * np.sin(3 * length)
    return start + (stop - start) * length, np.clip(t, 0.0, 1.0)


_FLOWS = {"across": _across, "along": _along, "curls": _curls, "folds": _folds}


def _both_sides(points: tuple[tuple[float, float], ...], centre_x: float) -> Points:
    left = np.array(points) * (-1.0, 1.0)
    right = np.array(points)[-2::-1]
    whole = np.concatenate([left, right])
    near = np.abs(np.arange(len(whole)) - len(points) + 1) <= 1
    return np.asarray(whole + np.where(near[:, None], (centre_x * 0.6, 0.0), (0.0, 0.0)))
