"""Recognition: how often a classifier names the right expression, overall and per class.

A class without test images has no recall and no F1: it is NaN per class and left out of the
means, which are over the classes that are there. Predicting such a class is still an error of
the class the image belongs to.
"""

from __future__ import annotations

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
        Counts, [8, 8]: row = label, column = prediction.

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


def accuracy(confusion: Integers) -> float:
    """Return the share of images that got their own label, in percent."""
    return float(100 * np.trace(confusion) / confusion.sum())


def recall_per_class(confusion: Integers) -> Floats:
    """Return the share of each class that was recognised, [8], percent; NaN if it is absent."""
    return _percent(np.diagonal(confusion), confusion.sum(axis=1))


def unweighted_average_recall(confusion: Integers) -> float:
    """Return the mean recall over the classes present, in percent (balanced accuracy)."""
    return float(np.nanmean(recall_per_class(confusion)))


def f1_per_class(confusion: Integers) -> Floats:
    """Return each class's F1, [8], percent; NaN if the class is absent.

    F1 is `2 TP / (2 TP + FP + FN)`, which is 0, not undefined, for a class never predicted.
    """
    labelled = confusion.sum(axis=1)
    f1 = _percent(2 * np.diagonal(confusion), labelled + confusion.sum(axis=0))
    return np.where(labelled > 0, f1, np.nan)


def macro_f1(confusion: Integers) -> float:
    """Return the mean F1 over the classes present, in percent."""
    return float(np.nanmean(f1_per_class(confusion)))


def _percent(part: Integers, whole: Integers) -> Floats:
    return np.divide(100.0 * part, whole, out=np.full(len(whole), np.nan), where=whole > 0)
