"""Random changes to training pictures, all drawn from a generator that is passed in."""

from __future__ import annotations

import torch
from torch import Generator, Tensor

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


def cropped(images: Tensor, size: int, random: Generator) -> Tensor:
    """Cut a random `size` x `size` window out of each picture of [B, 3, H, W]."""
    height, width = images.shape[-2:]
    tops = torch.randint(height - size + 1, (len(images),), generator=random).tolist()
    lefts = torch.randint(width - size + 1, (len(images),), generator=random).tolist()
    windows = [
        image[:, top : top + size, left : left + size]
        for image, top, left in zip(images, tops, lefts, strict=True)
    ]
    return torch.stack(windows)
