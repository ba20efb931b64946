"""Values with their intervals, and the rate points of a strategy that most are read from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mien.metrics import bjontegaard
from mien.metrics.bootstrap import interval
from mien.metrics.curves import Curves, enveloped
from mien.report.resampled import Sampled
from mien.report.statistics import Estimate, Measured

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Points:
    """The K rate points of one strategy, as measured and on B resamples of the test images."""

    rate: Floats  # [K], bit/pixel
    accuracy: Floats  # [K], percent
    resampled_rate: Floats  # [B, K]
    resampled_accuracy: Floats  # [B, K]

    @classmethod
    def of(cls, samples: Sequence[Sampled]) -> Points:
        """Return the rate points of so many runs."""
        return cls(
            rate=np.array([point.whole.bpp for point in samples]),
            accuracy=np.array([point.whole.decoded.accuracy for point in samples]),
            resampled_rate=np.column_stack([point.resamples.bpp for point in samples]),
            resampled_accuracy=np.column_stack(
                [point.resamples.decoded.accuracy for point in samples]
            ),
        )

    @property
    def curve(self) -> bjontegaard.Curve:
        """The measured points, by ascending rate."""
        return bjontegaard.curve(self.rate, self.accuracy)

    @cached_property
    def whole(self) -> Curves:
        """The envelope of the measured points: one row."""
        return enveloped(self.rate[None], self.accuracy[None])

    @cached_property
    def resampled(self) -> Curves:
        """The envelopes of all resamples: B rows."""
        return enveloped(self.resampled_rate, self.resampled_accuracy)


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
