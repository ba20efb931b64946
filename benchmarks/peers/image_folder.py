"""A folder of pictures as CompressAI's trainings read it: PIL, RGB, ToTensor, batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import torch
from compressai.datasets import ImageFolder
from torch.utils.data import DataLoader
from torchvision.transforms import ToTensor


def batches(folder: Path, split: str, batch_size: int) -> Iterator[torch.Tensor]:
    """Return float32 [B, 3, H, W] in [0, 1], by ascending file name, in this process."""
    pictures = ImageFolder(str(folder), transform=ToTensor(), split=split)
    return iter(DataLoader(pictures, batch_size=batch_size, num_workers=0))
