"""What was measured on every test image in one run, which all statistics start from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Answers:
    """What a run's classifier says to the n test images, decoded or raw."""

    predictions: Integers  # [n], 0..7
    logits: NDArray[np.floating[Any]]  # [n, 8]


@dataclass(frozen=True)
class Evaluation:
    """One run on the n test images, in an order that all runs share."""

    labels: Integers  # [n], 0..7
    decoded: Answers
    raw: Answers  # same classifier on raw images
    temperature: float | None  # of that classifier; None: it was never calibrated
    n_bytes: Integers  # [n]
    bpp: Floats  # [n], bit/pixel
    estimated_bpp: Floats | None  # [n], bit/pixel; None: a classic codec has no likelihoods
    psnr: Floats  # [n], dB; infinite for identical pictures
    ms_ssim: Floats | None  # [n]; None: the pictures are too small for it
    encode_seconds: Floats  # [n]
    decode_seconds: Floats  # [n]
    library: str | None = None  # of a classic codec, with its version

    def correct(self, answers: Answers) -> NDArray[np.bool_]:
        """Whether each image was recognised, [n]."""
        return np.asarray(answers.predictions == self.labels)
