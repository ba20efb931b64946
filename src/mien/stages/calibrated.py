"""How sure a classifier may be: its temperature, fitted on `val` to the pictures it reads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import torch

from mien.classifier.resnet18 import Classifier
from mien.data.shards import Batch
from mien.metrics.temperature import cross_entropy, fitted_temperature
from mien.training.inputs import Shown

DECIMALS = 4  # of the temperature


def calibration(
    classifier: Classifier, shown: Shown, pictures: str, batches: Iterable[Batch]
) -> dict[str, Any]:
    """Return what a checkpoint records: temperature, n, and the cross entropy with and without.

    Args:
        classifier: On the device; put in eval mode.
        shown: Makes of 8-bit pictures what it reads.
        pictures: What that is: `raw` or `decoded`.
        batches: Of `val`.
    """
    logits, labels = _read(classifier.eval(), shown, batches)
    temperature = round(fitted_temperature(logits, labels), DECIMALS)
    return {
        "temperature": temperature,
        "pictures": pictures,
        "split": "val",
        "n": len(labels),
        "cross_entropy": round(cross_entropy(logits, labels), DECIMALS),
        "cross_entropy_calibrated": round(cross_entropy(logits, labels, temperature), DECIMALS),
    }


@torch.inference_mode()
def _read(
    classifier: Classifier, shown: Shown, batches: Iterable[Batch]
) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    logits, labels = [], []
    for batch in batches:
        logits.append(classifier(shown(batch.images)).float().cpu().numpy())
        labels.append(batch.labels.numpy())
    return np.concatenate(logits), np.concatenate(labels)
