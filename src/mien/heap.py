"""Freed memory stays with the process: the next step of a training asks for the same again.

glibc gives large blocks back to the kernel, which clears every page of them anew when they are
asked for again. In a training on a CPU those are all activations, in every step; where page
faults are dear, as in a virtual machine, that is a good part of its time. `benchmarks/heap.py`
measures it.
"""

from __future__ import annotations

import ctypes

# Options of glibc's `mallopt`, from its malloc.h.
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_MAX = -4

_KEPT = {
    _MMAP_MAX: 0,  # no block in a mapping of its own, which ends when it is freed
    _TRIM_THRESHOLD: -1,  # never shrink a heap
    _TOP_PAD: 64 << 20,  # as large as a heap of a thread: empty ones stay, too
}


def keep_freed() -> bool:
    """Let this process keep the memory it frees; return whether its C library can.

    Its memory is then that of its peak until it ends. No result depends on it.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc alone has it
    return mallopt is not None and all(mallopt(*option) for option in _KEPT.items())
