"""Which workflows are at work in a folder: what makes it safe to go on after a kill.

Snakemake's own lock is a file that stays when its process is killed, and says nothing of who
took it. So every workflow keeps a record of itself in `.snakemake/mien/` and holds a lock on
it, which the kernel gives back however the process ends. Whether a lock taken on another
machine can be seen depends on the file system: the record says where it was taken.
"""

from __future__ import annotations

import atexit
import fcntl
import json
import os
import socket
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from enum import Enum
from pathlib import Path

from mien import orphans
from mien.errors import BusyError

HANDED_ON = "MIEN_RECORD"  # the record that `mien resume` made for the Snakemake it becomes


class Standing(Enum):
    """What can be said from here of the process behind a record."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"  # it may be alive on another machine


@dataclass(frozen=True)
class Record:
    """Who runs a workflow.

    Attributes:
        host: The machine's name.
        boot: Of the machine's kernel, new each time it starts.
        pid: Of the Snakemake process.
        since: When it began, local time.
        command: As it was typed.
        locked: Whether the file system could lock the record.
    """

    host: str
    boot: str
    pid: int
    since: str
    command: str
    locked: bool = True

    def __str__(self) -> str:
        return f"pid {self.pid} on {self.host}, since {self.since}: {self.command}"


def begin(folder: Path) -> None:
    """Record this process as a workflow in `folder` until it ends, and mark what it starts.

    Raises:
        BusyError: If jobs of a workflow that was killed are still running there.
    """
    with guarded(folder, fcntl.LOCK_SH):
        if left := jobs_left(folder):
            raise BusyError(
                f"{folder}: {orphans.listed(left)} of a killed workflow still running: "
                "`mien resume` ends them and goes on"
            )
        standings = [standing(path) for path in records(folder)]
        if locked(folder) and standings and set(standings) == {Standing.DEAD}:
            print(
                "mien: the last workflow here was killed: `mien resume` goes on",
                file=sys.stderr,
            )
        handed_on = os.environ.pop(HANDED_ON, None)
        path = Path(handed_on) if handed_on else add(folder)
    atexit.register(path.unlink, missing_ok=True)
    orphans.mark_children(path)


def add(folder: Path, *, inherited: bool = False) -> Path:
    """Write the record of this process and lock it for as long as the process lives.

    Args:
        folder: Where the workflow is at work.
        inherited: Whether the lock outlives an `exec`.
    """
    host = socket.gethostname()
    path = _place(folder) / f"{host}-{os.getpid()}-{uuid.uuid4().hex[:8]}.json"
    since = datetime.now().isoformat(" ", "seconds")
    record = Record(host, _boot(), os.getpid(), since, _command())
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)  # never closed
    os.set_inheritable(descriptor, inherited)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError:  # a file system without locks
        record = replace(record, locked=False)
    os.write(descriptor, json.dumps(asdict(record), indent=2).encode())
    return path


def records(folder: Path) -> list[Path]:
    """Return the records of all workflows in `folder` that have not ended in good order."""
    return sorted(_place(folder).glob("*.json"))


def read(path: Path) -> Record | None:
    """Return what a record says; None if its process was killed while writing it."""
    try:
        return Record(**json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def standing(path: Path) -> Standing:
    """Return whether the process behind a record is alive, as far as can be told from here."""
    try:
        with path.open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return Standing.ALIVE
    except FileNotFoundError:
        return Standing.DEAD
    except OSError:
        return Standing.UNKNOWN
    record = read(path)
    if record is None:  # nothing is begun before the record is whole
        return Standing.DEAD
    here = record.boot == _boot() or record.host == socket.gethostname()  # or started anew
    return Standing.DEAD if here and record.locked else Standing.UNKNOWN


def jobs_left(folder: Path) -> list[orphans.Job]:
    """Return the jobs on this machine that outlived the workflow of `folder` they are of."""
    place = str(_place(folder))
    return [
        job
        for job in orphans.marked()
        if any(
            str(Path(mark).parent) == place and standing(Path(mark)) is not Standing.ALIVE
            for mark in job.marks
        )
    ]


def locked(folder: Path) -> bool:
    """Return whether Snakemake's own lock is there."""
    return any((folder / ".snakemake/locks").glob("*.lock"))


@contextmanager
def guarded(folder: Path, how: int) -> Iterator[None]:
    """Let workflows begin together, but none while `mien resume` looks and removes locks.

    Args:
        folder: Where the workflow is at work.
        how: `fcntl.LOCK_SH` for who begins, `fcntl.LOCK_EX` for who removes.
    """
    place = _place(folder)
    place.mkdir(parents=True, exist_ok=True)
    with (place / "guard").open("w") as file:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(file, how)
        yield


def _place(folder: Path) -> Path:
    return folder.resolve() / ".snakemake" / "mien"


def _command() -> str:
    """Return how this process was started, whether by its name or by `python -m`."""
    program = Path(sys.argv[0])
    name = program.parent.name if program.stem == "__main__" else program.name
    return " ".join([name, *sys.argv[1:]])


def _boot() -> str:
    return Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
