"""A curve read at fixed rates and at fixed accuracies, or on which side of it those lie."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.metrics.bootstrap import open_interval
from mien.metrics.curves import accuracy_at, rate_at
from mien.report.estimates import Points
from mien.report.statistics import Bounded, Targets

Floats = NDArray[np.float64]

RATES = (0.05, 0.1, 0.2, 0.5)  # bit/pixel
SHORTFALLS = {"raw": 0.0, "raw-1": 1.0}  # percentage points below the raw images' accuracy


def targets_of(points: Points, raw: float, resampled_raw: Floats) -> Targets:
    """Read one strategy's curve.

    Args:
        points: Its rate points.
        raw: What the pretrained classifier recognises of the raw images, percent: one target
            for all strategies.
        resampled_raw: The same on every resample, [B].
    """
    return Targets(
        accuracy={f"{rate:g}": _accuracy(points, rate) for rate in RATES},
        rate={
            name: _rate(points, raw - points_less, resampled_raw - points_less)
            for name, points_less in SHORTFALLS.items()
        },
    )


def _accuracy(points: Points, rate: float) -> Bounded:
    value = float(accuracy_at(points.whole, rate)[0])
    samples = accuracy_at(points.resampled, rate)
    if np.isnan(value):
        return _absent("two rate points have one rate")
    lowest, highest = points.rate.min(), points.rate.max()
    if value == -np.inf:
        reason = f"the lowest measured rate is {lowest:.3f} bit/pixel"
        return _beyond(reason, samples, below=points.whole.y[0, 0])
    if value == np.inf:
        reason = f"the highest measured rate is {highest:.3f} bit/pixel"
        return _beyond(reason, samples, above=points.whole.y[0, -1])
    return _found(value, samples)


def _rate(points: Points, accuracy: float, resampled: Floats) -> Bounded:
    value = float(rate_at(points.whole, np.array([accuracy]))[0])
    samples = rate_at(points.resampled, resampled)
    samples[samples == 0] = -np.inf
    if value == 0:
        reason = f"the lowest measured rate has more than {accuracy:.2f} %"
        return _beyond(reason, samples, below=points.rate.min())
    if value == np.inf:
        reason = f"no measured rate has {accuracy:.2f} %"
        return _beyond(reason, samples, above=points.rate.max())
    return _found(value, samples)


def _found(value: float, samples: Floats) -> Bounded:
    interval = open_interval(samples)
    return Bounded(
        value=value, low=interval.low, high=interval.high, absent=interval.absent, reason=None
    )


def _beyond(
    reason: str, samples: Floats, above: float | None = None, below: float | None = None
) -> Bounded:
    interval = open_interval(samples)
    return Bounded(
        value=None,
        low=interval.low,
        high=interval.high,
        absent=interval.absent,
        reason=reason,
        above=above,
        below=below,
    )


def _absent(reason: str) -> Bounded:
    return Bounded(value=None, low=None, high=None, absent=1.0, reason=reason)
