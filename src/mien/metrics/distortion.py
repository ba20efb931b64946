"""Distortion: how far a decoded picture is from the raw one."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

PEAK = 255  # of 8-bit pictures


def psnr(raw: NDArray[np.uint8], decoded: NDArray[np.uint8]) -> float:
    """Return the peak signal-to-noise ratio of one picture, in dB.

    `10 log10(255^2 / MSE)`, the MSE over all pixels and the three channels together. The
    squared error is summed in integers, so the result is the same on every machine.

    Args:
        raw: Picture before coding, [H, W, 3], 0..255.
        decoded: The picture read back from its bytes, same shape.

    Returns:
        PSNR in dB; infinity for identical pictures.

    Raises:
        ValueError: If the shapes differ, or a picture is empty or not uint8.
    """
    if raw.shape != decoded.shape or raw.size == 0:
        raise ValueError(f"cannot compare a picture {raw.shape} with one {decoded.shape}")
    if raw.dtype != np.uint8 or decoded.dtype != np.uint8:
        raise ValueError(f"expected uint8 pictures, not {raw.dtype} and {decoded.dtype}")
    error = raw.astype(np.int64) - decoded
    squared = int(np.sum(error * error))
    if squared == 0:
        return math.inf
    return 10 * math.log10(PEAK**2 * raw.size / squared)
