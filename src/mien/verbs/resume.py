"""`mien resume`: go on with a workflow that was killed."""

from __future__ import annotations

import argparse
import fcntl
import json
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from mien import orphans, running
from mien.errors import BusyError, DataError
from mien.running import Standing

# Where the workflow writes; what it writes under is named `.<name>.<pid>.tmp`.
OUTPUTS = ("", "data", "models", "results", "work", "tables", "figures", "report")
SNAKEFILES = ("Snakefile", "snakefile", "workflow/Snakefile", "workflow/snakefile")
TEMPORARY = re.compile(r"\..+\.(\d+)\.tmp")


def resume(arguments: Sequence[str], *, force: bool) -> None:
    """Clear away what a killed workflow left, and become the Snakemake that goes on.

    Args:
        arguments: Snakemake's own, `--directory` among them.
        force: Go on though a workflow may be at work where that cannot be seen from here.

    Raises:
        BusyError: If a workflow is at work in the folder, or may be.
        DataError: If there is no workflow to go on with.
    """
    folder, snakefile = _places(arguments)
    if not any(map(os.path.isfile, [snakefile] if snakefile else SNAKEFILES)):
        raise DataError(
            f"{snakefile or 'Snakefile'}: no such file: run this in a checkout of mien"
        )
    with running.guarded(folder, fcntl.LOCK_EX):
        for said in cleared(folder, force=force):
            print(f"mien resume: {said}", file=sys.stderr, flush=True)
        record = running.add(folder, inherited=True)
    os.environ[running.HANDED_ON] = str(record)
    command = [sys.executable, "-m", "snakemake", "--rerun-incomplete", *arguments]
    os.execv(sys.executable, command)


def cleared(folder: Path, *, force: bool) -> Iterator[str]:
    """Remove what a killed workflow left in `folder`, and yield in words what that was.

    Raises:
        BusyError: If a workflow is at work there, or may be and `force` is not given.
    """
    _refuse(folder, force=force)
    while left := running.jobs_left(folder):
        orphans.end(left)
        yield f"ended {orphans.listed(left)}, left running by a workflow that was killed"
    if running.locked(folder):
        shutil.rmtree(folder / ".snakemake/locks")
        yield "removed the lock of a workflow that was killed"
    for record in running.records(folder):
        record.unlink(missing_ok=True)
    if removed := _remove_temporary(folder):
        yield f"removed {removed} half-written file{'s' * (removed != 1)}"


def _refuse(folder: Path, *, force: bool) -> None:
    """Raise unless every workflow of the folder has ended."""
    records = running.records(folder)
    for path in records:
        standing, record = running.standing(path), running.read(path)
        if standing is Standing.ALIVE:
            raise BusyError(
                f"{folder}: a workflow is at work ({record}): wait for it or stop it"
            )
        if standing is Standing.UNKNOWN and not force:
            raise BusyError(
                f"{folder}: a workflow may be at work elsewhere ({record}): when it is not, "
                "`mien resume --force`"
            )
    if running.locked(folder) and not records and not force:
        raise BusyError(
            f"{folder}/.snakemake/locks: nothing says whose these are: when no Snakemake is at "
            "work there, `mien resume --force`"
        )
    if (ids := _cluster_jobs(folder)) and not force:
        raise BusyError(
            f"{folder}: jobs of the killed workflow may be at work in the cluster "
            f"({' '.join(ids)}): cancel them, then `mien resume --force`"
        )


def _cluster_jobs(folder: Path) -> list[str]:
    """Return the cluster's names of jobs that were submitted and not seen to end."""
    found = set()
    for marker in (folder / ".snakemake/incomplete").rglob("*"):
        try:
            name = json.loads(marker.read_text(encoding="utf-8"))["external_jobid"]
        except (OSError, ValueError, KeyError, TypeError):  # a folder, or half a marker
            continue
        found |= {str(name)} if name else set()
    return sorted(found)


def _remove_temporary(folder: Path) -> int:
    """Remove what lies under a temporary name of a process that has ended; return how many."""
    removed = 0
    for top in OUTPUTS:
        for depth in ("", "*/", "*/*/") if top else ("",):
            for path in (folder / top).glob(f"{depth}.*.tmp"):
                removed += _removed(path)
    return removed


def _removed(path: Path) -> bool:
    match = TEMPORARY.fullmatch(path.name)
    if not match or Path("/proc", match[1]).exists():
        return False
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
    return True


def _places(arguments: Sequence[str]) -> tuple[Path, str | None]:
    """Return where Snakemake will be at work, and the workflow if they name one."""
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--directory", "-d", type=Path, default=Path())
    parser.add_argument("--snakefile", "-s")
    known = parser.parse_known_args(arguments)[0]
    return known.directory.resolve(), known.snakefile
