"""What the benchmarks share: costs of a process tree, ratios with their spread, results.

CPU seconds of a process and of all it started, where a benchmark says so: on a shared machine
they move less than wall seconds, and nothing is won by using more cores.
"""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import MienError
from mien.files import write_json
from mien.provenance import source_commit

SAMPLING_SECONDS = 0.05  # between two looks at the memory of a process tree
# One thread a library, so that CPU seconds are work and not threads that wait in a loop.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


class BenchmarkError(MienError):
    """A command that failed, or work that was not the same on both sides."""


@dataclass(frozen=True)
class Cost:
    """What one command took, all processes that it started included."""

    wall_seconds: float
    cpu_seconds: float  # user and system
    peak_bytes: int  # the largest memory of the tree that was seen; 0 when nobody looked


def run(
    command: Sequence[str | Path],
    folder: Path,
    environment: Mapping[str, str] = ONE_THREAD,
    *,
    watch_memory: bool = False,
) -> Cost:
    """Run a command to its end and return its cost.

    Args:
        command: Program and arguments.
        folder: Where it runs.
        environment: Variables beside the ones that are set.
        watch_memory: Look at the memory of the tree every SAMPLING_SECONDS.

    Raises:
        BenchmarkError: If the command fails, with the last lines that it printed.
    """
    start, before = time.perf_counter(), _seconds_of_children()
    peak = 0
    with tempfile.TemporaryFile("w+", errors="replace") as said:
        with subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **environment},
            stdout=said,
            stderr=subprocess.STDOUT,
        ) as process:
            while watch_memory and process.poll() is None:
                peak = max(peak, tree_bytes(process.pid))
                time.sleep(SAMPLING_SECONDS)
        if process.returncode:
            said.seek(0)
            raise BenchmarkError(
                f"{' '.join(map(str, command))}: exit code {process.returncode}:\n"
                + "".join(said.readlines()[-5:]).rstrip()
            )
    return Cost(time.perf_counter() - start, _seconds_of_children() - before, peak)


def _seconds_of_children() -> float:
    """Return the CPU seconds of every process below this one that ended and was waited for."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def tree_bytes(pid: int) -> int:
    """Return the memory of a process and of all below it; Linux only.

    PSS: a page that several processes share counts once in the sum. RSS, which counts it in
    each, where the kernel does not say PSS.
    """
    children: dict[int, list[int]] = {}
    for process in Path("/proc").glob("[0-9]*"):
        if stat := _read(process / "stat"):  # `pid (name) state parent ..`; a name may hold `)`
            parent = int(stat.rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(process.name))
    tree = [pid]
    for member in tree:
        tree += children.get(member, [])
    return sum(map(_process_bytes, tree))


def _process_bytes(pid: int) -> int:
    """Return the memory of one process; 0 when it has ended."""
    text = _read(Path(f"/proc/{pid}/smaps_rollup")) or _read(Path(f"/proc/{pid}/status"))
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] in ("Pss:", "VmRSS:")), 0)


def _read(path: Path) -> str:
    """Return a file of /proc, empty when its process has ended or is somebody else's."""
    try:
        return path.read_text()
    except OSError:
        return ""


def net_seconds(many: Cost, n_many: int, few: Cost, n_few: int) -> float:
    """Return CPU seconds an image, what a command takes to start taken off.

    Raises:
        BenchmarkError: If the larger number of images was not the dearer one.
    """
    if n_many <= n_few or many.cpu_seconds <= few.cpu_seconds:
        raise BenchmarkError(
            f"{n_many} images took {many.cpu_seconds:.2f} CPU seconds and {n_few} took "
            f"{few.cpu_seconds:.2f}: too few images to tell work from start-up"
        )
    return (many.cpu_seconds - few.cpu_seconds) / (n_many - n_few)


def ratio(
    label: str, peer_name: str, peer: Sequence[float], ours: Sequence[float], unit: str
) -> float:
    """Print a line; return the median, over the rounds, of our throughput over the peer's.

    Args:
        label: What was done.
        peer_name: Who else did it.
        peer: Seconds an image in each round.
        ours: Ours in the same rounds.
        unit: Of the throughputs.
    """
    ratios = [a / b for a, b in zip(peer, ours, strict=True)]
    median = statistics.median(ratios)
    print(
        f"{label:42} {peer_name} {1 / statistics.median(peer):7.1f} {unit}, "
        f"mien {1 / statistics.median(ours):7.1f} {unit}, "
        f"ratio {median:.2f} ({min(ratios):.2f} to {max(ratios):.2f})",
        flush=True,
    )
    return median


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return the parser of the options that every benchmark has."""
    options = argparse.ArgumentParser(description=(description or "").partition("\n")[0])
    options.add_argument("--quick", action="store_true", help="fewer images and rounds")
    options.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there")
    return options


def write_results(path: Path | None, table: Mapping[str, float], threads: int) -> None:
    """Write one flat object: the numbers, the commit and the machine."""
    if path is not None:
        cores = len(os.sched_getaffinity(0))
        machine = f"{platform.machine()}, {cores} cores, {threads} threads"
        write_json(path, {**table, "commit": source_commit(), "machine": machine})
