"""Where networks run: the GPU this process sees, else the CPU."""

from __future__ import annotations

import sys
import time
from functools import cache
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


def device() -> torch.device:
    """Return the first GPU visible to this process, or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def placed(module: Module) -> Module:
    """Move a network to the device, in channels-last order, a CPU's fastest."""
    moved: Module = module.to(device(), memory_format=torch.channels_last)  # type: ignore[call-overload]
    return moved


@cache
def say_if_slow(precision: str) -> None:
    """Tell once that bfloat16 on this CPU is emulated, which is slower than float32."""
    if precision == "bfloat16" and not has_bfloat16():
        print(
            "bfloat16: this processor has no instructions for it (avx512_bf16, amx_bf16): "
            "float32 is several times faster here",
            file=sys.stderr,
        )


def has_bfloat16() -> bool:
    """Return whether the device computes in bfloat16 faster than in float32."""
    if device().type != "cpu":
        return True
    flags = Path("/proc/cpuinfo")
    text = flags.read_text(encoding="utf-8") if flags.exists() else "avx512_bf16"
    return any(flag in text for flag in ("avx512_bf16", "amx_bf16", " bf16"))


def seconds() -> float:
    """Return a clock, in seconds, that has waited for everything the GPU was given to do."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()
