"""What is said of a workflow: how far it is, what failed and why, where the results are."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from mien import paths
from mien.watch.progress import Job, Left, Progress

TAIL_LINES = 20
TAIL_BYTES = 1 << 16
CLOCKS_DIFFER = 1.0  # seconds, of this machine and a file system
RESULTS = {  # in the order a person opens them
    str(paths.REPORT): "tables and figures on one page",
    str(paths.METRICS): "every number, for `dvc metrics diff`",
    f"{paths.TABLES}/": "Markdown, LaTeX and CSV",
    f"{paths.FIGURES}/": "PDF and PNG",
}


def duration(seconds: float) -> str:
    """Return a span of time in at most two units, such as `3 min 20 s`."""
    whole = round(seconds)
    for size, unit, lower_size, lower in (
        (86400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // lower_size
            return (
                f"{whole // size} {unit} {rest} {lower}" if rest else f"{whole // size} {unit}"
            )
    return f"{whole} s"


def left(rest: Left | None) -> str:
    """Return how long the rest takes, no surer than it is."""
    if rest is None:
        return "time left not known"
    if rest.seconds <= 0:
        return "time left not known yet" if rest.unknown else "about to end"
    step = 5 if rest.seconds < 60 else 60 if rest.seconds < 3600 else 600
    rounded = max(round(rest.seconds / step), 1) * step
    return f"{'more than' if rest.unknown else 'about'} {duration(rounded)} left"


def begun(progress: Progress) -> str:
    """Return what is going to be done."""
    rules = ", ".join(f"{n} {rule}" for rule, n in progress.planned.items())
    return f"mien: {_jobs(progress.total)}: {rules}"


def line(progress: Progress) -> str:
    """Return how far it is, in one line."""
    labels = Counter(job.label for job in progress.running.values())
    now = f"; now {', '.join(labels)}" if labels else ""
    share = 100 * progress.done // progress.total
    return (
        f"mien: {progress.done} of {progress.total} jobs, {share} %, "
        f"{duration(progress.elapsed)}, {left(progress.left())}{now}"
    )


def failure(job: Job, command: str, reason: str = "") -> str:
    """Return what failed, with the end of its log and the reason if there is one to give."""
    after = "" if job.seconds is None else f" after {duration(job.seconds)}"
    head = [f"mien: {job.label} failed{after}:", *([f"  {reason}"] if reason else [])]
    parts = [_log(Path(log)) for log in job.logs]
    return "\n".join([*head, *(parts or ["  it has no log"]), f"  command: {command}"])


def group_failure(jobs: Sequence[Job], logs: Sequence[str]) -> str:
    """Return which jobs failed as one, elsewhere, with the ends of their logs."""
    labels = ", ".join(job.label for job in jobs)
    parts = [_log(Path(log)) for log in [*(log for job in jobs for log in job.logs), *logs]]
    if not logs:
        parts.append("  it has no log of its own: perhaps it could not be submitted")
    return "\n".join([f"mien: {labels}: a group of jobs in which one failed:", *parts])


def _log(path: Path) -> str:
    lines = tail(path)
    if not lines:
        return f"  {path}: nothing is in it"
    return "\n".join([f"  the end of {path}:", *(f"    {text}" for text in lines)])


def tail(path: Path) -> list[str]:
    """Return the last lines of a log as they stood on the screen: of a bar, its last state."""
    try:
        with path.open("rb") as file:
            file.seek(max(path.stat().st_size - TAIL_BYTES, 0))
            text = file.read().decode("utf-8", errors="replace")
    except OSError:
        return []
    lines = [part.rstrip("\r").rsplit("\r", 1)[-1].rstrip() for part in text.split("\n")]
    return [part for part in lines if part][-TAIL_LINES:]


def ended(progress: Progress, *, counted: bool = True) -> str:
    """Return how it ended, and where to look.

    Args:
        progress: Of the whole run.
        counted: It was told which jobs succeeded.
    """
    took = duration(progress.elapsed)
    if progress.done == progress.total:
        return "\n".join([f"mien: {_jobs(progress.total)} done in {took}", *_results(progress)])
    so_far = f"after {took}"
    if counted:
        so_far += f": {progress.done} of {progress.total} jobs done"
    if not progress.failed:
        return f"mien: stopped {so_far}: the same command, or `mien resume`, goes on from there"
    failed = [
        f"  {job.label}  {' '.join(job.logs)}".rstrip() for job in progress.failed.values()
    ]
    again = "mien: when that is mended, the same command goes on from there"
    return "\n".join([f"mien: stopped {so_far}, {len(failed)} failed:", *failed, again])


def _results(progress: Progress) -> list[str]:
    """Return where the results lie that were written; of other targets, their folders."""
    written = [output for job in progress.finished for output in job.outputs or ()]
    if any(job.outputs is None for job in progress.finished):
        since = time.time() - progress.elapsed - CLOCKS_DIFFER
        written += [place for place in RESULTS if _changed(Path(place), since)]
    found = {
        place: what
        for place, what in RESULTS.items()
        if any(output.startswith(place) for output in written)
    }
    if not found:
        found = {_place(Path(output)): "" for output in written}
    width = max(map(len, found), default=0)
    return [f"  {place:{width}}  {what}".rstrip() for place, what in found.items()]


def _changed(path: Path, since: float) -> bool:
    return path.exists() and path.stat().st_mtime >= since


def _place(output: Path) -> str:
    return f"{output.parent}/" if len(output.parts) > 1 else str(output)


def _jobs(n: int) -> str:
    return f"{n} job" if n == 1 else f"{n} jobs"
