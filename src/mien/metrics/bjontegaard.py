"""Bjontegaard deltas between two curves of accuracy over log10 rate.

    (rate, accuracy) points --isotonic--> non-decreasing envelope --pchip--> mean difference

Accuracy is an average over a few thousand images and often falls a little from one rate to
the next. Interpolants that need a monotone curve (pchip and akima for BD-Rate) then refuse it,
and a cubic returns something whatever it is given, so the primary figures are taken on the
isotonic envelope (pool adjacent violators). The delta itself is the `bjontegaard` package's.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from bjontegaard import bd_psnr
from bjontegaard import bd_rate as library_bd_rate
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from mien.metrics import pchip

Floats = NDArray[np.float64]

METHODS = ("pchip", "akima", "cubic")
PRIMARY = "pchip"
LEAST_POINTS = {"pchip": 2, "akima": 2, "cubic": 4}
TIE = 1e-9  # percentage points: block means that differ by rounding alone


@dataclass(frozen=True)
class Curve:
    """Rate points of one codec, in ascending rate."""

    rate: Floats  # [K], bit/pixel, above 0
    accuracy: Floats  # [K], percent


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard delta, or the reason why there is none; exactly one of them is set."""

    value: float | None
    reason: str | None


@dataclass(frozen=True)
class Overlap:
    """What two curves share of the range they are compared over."""

    fraction: float  # of the range that both together cover, 0..1
    anchor_points: int  # measured points of the anchor inside it
    test_points: int


@dataclass(frozen=True)
class Comparison:
    """Everything there is to say about a test curve against an anchor, by one method."""

    bd_accuracy: Delta  # percentage points; positive is better
    bd_rate: Delta  # percent of the anchor's rate; negative is better
    rate_overlap: Overlap  # of log10 rate, which BD-Accuracy averages over
    accuracy_overlap: Overlap  # of accuracy, which BD-Rate averages over


def curve(rate: Floats, accuracy: Floats) -> Curve:
    """Return the curve through the given points, sorted by rate.

    Raises:
        ValueError: If the lengths differ, there is no point, or a rate is not above 0.
    """
    if len(rate) != len(accuracy) or len(rate) == 0:
        raise ValueError(f"{len(rate)} rates and {len(accuracy)} accuracies")
    if not np.all(rate > 0):
        raise ValueError(f"a rate is not above 0: {rate}")
    order = np.argsort(rate, kind="stable")
    return Curve(rate[order], accuracy[order])


def envelope(measured: Curve) -> Curve:
    """Return the non-decreasing curve nearest to a measured one (least squares)."""
    return Curve(measured.rate, isotonic_regression(measured.accuracy).x)


def compare(anchor: Curve, test: Curve, method: str = PRIMARY) -> Comparison:
    """Compare two curves as they are given; the primary figures are those of their envelopes.

    Of equal neighbouring accuracies BD-Rate keeps the one with the lowest rate: the rate at
    which that accuracy is reached.

    Args:
        anchor: The baseline.
        test: What is compared with it.
        method: `pchip`, `akima` or `cubic`.
    """
    log_anchor, log_test = np.log10(anchor.rate), np.log10(test.rate)
    first, first_test = _first_of_ties(anchor), _first_of_ties(test)
    return Comparison(
        bd_accuracy=_refusal(log_anchor, log_test, method, "rate")
        or _delta(bd_psnr, anchor, test, method),
        bd_rate=_refusal(first.accuracy, first_test.accuracy, method, "accuracy")
        or _delta(library_bd_rate, first, first_test, method),
        rate_overlap=_overlap(log_anchor, log_test),
        accuracy_overlap=_overlap(anchor.accuracy, test.accuracy),
    )


def _first_of_ties(points: Curve) -> Curve:
    kept = np.append(True, np.abs(np.diff(points.accuracy)) > TIE)
    return Curve(points.rate[kept], points.accuracy[kept])


def _refusal(anchor: Floats, test: Floats, method: str, quantity: str) -> Delta | None:
    """Return why two curves have no delta over `quantity`, their abscissa, or None."""
    for name, values in (("baseline", anchor), ("tested", test)):
        if len(values) < LEAST_POINTS[method]:
            return Delta(
                None,
                f"the {name} curve has {len(values)} distinct points, {method} needs "
                f"{LEAST_POINTS[method]}",
            )
        # The cubic is a least-squares fit: it needs a direction, not a monotone curve.
        steps = np.diff(values) if method != "cubic" else values[[-1]] - values[0]
        if not np.all(steps > 0):
            return Delta(None, f"the {quantity} of the {name} curve does not increase")
    if _overlap(anchor, test).fraction == 0:
        return Delta(None, f"the curves share no range of {quantity}")
    return None


def _delta(function: Callable[..., float], anchor: Curve, test: Curve, method: str) -> Delta:
    points = anchor.rate, anchor.accuracy, test.rate, test.accuracy
    with warnings.catch_warnings(), np.errstate(over="ignore", invalid="ignore"):
        warnings.simplefilter("error", np.RankWarning)
        try:
            value = function(*points, method, require_matching_points=False, min_overlap=0)
        except np.RankWarning:
            return Delta(None, f"the points lie too close together for {method}")
    if not math.isfinite(value):
        return Delta(None, f"{method} overshoots beyond all numbers")
    return Delta(float(value), None)


def _overlap(anchor: Floats, test: Floats) -> Overlap:
    low, high = max(anchor.min(), test.min()), min(anchor.max(), test.max())
    union = max(anchor.max(), test.max()) - min(anchor.min(), test.min())
    if high <= low:
        return Overlap(0.0, 0, 0)
    inside = (int(((values >= low) & (values <= high)).sum()) for values in (anchor, test))
    return Overlap(float((high - low) / union), *inside)


def resampled_deltas(
    anchor_rate: Floats, anchor_accuracy: Floats, test_rate: Floats, test_accuracy: Floats
) -> tuple[Floats, Floats]:
    """Return BD-Accuracy and BD-Rate of many pairs of curves: pchip on their envelopes.

    The figures of `compare(envelope(anchor), envelope(test))` row by row, a hundred times as
    fast.

    Args:
        anchor_rate: [B, K], bit/pixel, in any order along K.
        anchor_accuracy: [B, K], percent.
        test_rate: [B, J].
        test_accuracy: [B, J].

    Returns:
        BD-Accuracy in percentage points, [B], and BD-Rate in percent, [B]; NaN where a row has
        none.
    """
    anchor = _enveloped(anchor_rate, anchor_accuracy)
    test = _enveloped(test_rate, test_accuracy)
    bd_accuracy = _mean_difference(anchor, test)
    exponent = _mean_difference(anchor.turned(), test.turned())
    with np.errstate(over="ignore"):
        bd_rate = 100 * (10**exponent - 1)
    return bd_accuracy, np.where(np.isfinite(bd_rate), bd_rate, np.nan)


@dataclass(frozen=True)
class _Curves:
    """Many curves of K knots, of which some are left out."""

    x: Floats  # [B, K]
    y: Floats  # [B, K]
    kept: NDArray[np.bool_]  # [B, K]

    def turned(self) -> _Curves:
        """Return x over y, with the first of equal y kept."""
        return _Curves(self.y, self.x, np.diff(self.y, axis=1, prepend=-np.inf) > TIE)

    def integral(self, low: Floats, high: Floats) -> Floats:
        """Integrate every curve, [B]; NaN for one of fewer than two knots."""
        result = np.full(len(self.x), np.nan)
        n_kept = self.kept.sum(axis=1)
        for n in range(LEAST_POINTS["pchip"], self.x.shape[1] + 1):
            rows = n_kept == n  # curves of equal length form one array
            kept = self.kept & rows[:, None]
            x, y = self.x[kept].reshape(-1, n), self.y[kept].reshape(-1, n)
            result[rows] = pchip.integral(x, y, low[rows], high[rows])
        return result


def _enveloped(rate: Floats, accuracy: Floats) -> _Curves:
    order = np.argsort(rate, axis=1, kind="stable")
    log_rate = np.log10(np.take_along_axis(rate, order, axis=1))
    rising = isotonic_rows(np.take_along_axis(accuracy, order, axis=1))
    strict = (np.diff(log_rate, axis=1) > 0).all(axis=1)
    return _Curves(log_rate, rising, np.repeat(strict[:, None], rate.shape[1], axis=1))


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


def _mean_difference(anchor: _Curves, test: _Curves) -> Floats:
    """Return the mean of test minus anchor over the x that both cover, [B]."""
    low = np.maximum(anchor.x.min(axis=1), test.x.min(axis=1))
    high = np.minimum(anchor.x.max(axis=1), test.x.max(axis=1))
    gain = test.integral(low, high) - anchor.integral(low, high)
    return np.divide(gain, high - low, out=np.full(len(gain), np.nan), where=high > low)
