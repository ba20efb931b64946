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
from dataclasses import dataclass, replace

import numpy as np
from bjontegaard import bd_psnr
from bjontegaard import bd_rate as library_bd_rate
from numpy.typing import NDArray
from scipy.optimize import isotonic_regression

from mien.metrics.curves import TIE

Floats = NDArray[np.float64]

METHODS = ("pchip", "akima", "cubic")
PRIMARY = "pchip"
_APART = "the curves share no range of {}"
LEAST_POINTS = {"pchip": 2, "akima": 2, "cubic": 4}


@dataclass(frozen=True)
class Curve:
    """Rate points of one codec, in ascending rate."""

    rate: Floats  # [K], bit/pixel, above 0
    accuracy: Floats  # [K], percent


@dataclass(frozen=True)
class Delta:
    """A Bjontegaard delta, or the reason why there is none; exactly one of them is set.

    Curves that share no range have no delta, which is a mean over one, but where they rise they
    still bound the difference at the end where they come nearest: it is `above` or `below` a
    number. At most one of the two is set, and only without a value.
    """

    value: float | None
    reason: str | None
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True)
class Overlap:
    """What two curves share of the range they are compared over."""

    fraction: float  # of the range that both together cover, 0..1
    anchor_points: int  # measured points of the anchor inside it
    test_points: int
    low: float | None = None  # of the shared range; None: there is none
    high: float | None = None


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
    no_rate = _refusal(log_anchor, log_test, method, "rate")
    no_accuracy = _refusal(first.accuracy, first_test.accuracy, method, "accuracy")
    return Comparison(
        bd_accuracy=_accuracy_bound(no_rate, anchor, test)
        if no_rate
        else _delta(bd_psnr, anchor, test, method),
        bd_rate=_rate_bound(no_accuracy, anchor, test)
        if no_accuracy
        else _delta(library_bd_rate, first, first_test, method),
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
        return Delta(None, _APART.format(quantity))
    return None


def _accuracy_bound(refusal: Delta, anchor: Curve, test: Curve) -> Delta:
    """Add the bound that curves without a shared rate leave of their difference in accuracy.

    The nearer end of each, at a rate the other does not have, is a bound of what it would have
    there: between two rates a rising curve is nowhere above its end or below its start.
    """
    if refusal.reason != _APART.format("rate") or not (_rises(anchor) and _rises(test)):
        return refusal
    if test.rate[0] >= anchor.rate[-1]:
        return replace(refusal, below=float(test.accuracy[0] - anchor.accuracy[-1]))
    return replace(refusal, above=float(test.accuracy[-1] - anchor.accuracy[0]))


def _rate_bound(refusal: Delta, anchor: Curve, test: Curve) -> Delta:
    """Add the bound that curves without a shared accuracy leave of their ratio of rates."""
    if refusal.reason != _APART.format("accuracy") or not (_rises(anchor) and _rises(test)):
        return refusal
    if test.accuracy[0] >= anchor.accuracy[-1]:  # at the anchor's best accuracy
        ratio = test.rate[0] / _first_of_ties(anchor).rate[-1]
        return replace(refusal, below=float(100 * (ratio - 1)))
    ratio = test.rate[-1] / anchor.rate[0]  # at the anchor's worst
    return replace(refusal, above=float(100 * (ratio - 1)))


def _rises(points: Curve) -> bool:
    return bool(np.all(np.diff(points.accuracy) >= 0))


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
    inside = [int(((values >= low) & (values <= high)).sum()) for values in (anchor, test)]
    share = float((high - low) / union)
    return Overlap(share, inside[0], inside[1], float(low), float(high))
