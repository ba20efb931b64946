"""Antialiased drawing in face coordinates: smooth curves, filled outlines, strokes of a pen."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import aggdraw
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.portrait.landmarks import Points

Colour = NDArray[np.float64]  # [3]: red, green, blue in 0..255


class Canvas:
    """A picture that is drawn on in face coordinates; lengths are face units too.

    Args:
        image: Mode RGB or L; it changes when the block that uses the canvas ends.
        place: Face coordinates [n, 2] to pixels [n, 2].
        pixels: Pixels per face unit, for the width of a pen.
    """

    def __init__(
        self, image: Image.Image, place: Callable[[Points], Points], pixels: float
    ) -> None:
        self._draw = aggdraw.Draw(image)
        self._place = place
        self._pixels = pixels

    def __enter__(self) -> Canvas:
        return self

    def __exit__(self, *exception: object) -> None:
        self._draw.flush()

    def fill(self, outline: Points, colour: Colour | float, opacity: float = 1.0) -> None:
        """Fill a closed outline [n, 2]; opacity in [0, 1]."""
        brush = aggdraw.Brush(_rgb(colour), _alpha(opacity))
        self._draw.polygon(self._place(outline).ravel().tolist(), None, brush)

    def stroke(
        self, line: Points, colour: Colour | float, width: float, opacity: float = 1.0
    ) -> None:
        """Draw a line [n, 2] with a pen of one width; opacity in [0, 1]."""
        pen = aggdraw.Pen(_rgb(colour), width * self._pixels, _alpha(opacity))
        self._draw.line(self._place(line).ravel().tolist(), pen)

    def strokes(
        self,
        lines: NDArray[np.float64],
        colours: NDArray[np.float64],
        width: float | NDArray[np.float64],
        opacity: float | NDArray[np.float64],
    ) -> None:
        """Draw many lines [k, n, 2], each in its own colour [k, 3]; much faster than `stroke`.

        Args:
            width: One for all or one for each [k].
            opacity: One for all or one for each [k].
        """
        k, n, _ = lines.shape
        placed = self._place(lines.reshape(k * n, 2)).reshape(k, n * 2).tolist()
        widths = np.broadcast_to(np.asarray(width) * self._pixels, k).tolist()
        alphas = np.broadcast_to(opacity, k).tolist()
        for line, colour, w, a in zip(placed, _bytes(colours), widths, alphas, strict=True):
            self._draw.line(line, aggdraw.Pen(tuple(colour), w, _alpha(a)))


def curve(points: Points, closed: bool = False, steps: int = 6) -> Points:
    """Return the Catmull-Rom curve through points [n, 2], `steps` samples per segment."""
    if closed:
        around = np.concatenate([points[-1:], points, points[:2]])
    else:
        before, after = 2 * points[0] - points[1], 2 * points[-1] - points[-2]
        around = np.concatenate([before[None], points, after[None]])
    windows = np.stack([around[i : len(around) - 3 + i] for i in range(4)])
    samples = np.einsum("sk,knd->nsd", _catmull_rom(steps), windows).reshape(-1, 2)
    return samples if closed else np.concatenate([samples, points[-1:]])


def shifted(points: Points, right: float, down: float) -> Points:
    """Return points [..., 2] moved by a constant."""
    return np.asarray(points + np.array([right, down]))


def ellipse(centre: Points, radii: tuple[float, float], n: int = 28) -> Points:
    """Return an upright ellipse [n, 2]."""
    angle = np.linspace(0.0, 2 * np.pi, n, endpoint=False)
    return np.asarray(centre + np.stack([np.cos(angle), np.sin(angle)], axis=1) * radii)


def blend(a: Colour, b: Colour | tuple[float, float, float], share: float) -> Colour:
    """Return colour `a` with `share` of it replaced by `b`."""
    return np.asarray(a * (1.0 - share) + np.asarray(b, dtype=float) * share)


@cache
def _catmull_rom(steps: int) -> NDArray[np.float64]:
    t = np.arange(steps) / steps
    powers = np.stack([np.ones(steps), t, t**2, t**3], axis=1)
    basis = np.array([[0, 2, 0, 0], [-1, 0, 1, 0], [2, -5, 4, -1], [-1, 3, -3, 1]]) / 2
    return np.asarray(powers @ basis)


def _bytes(colours: NDArray[np.float64]) -> list[list[int]]:
    listed: list[list[int]] = np.clip(colours, 0, 255).astype(int).tolist()
    return listed


def _rgb(colour: Colour | float) -> tuple[int, ...]:
    return tuple(_bytes(np.broadcast_to(np.asarray(colour, dtype=float), (1, 3)))[0])


def _alpha(opacity: float) -> int:
    return round(255 * min(max(opacity, 0.0), 1.0))
