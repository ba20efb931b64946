"""Many curves of accuracy over log10 rate at once: one row is one resample of the test images.

All are PCHIP curves on non-decreasing envelopes, as the primary Bjontegaard figures: their
differences over a range, their accuracy at a rate, the rate that an accuracy takes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import pchip

Floats = NDArray[np.float64]

TIE = 1e-9  # percentage points: block means that differ by rounding alone
LEAST_KNOTS = 2  # of an interpolant


@dataclass(frozen=True)
class Curves:
    """B curves of K knots, of which some are left out."""

    x: Floats  # [B, K], ascending
    y: Floats  # [B, K], non-decreasing
    kept: NDArray[np.bool_]  # [B, K]

    def turned(self) -> Curves:
        """Return x over y, with the first of equal y kept."""
        return Curves(self.y, self.x, np.diff(self.y, axis=1, prepend=-np.inf) > TIE)

    def integral(self, low: Floats, high: Floats) -> Floats:
        """Integrate every curve from `low` to `high`, [B]; NaN with fewer than two knots."""
        result = np.full(len(self.x), np.nan)
        for rows, x, y in self._of_equal_length(LEAST_KNOTS):
            result[rows] = pchip.integral(x, y, low[rows], high[rows])
        return result

    def at(self, place: Floats) -> Floats:
        """Return every curve's y at its own place, [B].

        Beyond the knots it is only known to be beyond the last y: -inf below, inf above. A
        curve without knots is NaN.
        """
        result = np.full(len(self.x), np.nan)
        for rows, x, y in self._of_equal_length(1):
            there = place[rows]
            inside = pchip.values(x, y, there) if x.shape[1] >= LEAST_KNOTS else y[:, 0]
            outside = np.where(there < x[:, 0], -np.inf, np.inf)
            result[rows] = np.where((there >= x[:, 0]) & (there <= x[:, -1]), inside, outside)
        return result

    def _of_equal_length(self, least: int) -> list[tuple[NDArray[np.bool_], Floats, Floats]]:
        """Return the rows of each number of knots, from `least` on, with their knots."""
        n_kept = self.kept.sum(axis=1)
        parts = []
        for n in np.unique(n_kept[n_kept >= least]):
            rows = n_kept == n
            kept = self.kept & rows[:, None]
            parts.append((rows, self.x[kept].reshape(-1, n), self.y[kept].reshape(-1, n)))
        return parts


def enveloped(rate: Floats, accuracy: Floats) -> Curves:
    """Return the non-decreasing curves of accuracy over log10 rate nearest to measured ones.

    A row in which two rates are equal has no curve over the rate: none of its knots are kept.

    Args:
        rate: [B, K], bit/pixel, in any order along K.
        accuracy: [B, K], percent.
    """
    order = np.argsort(rate, axis=1, kind="stable")
    log_rate = np.log10(np.take_along_axis(rate, order, axis=1))
    rising = isotonic_rows(np.take_along_axis(accuracy, order, axis=1))
    strict = (np.diff(log_rate, axis=1) > 0).all(axis=1)
    return Curves(log_rate, rising, np.repeat(strict[:, None], rate.shape[1], axis=1))


def isotonic_rows(values: Floats) -> Floats:
    """Return the nearest non-decreasing row to each row, [B, K], by the min-max formula.

    `g_i = max over j <= i of min over k >= i of mean(values[j..k])` (Robertson, Wright and
    Dykstra 1988), which has no loop over rows, unlike pool adjacent violators.
    """
    n = values.shape[1]
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0))), axis=1)
    rising = np.full(values.shape, -np.inf)
    for j in range(n):
        means = (sums[:, j + 1 :] - sums[:, [j]]) / np.arange(1, n - j + 1)
        lowest = np.minimum.accumulate(means[:, ::-1], axis=1)[:, ::-1]
        rising[:, j:] = np.maximum(rising[:, j:], lowest)
    return rising


def deltas(anchor: Curves, test: Curves) -> tuple[Floats, Floats]:
    """Return BD-Accuracy and BD-Rate of many pairs of curves.

    The figures of `bjontegaard.compare` by PCHIP row by row, a hundred times as fast.

    Returns:
        BD-Accuracy in percentage points, [B], and BD-Rate in percent, [B]; NaN where a row has
        none.
    """
    bd_accuracy = _mean_difference(anchor, test)
    exponent = _mean_difference(anchor.turned(), test.turned())
    with np.errstate(over="ignore"):
        bd_rate = 100 * (10**exponent - 1)
    return bd_accuracy, np.where(np.isfinite(bd_rate), bd_rate, np.nan)


def _mean_difference(anchor: Curves, test: Curves) -> Floats:
    """Return the mean of test minus anchor over the x that both cover, [B]."""
    means = common_means([anchor, test])[2]
    return np.asarray(means[1] - means[0])


def common_means(curves: Sequence[Curves]) -> tuple[Floats, Floats, Floats]:
    """Average curves over the x that all of them cover.

    Returns:
        The ends of that range, [B] each, `low` not below `high` where there is none, and the
        means, [len(curves), B], NaN there.
    """
    low = np.max([curve.x.min(axis=1) for curve in curves], axis=0)
    high = np.min([curve.x.max(axis=1) for curve in curves], axis=0)
    sums = np.array([curve.integral(low, high) for curve in curves])
    shared = np.broadcast_to(high > low, sums.shape)
    means = np.divide(sums, high - low, out=np.full(sums.shape, np.nan), where=shared)
    return low, high, means


def accuracy_at(curves: Curves, rate: float) -> Floats:
    """Return every curve's accuracy at a rate in bit/pixel, percent, [B].

    -inf where the rate is below the curve's lowest: the accuracy there is below that of the
    lowest; inf where it is above the highest; NaN where two rates are equal.
    """
    return curves.at(np.full(len(curves.x), np.log10(rate)))


def rate_at(curves: Curves, accuracy: Floats) -> Floats:
    """Return the lowest rate at which every curve has an accuracy, bit/pixel, [B].

    0 where the lowest rate has more than that: less than this rate would do; inf where the
    highest has less.

    Args:
        curves: [B, K].
        accuracy: Percent, [B]: one for each curve.
    """
    return np.asarray(10 ** curves.turned().at(accuracy), dtype=np.float64)
