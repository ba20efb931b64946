"""Paired bootstrap over test images: every run is measured on the same resampled images.

A resample draws n of the n test images with replacement. What all runs share in it, hard and
easy faces alike, cancels in their differences, which is why those are known far better than
the accuracies themselves. The intervals say nothing about another training of the same model.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

LEVEL = 0.95
_ROWS = 128  # resamples at a time: 4 MB of counts for 4,000 images


@dataclass(frozen=True)
class Interval:
    """A percentile interval, and the share of resamples it could not use.

    `low` and `high` are None when no resample has a value. With `absent` above 0 the interval
    is that of the resamples that have one.
    """

    low: float | None
    high: float | None
    absent: float  # 0..1


def resampled_means(values: Floats, resamples: int, seed: int) -> Floats:
    """Average every column over the images of every resample.

    Args:
        values: One row per image, one column per quantity, [n, C].
        resamples: How many times n images are drawn.
        seed: Of the draws alone: equal seeds and n give equal draws, whatever the columns.

    Returns:
        Means, [resamples, C]. Rows belong together, one row is one set of images.

    Raises:
        ValueError: If there are no images or no resamples.
    """
    n = len(values)
    if n == 0 or resamples < 1:
        raise ValueError(f"cannot draw {resamples} resamples of {n} images")
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, values.shape[1]))
    for start in range(0, resamples, _ROWS):
        rows = min(_ROWS, resamples - start)
        means[start : start + rows] = _draw_counts(generator, rows, n) @ values / n
    return means


def interval(samples: Floats) -> Interval:
    """Return the central 95 % of a resampled quantity, [B]; NaN marks an absent value."""
    present = samples[~np.isnan(samples)]
    if len(present) == 0:
        return Interval(None, None, 1.0)
    low, high = np.quantile(present, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(float(low), float(high), 1 - len(present) / len(samples))


def open_interval(samples: Floats) -> Interval:
    """Return the central 95 % of a quantity that may lie beyond what was measured, [B].

    An infinite sample is known to lie beyond everything that was measured. It counts, so an end
    of the interval may be open: None. Both ends are samples, the next ones outwards, since
    nothing can be interpolated between a number and an infinity; NaN marks an absent value.
    """
    present = np.sort(samples[~np.isnan(samples)])
    absent = 1 - len(present) / len(samples)
    if len(present) == 0:
        return Interval(None, None, absent)
    first = math.floor((1 - LEVEL) / 2 * (len(present) - 1))
    low, high = float(present[first]), float(present[-1 - first])
    return Interval(
        low if math.isfinite(low) else None, high if math.isfinite(high) else None, absent
    )


def _draw_counts(generator: np.random.Generator, rows: int, n: int) -> Floats:
    """Return how often each image was drawn, [rows, n]."""
    drawn = generator.integers(n, size=(rows, n))
    drawn += n * np.arange(rows)[:, None]
    return np.bincount(drawn.ravel(), minlength=rows * n).reshape(rows, n).astype(np.float64)
