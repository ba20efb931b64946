"""Random changes to training pictures, all drawn from a generator that is passed in."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from mien.share import WHOLE, Share


def generator(seed: int, step: int) -> Generator:
    """Return the generator of one training step, on the CPU."""
    return torch.Generator().manual_seed((seed << 32) + step)


def flipped(images: Tensor, random: Generator, share: Share = WHOLE) -> Tensor:
    """Mirror each picture of [B, 3, H, W] left to right with probability 1/2.

    Args:
        images: Those of one share of a batch.
        random: In the same state in every share.
        share: Which one.
    """
    drawn = torch.rand(total := share.total(len(images)), generator=random)
    chosen = drawn[share.part(total)] < 0.5
    return torch.where(chosen.reshape(-1, 1, 1, 1), images.flip(-1), images)


def shifted(images: Tensor, by: int, random: Generator, share: Share = WHOLE) -> Tensor:
    """Move each picture of [B, 3, H, W] by up to `by` pixels each way; its edges are repeated.

    Args:
        images: Those of one share of a batch.
        by: At most, pixels.
        random: In the same state in every share.
        share: Which one.
    """
    total = share.total(len(images))
    drawn = torch.randint(2 * by + 1, (2, total), generator=random)[:, share.part(total)]
    wide = F.pad(images.float(), (by, by, by, by), mode="replicate").to(images.dtype)
    return _windows(wide, images.shape[-2:], *drawn.tolist())


def cropped(images: Tensor, size: int, random: Generator) -> Tensor:
    """Cut a random `size` x `size` window out of each picture of [B, 3, H, W]."""
    height, width = images.shape[-2:]
    tops = torch.randint(height - size + 1, (len(images),), generator=random).tolist()
    lefts = torch.randint(width - size + 1, (len(images),), generator=random).tolist()
    return _windows(images, (size, size), tops, lefts)


def _windows(images: Tensor, size: Sequence[int], tops: list[int], lefts: list[int]) -> Tensor:
    height, width = size
    windows = [
        image[:, top : top + height, left : left + width]
        for image, top, left in zip(images, tops, lefts, strict=True)
    ]
    return torch.stack(windows)
