"""MS-SSIM: how alike a decoded picture and the raw one look at five scales."""

from __future__ import annotations

from collections.abc import Sequence

import pytorch_msssim
from torch import Tensor

MIN_SIDE = 161  # five scales of an 11-pixel window


def ms_ssim(raw: Tensor, decoded: Tensor) -> Sequence[float | None]:
    """Return MS-SSIM per picture (Wang, Simoncelli and Bovik 2003), the mean over RGB.

    Args:
        raw: Pictures before coding, uint8 [B, 3, H, W].
        decoded: The pictures read back from their bytes, same shape.

    Returns:
        At most 1, which only identical pictures have; None where a side is too short.
    """
    if min(raw.shape[-2:]) < MIN_SIDE:
        return [None] * len(raw)
    values: list[float] = pytorch_msssim.ms_ssim(
        raw.float(), decoded.float(), data_range=255, size_average=False
    ).tolist()
    return values
