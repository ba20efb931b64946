"""Recognition: how often a classifier names the right expression, overall and per class.

A class without test images has no recall and no F1: it is NaN per class and left out of the
means, which are over the classes that are there. Predicting such a class is still an error of
the class the image belongs to.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.expressions import N_EXPRESSIONS

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def confusion_matrix(labels: Integers, predictions: Integers) -> Integers:
    """Count the images of each label that got each prediction.

    Args:
        labels: True classes, [n], 0..7.
        predictions: Predicted classes, [n], 0..7.

    Returns:
        Counts, [8, 8], row = label, column = prediction.

    Raises:
        ValueError: If there are no images, the lengths differ or a class is not 0..7.
    """
    if labels.shape != predictions.shape or labels.size == 0:
        raise ValueError(f"{labels.size} labels and {predictions.size} predictions")
    for classes in (labels, predictions):
        if classes.min() < 0 or classes.max() >= N_EXPRESSIONS:
            raise ValueError(f"a class is not 0..{N_EXPRESSIONS - 1}")
    cells = np.bincount(labels * N_EXPRESSIONS + predictions, minlength=N_EXPRESSIONS**2)
    return cells.reshape(N_EXPRESSIONS, N_EXPRESSIONS)


@dataclass(frozen=True)
class Tally:
    """Images of every class, as counts or as shares of all: what recall and F1 are made of.

    The axes before the last, `...`, are resamples of the test set, or there are none.
    """

    labelled: Floats  # [..., 8], images of the class
    predicted: Floats  # [..., 8], images that were called so
    recognised: Floats  # [..., 8], images of the class that were called so

    @property
    def accuracy(self) -> Floats:
        """The share of images that got their own label, percent, [...]."""
        return _percent(self.recognised.sum(axis=-1), self.labelled.sum(axis=-1))

    @property
    def recall(self) -> Floats:
        """The share of each class that was recognised, percent, [..., 8]; NaN if absent."""
        return _percent(self.recognised, self.labelled)

    @property
    def uar(self) -> Floats:
        """Unweighted average recall: the mean over the classes present, percent, [...]."""
        return _mean_of_present(self.recall)

    @property
    def f1(self) -> Floats:
        """Each class's F1, percent, [..., 8]; NaN if the class is absent.

        F1 is `2 TP / (2 TP + FP + FN)`, which is 0, not undefined, for a class never predicted.
        """
        f1 = _percent(2 * self.recognised, self.labelled + self.predicted)
        return np.where(self.labelled > 0, f1, np.nan)

    @property
    def macro_f1(self) -> Floats:
        """The mean F1 over the classes present, percent, [...]."""
        return _mean_of_present(self.f1)


def tally(confusion: Integers) -> Tally:
    """Return the images of every class that a confusion matrix, [8, 8], counts."""
    counts = confusion.astype(np.float64)
    return Tally(counts.sum(axis=1), counts.sum(axis=0), np.diagonal(counts))


def _percent(part: Floats, whole: Floats) -> Floats:
    return np.divide(100.0 * part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean_of_present(values: Floats) -> Floats:
    return np.asarray(np.nanmean(values, axis=-1), dtype=np.float64)
