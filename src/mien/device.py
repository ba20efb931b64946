"""Where networks run: the GPU this process sees, else the CPU."""

from __future__ import annotations

import time
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def device() -> torch.device:
    """Return the first GPU visible to this process, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(module: Module) -> Module:
    """Move a network to the device, in channels-last order (1.1 to 2 times faster on a CPU)."""
    moved: Module = module.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


def seconds() -> float:
    """Return a clock, in seconds, that has waited for everything the GPU was given to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
