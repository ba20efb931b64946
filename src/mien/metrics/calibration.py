"""Calibration: whether a classifier that says 80 % is right in 80 % of such cases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

N_BINS = 15  # of confidence, of equal width, as in Guo et al. 2017


@dataclass(frozen=True)
class Reliability:
    """How often a classifier is right where it is so sure: one value per bin of confidence."""

    n: Integers  # [15], pictures
    confidence: NDArray[np.float64]  # [15], mean, percent; NaN in an empty bin
    accuracy: NDArray[np.float64]  # [15], percent; NaN in an empty bin


def reliability(p: Floats, labels: Integers) -> Reliability:
    """Return the bins of a reliability diagram.

    Bin i holds the pictures whose largest probability is above i / 15 and at most (i + 1) / 15.

    Args:
        p: Probabilities, [n, 8].
        labels: [n], 0..7.
    """
    bins, confidence, right = _answers(p, labels)
    n = np.bincount(bins, minlength=N_BINS)
    sums = (np.bincount(bins, weights=w, minlength=N_BINS) for w in (confidence, right))
    means = [
        np.divide(100 * total, n, out=np.full(N_BINS, np.nan), where=n > 0) for total in sums
    ]
    return Reliability(n, *means)


def calibration_gaps(p: Floats, labels: Integers) -> NDArray[np.float64]:
    """Return, in each picture's bin, 1 if it was recognised, less how sure that was, [n, 15].

    A sum over any set of pictures, by bin, is what `expected_calibration_error` takes.
    """
    bins, confidence, right = _answers(p, labels)
    gaps = np.zeros((len(labels), N_BINS))
    gaps[np.arange(len(labels)), bins] = right - confidence
    return gaps


def expected_calibration_error(gaps: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the mean over pictures of `|accuracy - confidence|` of their bin, percent, [...].

    Args:
        gaps: `calibration_gaps` averaged over the pictures, [..., 15].
    """
    return np.asarray(100 * np.abs(gaps).sum(axis=-1), dtype=np.float64)


def _answers(
    p: Floats, labels: Integers
) -> tuple[Integers, NDArray[np.float64], NDArray[np.float64]]:
    """Return each picture's bin, how sure its answer is, and 1 where that is right, [n]."""
    if len(labels) == 0 or p.shape[0] != len(labels):
        raise ValueError(f"{len(labels)} labels and probabilities of shape {p.shape}")
    confidence = p.max(axis=1)
    bins = np.clip(np.ceil(confidence * N_BINS).astype(np.int64) - 1, 0, N_BINS - 1)
    return bins, confidence, (p.argmax(axis=1) == labels).astype(np.float64)
