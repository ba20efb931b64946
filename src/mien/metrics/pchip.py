"""Many PCHIP curves at once, their values and integrals: what the bootstrap spends its time on.

The same piecewise cubic Hermite interpolant as `scipy.interpolate.PchipInterpolator`
(Fritsch and Butland 1984, doi:10.1137/0905021, with its three-point end slopes), which takes
one curve at a time because every curve has its own abscissae.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def integral(x: Floats, y: Floats, low: Floats, high: Floats) -> Floats:
    """Integrate the PCHIP curve of every row over that row's interval.

    Args:
        x: Abscissae, [B, K], strictly increasing along K, K >= 2.
        y: Ordinates, [B, K].
        low: Lower bounds, [B], within the row's abscissae.
        high: Upper bounds, [B], likewise.

    Returns:
        Integrals, [B]; `inf` or NaN where a row breaks these rules.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        width = np.diff(x, axis=1)
        slopes = _slopes(width, np.diff(y, axis=1) / width)
        start, stop = (
            np.clip((bound[:, None] - x[:, :-1]) / width, 0.0, 1.0) for bound in (low, high)
        )
        upper = _antiderivative(stop, y, slopes, width)
        lower = _antiderivative(start, y, slopes, width)
        total: Floats = (width * (upper - lower)).sum(axis=1)
        return total


def values(x: Floats, y: Floats, at: Floats) -> Floats:
    """Return the PCHIP curve of every row at that row's abscissa.

    Args:
        x: Abscissae, [B, K], strictly increasing along K, K >= 2.
        y: Ordinates, [B, K].
        at: Abscissae asked for, [B]; beyond the row's own, its end counts.

    Returns:
        Ordinates, [B].
    """
    width = np.diff(x, axis=1)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        slopes = _slopes(width, np.diff(y, axis=1) / width)
    piece = np.clip((x <= at[:, None]).sum(axis=1) - 1, 0, x.shape[1] - 2)[:, None]

    def pick(array: Floats, offset: int = 0) -> Floats:
        return np.asarray(np.take_along_axis(array, piece + offset, axis=1)[:, 0])

    t = np.clip((at - pick(x)) / pick(width), 0.0, 1.0)
    t2, t3 = t**2, t**3
    rise = (t3 - 2 * t2 + t) * pick(slopes) + (t3 - t2) * pick(slopes, 1)
    blend = 3 * t2 - 2 * t3
    curve: Floats = pick(y) * (1 - blend) + pick(y, 1) * blend + rise * pick(width)
    return curve


def _antiderivative(t: Floats, y: Floats, slopes: Floats, width: Floats) -> Floats:
    """Integrate each Hermite piece from its left knot to the fraction `t` of it, [B, K-1]."""
    left, right = y[:, :-1], y[:, 1:]
    rise_left, rise_right = width * slopes[:, :-1], width * slopes[:, 1:]
    t2, t3, t4 = t**2, t**3, t**4
    values: Floats = left * (t - t3 + t4 / 2) + right * (t3 - t4 / 2)
    rises: Floats = rise_left * (t2 / 2 - 2 * t3 / 3 + t4 / 4) + rise_right * (t4 / 4 - t3 / 3)
    return values + rises


def _slopes(width: Floats, secant: Floats) -> Floats:
    """Return the slope at every knot, [B, K], from the K-1 widths and secants."""
    if width.shape[1] == 1:
        return np.repeat(secant, 2, axis=1)
    before, after = secant[:, :-1], secant[:, 1:]
    weight_before = 2 * width[:, 1:] + width[:, :-1]
    weight_after = width[:, 1:] + 2 * width[:, :-1]
    harmonic = (weight_before + weight_after) / (weight_before / before + weight_after / after)
    inner = np.where(before * after > 0, harmonic, 0.0)
    first = _end_slope(width[:, 0], width[:, 1], secant[:, 0], secant[:, 1])
    last = _end_slope(width[:, -1], width[:, -2], secant[:, -1], secant[:, -2])
    return np.column_stack([first, inner, last])


def _end_slope(width: Floats, next_width: Floats, secant: Floats, beyond: Floats) -> Floats:
    """Return the three-point slope at an end, limited so that the curve keeps its shape, [B].

    Args:
        width: Of the outermost piece, [B].
        next_width: Of its neighbour, [B].
        secant: Of the outermost piece, [B].
        beyond: The secant of its neighbour, [B].
    """
    slope = ((2 * width + next_width) * secant - width * beyond) / (width + next_width)
    turns = np.sign(secant) != np.sign(beyond)
    limited = np.where(turns & (abs(slope) > 3 * abs(secant)), 3 * secant, slope)
    return np.where(np.sign(slope) != np.sign(secant), 0.0, limited)
