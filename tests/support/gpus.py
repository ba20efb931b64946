"""Machines with GPUs that are not there: what `nvidia-smi -L` prints on them."""

from __future__ import annotations

from pathlib import Path

FIRST, SECOND = "GPU-5c89852c-d268-c3f3-1b07-005d5ae1dc3f", "GPU-a5d1e1f0-0000-4000-8000-2"
TWO = f"""\
GPU 0: NVIDIA H100 80GB HBM3 (UUID: {FIRST})
GPU 1: NVIDIA H100 80GB HBM3 (UUID: {SECOND})
"""
PARTS = ("MIG-c6d4f1ef-42e4-5de3-91c7-45d71c87eb3f", "MIG-GPU-5c89852c/2/0")
CUT_UP = f"""\
GPU 0: NVIDIA A100-SXM4-40GB (UUID: {FIRST})
  MIG 1g.5gb      Device  0: (UUID: {PARTS[0]})
  MIG 1g.5gb      Device  1: (UUID: {PARTS[1]})
GPU 1: NVIDIA A100-SXM4-40GB (UUID: {SECOND})
"""


def simulated(folder: Path, listing: str = TWO) -> dict[str, str]:
    """Return the environment of processes that see these GPUs, with locks of their own."""
    (folder / "gpus.txt").write_text(listing)
    locks = folder / "locks"
    locks.mkdir(exist_ok=True)
    return {"MIEN_GPU_LIST": str(folder / "gpus.txt"), "MIEN_GPU_LOCKS": str(locks)}
