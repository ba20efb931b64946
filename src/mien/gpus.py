"""Which GPUs this process may use, by name, found out before CUDA wakes.

`nvidia-smi -L` is asked: it comes with the driver, knows MIG, lists only what a container or a
cgroup lets through, and runs in a process of its own, so that CUDA_VISIBLE_DEVICES still counts
when it is set here afterwards. (torch may start CUDA to count; NVML's Python binding is one
dependency more; /proc/driver/nvidia/gpus knows neither MIG nor cgroups.) Where there is no such
command nothing is found and nothing is changed: torch then uses what it sees, or the CPU.

MIEN_GPU_LIST names a file to read in place of that command, in the form that it prints. So
tests have two GPUs on a machine without one.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

from mien.errors import DataError

LIST = "MIEN_GPU_LIST"
VISIBLE = "CUDA_VISIBLE_DEVICES"
_WHOLE = re.compile(r"GPU \d+: .*\(UUID: (GPU-[^)]+)\)")
_PART = re.compile(r"\s+MIG .*\(UUID: (MIG-[^)]+)\)")
_NAME = re.compile(r"\d+|(GPU|MIG)-.+")
_PATIENCE = 120  # seconds; a driver that nobody keeps loaded takes some


@dataclass(frozen=True)
class Gpu:
    """A GPU, or a MIG part of one, that this process may use.

    Attributes:
        name: What CUDA_VISIBLE_DEVICES is set to for it.
        identity: The same in every process of this machine that may use it.
    """

    name: str
    identity: str


def visible_gpus(environment: Mapping[str, str]) -> list[Gpu]:
    """Return what CUDA would see in this environment, in its order.

    Numbers in CUDA_VISIBLE_DEVICES are those of nvidia-smi; what is returned has UUIDs for
    names, which mean the same in any CUDA_DEVICE_ORDER. In a SLURM job they stay as they are:
    there numbers may count the job's own GPUs alone, so that two jobs on two GPUs both have
    number 0, and only within its job does such a name say which.

    Raises:
        DataError: If nvidia-smi does not answer.
    """
    named = environment.get(VISIBLE)
    if named is not None and "SLURM_JOB_ID" in environment:
        job = f"slurm-{environment['SLURM_JOB_ID']}-{environment.get('SLURM_STEP_ID', '')}"
        names = takewhile(_NAME.fullmatch, _entries(named))  # as CUDA: not past an unknown one
        return [Gpu(name, f"{job}-{name}") for name in dict.fromkeys(names)]
    listed = parse(_listing(environment))
    found = (
        (part for parts in listed.values() for part in parts)
        if named is None
        else takewhile(bool, (_resolved(entry, listed) for entry in _entries(named)))
    )
    return [Gpu(name, name) for name in dict.fromkeys(found)]


def parse(listing: str) -> dict[str, list[str]]:
    """Return what can be computed on, by GPU: its MIG parts, or itself when it has none."""
    parts: dict[str, list[str]] = {}
    for line in listing.splitlines():
        if whole := _WHOLE.match(line):
            parts[whole[1]] = []
        elif part := _PART.match(line):
            parts[next(reversed(parts))].append(part[1])
    return {gpu: found or [gpu] for gpu, found in parts.items()}


def _listing(environment: Mapping[str, str]) -> str:
    if LIST in environment:
        try:
            return Path(environment[LIST]).read_text(encoding="utf-8")
        except OSError as error:
            raise DataError(f"{LIST}: {environment[LIST]}: {error.strerror}") from None
    try:
        out = subprocess.run(
            ["nvidia-smi", "-L"], capture_output=True, text=True, timeout=_PATIENCE
        )
    except FileNotFoundError:
        return ""
    except subprocess.TimeoutExpired:
        raise DataError(
            f"nvidia-smi -L: no answer in {_PATIENCE} s: mend the driver, or set {VISIBLE}= to "
            "compute on the CPU"
        ) from None
    return out.stdout if out.returncode == 0 else ""


def _entries(named: str) -> list[str]:
    return [entry.strip() for entry in named.split(",")]


def _resolved(entry: str, listed: Mapping[str, list[str]]) -> str:
    """Return the one that an entry means: a number, or the beginning of a UUID; else nothing.

    A GPU that is cut up stands for its first part, as it does for CUDA.
    """
    if entry.isdecimal():
        return _only(list(listed.values())[int(entry) : int(entry) + 1])
    wholes = [parts for gpu, parts in listed.items() if entry and gpu.startswith(entry)]
    parts = [
        [part]
        for every in listed.values()
        for part in every
        if entry.startswith("MIG-") and part.startswith(entry)
    ]
    return _only(wholes or parts)


def _only(found: Iterable[list[str]]) -> str:
    every = list(found)
    return every[0][0] if len(every) == 1 else ""
