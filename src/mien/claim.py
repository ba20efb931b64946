"""A job's own GPUs: as long as it lives nobody else's job here gets them.

Each GPU has a file, `/tmp/mien-<its UUID>.lock`, and is its holder's who has a `flock` on it.
The kernel lets go when that process ends, however it ends; there is nothing to clean up.

Who holds it: the process that claims, and no other. The descriptor is closed on exec and in
forked children, so an orphan (a compiler, a loader of data) cannot keep a GPU for ever. The
processes of a training on several GPUs do use them without holding them: they end with their
parent (mien.data.pool), long before a next job has loaded torch.

The file belongs to who came first, anybody may open and lock it, and it stays: systemd, which
sweeps `/tmp`, leaves files with the sticky bit alone (so XDG's base directories say). Where
`/tmp` is not one folder for all jobs of a machine (containers, `PrivateTmp`), MIEN_GPU_LOCKS
names one that is.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from mien.errors import DataError, ParamsError
from mien.gpus import VISIBLE, Gpu, visible_gpus

LOCKS = "MIEN_GPU_LOCKS"


@contextmanager
def claimed(n: int, *, wait: bool = True) -> Iterator[None]:
    """Give this process `n` GPUs of its own, all of them or none, while the block runs.

    It says on stderr which, or what it waits for. Without any GPU nothing happens, and networks
    run on the CPU. CUDA must not have been used before.

    Args:
        n: GPUs; 0 hides them all.
        wait: Whether to wait until `n` are free; else, if they are not, the CPU it is.

    Raises:
        ParamsError: If there never will be so many.
        DataError: If a lock cannot be opened.
    """
    before = os.environ.get(VISIBLE)
    gpus = visible_gpus(os.environ)
    if not gpus:
        if before:
            print(f"no GPU here is among {VISIBLE}={before}: on the CPU", file=sys.stderr)
        yield
        return
    if n > len(gpus):
        raise ParamsError(
            f"params.yaml: compute.devices is {n}, but {len(gpus)} GPUs are visible: lower it, "
            "or give the job more of them"
        )
    held = _waited_for(gpus, n) if wait else _taken(gpus, n) or {}
    _announce(held, wait=wait)
    os.environ[VISIBLE] = _names(gpu for gpu in gpus if gpu in held)
    try:
        yield
    finally:
        _let_go(held)
        os.environ.pop(VISIBLE, None)
        os.environ.update({} if before is None else {VISIBLE: before})


def _names(gpus: Iterable[Gpu]) -> str:
    return ",".join(gpu.name for gpu in gpus)


def _announce(held: dict[Gpu, int], *, wait: bool) -> None:
    if wait:  # a job's log; people see only what is not as they expect
        whose = "this job's own" if held else "none is needed"
        print(f"{VISIBLE}={_names(held)}: {whose}", file=sys.stderr)
    elif not held:
        print("all GPUs are taken by other jobs: on the CPU", file=sys.stderr)


def _waited_for(gpus: list[Gpu], n: int) -> dict[Gpu, int]:
    held = _taken(gpus, n)
    if held is None:
        print(f"waiting for {n} of {_names(gpus)}: other jobs have them", file=sys.stderr)
    while held is None:
        time.sleep(random.uniform(0.2, 0.6))  # not in step with others that wait
        held = _taken(gpus, n)
    return held


def _taken(gpus: list[Gpu], n: int) -> dict[Gpu, int] | None:
    """Return `n` of them with their locks' descriptors, or None, and then none is held.

    Everybody tries in the same order and lets go at once of what is too few: no two jobs wait
    for each other's.
    """
    held: dict[Gpu, int] = {}
    left = len(gpus)
    for gpu in sorted(gpus, key=lambda gpu: gpu.identity):
        if len(held) == n or len(held) + left < n:
            break
        left -= 1
        if (descriptor := _locked(gpu)) is not None:
            held[gpu] = descriptor
    if len(held) < n:
        _let_go(held)
        return None
    os.register_at_fork(after_in_child=partial(_let_go, held))  # of a copy: the lock stays
    return held


def _let_go(held: dict[Gpu, int]) -> None:
    while held:
        os.close(held.popitem()[1])


def _locked(gpu: Gpu) -> int | None:
    """Return the descriptor of a GPU's lock, or None when somebody has it."""
    name = re.sub(r"[^\w-]", "_", gpu.identity)
    path = Path(os.environ.get(LOCKS, "/tmp")) / f"mien-{name}.lock"  # not TMPDIR: a job's own
    try:
        while True:
            descriptor = _opened(path)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                return None
            if os.fstat(descriptor).st_nlink:
                return descriptor
            os.close(descriptor)  # deleted meanwhile: others will lock another of this name
    except OSError as error:
        raise DataError(
            f"{path}: {error.strerror}: the lock of a GPU: name a folder in {LOCKS} in which "
            "every user of this machine may write"
        ) from None


def _opened(path: Path) -> int:
    """Return a descriptor, closed on exec, of a file that anybody may lock.

    Without O_CREAT, which the kernel refuses in /tmp for another user's file, and only read: it
    may be another's.
    """
    while True:
        try:
            return os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            _make(path)


def _make(path: Path) -> None:
    """Make the file, with its mode at once, unless another process just did."""
    descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        os.fchmod(descriptor, 0o1644)
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    finally:
        os.close(descriptor)
        Path(temporary).unlink()
