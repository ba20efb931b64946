"""Bjontegaard deltas of a strategy against the baseline, with their intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics import bjontegaard
from mien.metrics.bootstrap import interval
from mien.report.statistics import Bjontegaard, Delta, Estimate, Measured, Pair, Shared

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """The K rate points of one strategy, as measured and on B resamples of the test images."""

    rate: Floats  # [K], bit/pixel
    accuracy: Floats  # [K], percent
    resampled_rate: Floats  # [B, K]
    resampled_accuracy: Floats  # [B, K]

    @property
    def curve(self) -> bjontegaard.Curve:
        """The measured points, by ascending rate."""
        return bjontegaard.curve(self.rate, self.accuracy)


def estimate(value: float | None, samples: Floats, reason: str | None = None) -> Estimate:
    """Return a value with its interval; a value that is not there has no interval either.

    Args:
        value: On all test images; None with a `reason`.
        samples: The same on every resample, [B]; NaN where it has none.
        reason: Why there is no value.
    """
    found = interval(samples)
    low, high = (None, None) if value is None else (found.low, found.high)
    return Estimate(value=value, low=low, high=high, absent=found.absent, reason=reason)


def measured(value: float, samples: Floats) -> Measured:
    """Return a value with its interval, where no resample can be without one."""
    return Measured.model_validate(estimate(value, samples).model_dump())


def bjontegaard_of(baseline: Points, tested: Points) -> Bjontegaard:
    """Compare a strategy with the baseline, by the primary method and by all others."""
    smooth = bjontegaard.envelope(baseline.curve), bjontegaard.envelope(tested.curve)
    primary = bjontegaard.compare(*smooth)
    accuracy_samples, rate_samples = bjontegaard.resampled_deltas(
        baseline.resampled_rate,
        baseline.resampled_accuracy,
        tested.resampled_rate,
        tested.resampled_accuracy,
    )
    bd_accuracy, bd_rate = primary.bd_accuracy, primary.bd_rate
    return Bjontegaard(
        bd_accuracy=estimate(bd_accuracy.value, accuracy_samples, bd_accuracy.reason),
        bd_rate=estimate(bd_rate.value, rate_samples, bd_rate.reason),
        rate_overlap=_shared(primary.rate_overlap),
        accuracy_overlap=_shared(primary.accuracy_overlap),
        on_envelope=_by_method(*smooth),
        as_measured=_by_method(baseline.curve, tested.curve),
    )


def _shared(overlap: bjontegaard.Overlap) -> Shared:
    return Shared(
        fraction=overlap.fraction,
        baseline_points=overlap.anchor_points,
        points=overlap.test_points,
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
