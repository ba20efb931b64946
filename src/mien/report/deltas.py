"""Bjontegaard deltas of a strategy against the baseline, with their intervals."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.metrics import bjontegaard
from mien.metrics.curves import deltas
from mien.report.estimates import Points, estimate
from mien.report.statistics import Bjontegaard, Bounded, Delta, Pair, Shared

Floats = NDArray[np.float64]


def bjontegaard_of(baseline: Points, tested: Points) -> Bjontegaard:
    """Compare a strategy with the baseline, by the primary method and by all others."""
    smooth = bjontegaard.envelope(baseline.curve), bjontegaard.envelope(tested.curve)
    primary = bjontegaard.compare(*smooth)
    accuracy_samples, rate_samples = deltas(baseline.resampled, tested.resampled)
    return Bjontegaard(
        bd_accuracy=_bounded(primary.bd_accuracy, accuracy_samples),
        bd_rate=_bounded(primary.bd_rate, rate_samples),
        rate_overlap=_shared(primary.rate_overlap, logarithmic=True),
        accuracy_overlap=_shared(primary.accuracy_overlap, logarithmic=False),
        on_envelope=_by_method(*smooth),
        as_measured=_by_method(baseline.curve, tested.curve),
    )


def _bounded(delta: bjontegaard.Delta, samples: Floats) -> Bounded:
    found = estimate(delta.value, samples, delta.reason)
    return Bounded(**found.model_dump(), above=delta.above, below=delta.below)


def _shared(overlap: bjontegaard.Overlap, *, logarithmic: bool) -> Shared:
    ends = (overlap.low, overlap.high)
    low, high = (10**end if logarithmic and end is not None else end for end in ends)
    return Shared(
        fraction=overlap.fraction,
        baseline_points=overlap.anchor_points,
        points=overlap.test_points,
        low=low,
        high=high,
    )


def _by_method(baseline: bjontegaard.Curve, tested: bjontegaard.Curve) -> dict[str, Pair]:
    comparisons = {
        method: bjontegaard.compare(baseline, tested, method) for method in bjontegaard.METHODS
    }
    return {
        method: Pair(bd_accuracy=_figure(found.bd_accuracy), bd_rate=_figure(found.bd_rate))
        for method, found in comparisons.items()
    }


def _figure(delta: bjontegaard.Delta) -> Delta:
    return Delta(value=delta.value, reason=delta.reason)
