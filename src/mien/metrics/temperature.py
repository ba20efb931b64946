"""One number that makes a classifier as sure as it may be: the temperature of its logits.

Networks trained by cross entropy are too sure of themselves. Dividing their logits by a
temperature T mends most of it and changes no prediction (Guo et al. 2017, "On Calibration of
Modern Neural Networks").
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax

Floats = NDArray[np.floating[Any]]
Integers = NDArray[np.int64]

LARGEST = 20.0  # temperature, and 1 / the smallest


def probabilities(logits: Floats, temperature: float) -> NDArray[np.float64]:
    """Return softmax(logits / T), [n, 8] as the logits."""
    found: NDArray[np.float64] = softmax(logits.astype(np.float64) / temperature, axis=1)
    return found


def cross_entropy(logits: Floats, labels: Integers, temperature: float = 1.0) -> float:
    """Return the mean of -log p(label), nats."""
    log_p = log_softmax(logits.astype(np.float64) / temperature, axis=1)
    return float(-log_p[np.arange(len(labels)), labels].mean())


def fitted_temperature(logits: Floats, labels: Integers) -> float:
    """Return the temperature under which labels are likeliest.

    log T has a normal prior about 0 with a deviation of 1, which a hundred pictures outweigh:
    without it, pictures that are all recognised would make the classifier infinitely sure.

    Args:
        logits: [n, 8], of pictures nothing was trained on.
        labels: [n], 0..7.

    Raises:
        ValueError: If there are none, or not as many of one as of the other.
    """
    if len(labels) == 0 or logits.shape[0] != len(labels):
        raise ValueError(f"{len(labels)} labels and logits of shape {logits.shape}")

    def cost(log_t: float) -> float:
        nats = len(labels) * cross_entropy(logits, labels, float(np.exp(log_t)))
        return nats + log_t**2 / 2

    bound = np.log(LARGEST)
    best = minimize_scalar(cost, bounds=(-bound, bound), method="bounded")
    return float(np.exp(best.x))
