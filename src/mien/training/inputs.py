"""What a network is shown in a training: raw pictures, or what a codec makes of them."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from mien.codec.model import Codec
from mien.device import device

Augment = Callable[[Tensor, int], Tensor]  # uint8 [B, 3, H, W], the step from 1
Shown = Callable[[Tensor], Tensor]  # uint8 [B, 3, H, W] -> float32 in [0, 1], on the device


def raw(images: Tensor) -> Tensor:
    """Return uint8 [B, 3, H, W] as float32 in [0, 1] on the device."""
    moved = images.to(device(), memory_format=torch.channels_last, non_blocking=True)
    return moved.float().div(255)


def decoded(codec: Codec) -> Shown:
    """Return what shows pictures as a frozen codec decodes them: rounded latents, 8 bits."""
    codec.eval().requires_grad_(False)

    def shown(images: Tensor) -> Tensor:
        with torch.no_grad():
            x_hat: Tensor = codec(raw(images))["x_hat"]
        return x_hat.clamp(0, 1).mul(255).round().div(255)

    return shown
