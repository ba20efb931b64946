"""Logits and labels that a known temperature made."""

import numpy as np

from mien.metrics.temperature import probabilities


def drawn(temperature, n=20000, seed=0):
    """Return logits and labels whose probabilities are softmax(logits / temperature)."""
    random = np.random.default_rng(seed)
    logits = random.normal(0, 4, (n, 8))
    p = probabilities(logits, temperature)
    labels = (p.cumsum(1) < random.random((n, 1))).sum(1)
    return logits, labels
