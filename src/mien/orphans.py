"""The processes that a workflow started, found by a mark in their environment.

A killed Snakemake leaves its jobs running, and they would write what the next one writes. A
mark is inherited by everything a job starts, shells and worker processes included, and cannot
be mistaken for that of another folder, as a process id that is used again could be.
"""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from mien.errors import BusyError

MARKS = "MIEN_WORKFLOWS"  # paths of records; a workflow within a job adds its own
PATIENCE = 5.0  # seconds from the request to end to the end by force


@dataclass(frozen=True)
class Job:
    """A process that a workflow started.

    Attributes:
        pid: Of this machine.
        marks: The records of the workflows it belongs to.
        command: What it runs.
    """

    pid: int
    marks: tuple[str, ...]
    command: str


def mark_children(record: Path) -> None:
    """Mark all that this process will start."""
    marks = os.environ.get(MARKS)
    os.environ[MARKS] = f"{marks}:{record}" if marks else str(record)


def marked() -> Iterator[Job]:
    """Yield the marked processes of this machine, this one left out."""
    for place in Path("/proc").glob("[0-9]*"):
        pid = int(place.name)
        if pid != os.getpid() and (job := _job(pid)):
            yield job


def listed(jobs: Sequence[Job]) -> str:
    """Return some jobs in words: how many there are, and what the first one is."""
    first = f"process {jobs[0].pid} ({jobs[0].command})"
    return first if len(jobs) == 1 else f"{first} and {len(jobs) - 1} more"


def end(jobs: Sequence[Job]) -> None:
    """End processes, by force if they do not go when asked.

    Raises:
        BusyError: If one of them cannot be ended.
    """
    asked = [(job, descriptor) for job in jobs if (descriptor := _opened(job)) is not None]
    try:
        for order in (signal.SIGTERM, signal.SIGKILL):
            for _, descriptor in asked:
                with suppress(ProcessLookupError):
                    signal.pidfd_send_signal(descriptor, order)
            deadline = time.monotonic() + PATIENCE
            left = [job for job, descriptor in asked if not _gone(descriptor, deadline)]
            if not left:
                return
    finally:
        for _, descriptor in asked:
            os.close(descriptor)
    raise BusyError(
        f"{listed(left)}: does not end, even by force: see what it waits for (`ps -p "
        f"{left[0].pid} -o stat,wchan`)"
    )


def _opened(job: Job) -> int | None:
    """Return a descriptor that stands for this very process; None if it has ended."""
    try:
        descriptor = os.pidfd_open(job.pid)
    except ProcessLookupError:
        return None
    if (now := _job(job.pid)) and now.marks == job.marks:
        return descriptor
    os.close(descriptor)  # its number belongs to another process by now
    return None


def _gone(descriptor: int, deadline: float) -> bool:
    """Wait for a process until it has ended or it is late, and return which."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, deadline - time.monotonic()) * 1000))


def _job(pid: int) -> Job | None:
    place = Path("/proc") / str(pid)
    try:
        environment = (place / "environ").read_bytes().split(b"\0")
        words = (place / "cmdline").read_bytes().rstrip(b"\0").split(b"\0")
    except OSError:  # it has ended, or is another user's
        return None
    start = f"{MARKS}=".encode()
    found = [item[len(start) :] for item in environment if item.startswith(start)]
    if not found:
        return None
    command = os.fsdecode(b" ".join(words))
    return Job(pid, tuple(os.fsdecode(found[0]).split(":")), command[:120])
