"""What BD-Accuracy averages: a strategy's curve less the baseline's, where both have one."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics.curves import LEAST_KNOTS, Curves, enveloped
from mien.report.axes import by_rate
from mien.report.statistics import Statistics
from mien.runs import PRETRAINED

Floats = NDArray[np.float64]

N_PLACES = 201  # along the shared range, evenly spaced in log rate


@dataclass(frozen=True)
class Gain:
    """The difference of two curves over the rates they share; its mean is BD-Accuracy."""

    rate: Floats  # [N_PLACES], bit/pixel
    points: Floats  # [N_PLACES], percentage points


def gain_of(statistics: Statistics, strategy: str) -> Gain | None:
    """Return a strategy's gain over the baseline, None if the curves share no range."""
    baseline, tested = (_curve(statistics, name) for name in (PRETRAINED, strategy))
    low = max(baseline.x[0, 0], tested.x[0, 0])
    high = min(baseline.x[0, -1], tested.x[0, -1])
    if not all(curve.kept.sum(axis=1)[0] >= LEAST_KNOTS for curve in (baseline, tested)):
        return None
    if high <= low:
        return None
    places = np.linspace(low, high, N_PLACES)
    return Gain(10**places, tested.at(places) - baseline.at(places))


def _curve(statistics: Statistics, strategy: str) -> Curves:
    """Return the envelope of the rate points, a row for every place it is read at."""
    runs = by_rate(statistics, strategy)
    points = np.array([[run.bpp, run.accuracy.value] for run in runs])
    return enveloped(*(np.tile(column, (N_PLACES, 1)) for column in points.T))
