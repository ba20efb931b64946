"""What it costs to find out that nothing is to be done: Snakemake with 600 jobs, DVC on top.

    python benchmarks/workflow.py [--quick] [--json FILE] [--only PART]

Our own Snakefile, with sweeps so long that it has 600 jobs; their outputs are empty files that
Snakemake is told to take for finished (`--touch`). Then the command that a user types runs
again and again: wall seconds, the median of the rounds with their spread, and CPU seconds,
which a busy machine changes less. The start of the bare program is measured beside it: what no
Snakefile can win back. For DVC the project's dvc.yaml is put on the same finished files.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import statistics

import yaml

from benchmarks import measure
from mien.errors import MienError

ROOT = Path(__file__).resolve().parent.parent
TOY = ROOT / "tests/toy.yaml"
PARTS = ("snakemake", "dvc")
JOBS = 600
# Of the toy preset with one quality and no classic codec: a setting is trained, encoded and
# decoded for each of two strategies; the rest is common.
JOBS_A_SETTING, COMMON_JOBS = 6, 12
PROGRAMS = Path(sys.executable).parent
NOTHING = "Nothing to be done"


@dataclass(frozen=True)
class Timing:
    """The rounds of one command."""

    wall_seconds: list[float]
    cpu_seconds: list[float]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    options = measure.parser(__doc__)
    options.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    args = options.parse_args(argv)
    print(f"load {os.getloadavg()[0]:.1f} before the start", flush=True)
    try:
        table = numbers(args.only or PARTS, rounds=3 if args.quick else 9)
        measure.write_results(args.json, table, threads=len(os.sched_getaffinity(0)))
    except MienError as error:
        print(f"benchmarks/workflow.py: {error}", file=sys.stderr)
        return 2
    return 0


def numbers(parts: Sequence[str], rounds: int, jobs: int = JOBS) -> dict[str, float]:
    """Return the flat table of some parts, on one copy of the project."""
    if not (ROOT / "dvc.yaml").is_file() and "dvc" in parts:
        print("no dvc.yaml in this source: dvc_noop_seconds is not measured", flush=True)
        parts = [part for part in parts if part != "dvc"]
    with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as name:
        folder = Path(name) / "project"
        copy_project(folder)
        (folder / "params.yaml").write_text(yaml.safe_dump(params(jobs)), encoding="utf-8")
        finish(folder)
        table: dict[str, float] = {}
        if "snakemake" in parts:
            table |= _snakemake(folder, rounds, jobs)
        if "dvc" in parts:
            table |= _dvc(folder, rounds)
    return table


def params(jobs: int) -> dict[str, Any]:
    """Return toy params with so many jobs.

    Raises:
        ValueError: If no number of settings gives that many.
    """
    swept, rest = divmod(jobs - COMMON_JOBS - JOBS_A_SETTING, JOBS_A_SETTING)
    if rest or swept < 0:
        raise ValueError(f"{jobs} jobs: {COMMON_JOBS} and a multiple of {JOBS_A_SETTING} only")
    tree: dict[str, Any] = yaml.safe_load(TOY.read_text(encoding="utf-8"))
    tree["codec"]["qualities"] = [3]
    tree["classic"] = {}
    tree["strategies"] = ["compression-only", "joint"]
    values = [round(2 + number / 1000, 3) for number in range(swept)]
    tree["sweep"] = {"quality": 3, "bpp": values[::3], "mse": values[1::3], "ce": values[2::3]}
    return tree


def copy_project(folder: Path) -> None:
    """Copy the files that git tracks, with what was changed in them."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, folder / name)


def finish(folder: Path) -> None:
    """Make every output an empty file that Snakemake takes for finished."""
    listed = _said([_program("snakemake"), "--summary"], folder)
    lines = (line.split("\t") for line in listed.splitlines())
    names = [
        columns[0] for columns in lines if len(columns) > 1 and columns[0] != "output_file"
    ]
    for path in (folder / name for name in names):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    _said([_program("snakemake"), "--touch"], folder)


def _snakemake(folder: Path, rounds: int, jobs: int) -> dict[str, float]:
    command = [_program("snakemake"), "--cores", "all", "--resources", "gpu=1"]
    require_done(folder, jobs)
    start = timed([_program("snakemake"), "--version"], folder, rounds)
    key = f"snakemake_noop_{jobs}"
    return _row("snakemake_start", start) | _row(key, timed(command, folder, rounds))


def require_done(folder: Path, jobs: int) -> None:
    """Refuse to measure when something is to be done, or there are fewer jobs than said.

    Raises:
        BenchmarkError: Then.
    """
    said = _said([_program("snakemake"), "-n"], folder)
    if NOTHING not in said:
        raise measure.BenchmarkError(f"a second run would do something:\n{said[-500:]}")
    forced = _said([_program("snakemake"), "-n", "--forceall", "--quiet", "rules"], folder)
    found = re.search(r"^total +(\d+)$", forced, re.MULTILINE)
    made = int(found[1]) - 1 if found else 0  # without the target, which runs nothing
    if made != jobs:
        raise measure.BenchmarkError(f"{made} jobs were made, not {jobs}")


def _dvc(folder: Path, rounds: int) -> dict[str, float]:
    """Put the project's dvc.yaml on the finished files, and time `dvc repro`."""
    git = ["git", "-c", "user.name=mien", "-c", "user.email=mien@localhost"]
    _said(["git", "init", "--quiet"], folder)
    for out in outs(yaml.safe_load((folder / "dvc.yaml").read_text(encoding="utf-8"))):
        if not (folder / out).exists():
            (folder / out).parent.mkdir(parents=True, exist_ok=True)
            (folder / out).touch()
    _said([*git, "add", "--all"], folder)
    _said([*git, "commit", "--quiet", "--message", "copy"], folder)
    _said([_program("dvc"), "commit", "--force", "--quiet"], folder)
    _said([_program("dvc"), "repro"], folder)  # a stage that always asks Snakemake is locked
    start = timed([_program("dvc"), "version"], folder, 1)  # warms up
    said = _said([_program("dvc"), "repro"], folder)
    if re.search(r"^Finished jobid", said, re.MULTILINE):
        raise measure.BenchmarkError(f"a second dvc repro would do something:\n{said[-500:]}")
    start = timed([_program("dvc"), "--version"], folder, rounds)
    repro = timed([_program("dvc"), "repro"], folder, rounds)
    return _row("dvc_start", start) | _row("dvc_noop", repro)


def outs(stages: dict[str, Any]) -> list[str]:
    """Return every path that dvc.yaml versions."""
    found = []
    for stage in stages["stages"].values():
        for entry in [*stage.get("outs", []), *stage.get("metrics", [])]:
            found += [entry] if isinstance(entry, str) else list(entry)
    return found


def timed(command: Sequence[str | Path], folder: Path, rounds: int) -> Timing:
    """Run a command so many times after one that is not counted."""
    costs = [measure.run(command, folder, _environment(folder)) for _ in range(rounds + 1)][1:]
    return Timing([c.wall_seconds for c in costs], [c.cpu_seconds for c in costs])


def _row(key: str, timing: Timing) -> dict[str, float]:
    wall, cpu = timing.wall_seconds, timing.cpu_seconds
    middle = statistics.median(wall), statistics.median(cpu)
    print(
        f"{key:22} {middle[0]:5.2f} s ({min(wall):.2f} to {max(wall):.2f}), "
        f"{middle[1]:5.2f} CPU s ({min(cpu):.2f} to {max(cpu):.2f})",
        flush=True,
    )
    return {f"{key}_seconds": middle[0], f"{key}_cpu_seconds": middle[1]}


def _program(name: str) -> Path:
    """Return a program of the environment that this Python is of."""
    path = PROGRAMS / name
    if not path.is_file():
        raise measure.BenchmarkError(
            f"{path}: no such program: install mien with its dependencies"
        )
    return path


def _environment(folder: Path) -> dict[str, str]:
    """Return what makes `mien` the copy's source, and DVC ask nobody for anything."""
    path = os.pathsep.join([str(PROGRAMS), os.environ.get("PATH", "")])
    return {"PATH": path, "PYTHONPATH": str(folder / "src"), "DVC_NO_ANALYTICS": "1"}


def _said(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command to its end and return what it printed.

    Raises:
        BenchmarkError: If it fails.
    """
    environment = {**os.environ, **_environment(folder)}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise measure.BenchmarkError(
            f"{' '.join(map(str, command))}: exit code {done.returncode}:\n"
            + (done.stdout + done.stderr)[-1000:]
        )
    return done.stdout + done.stderr


if __name__ == "__main__":
    sys.exit(main())
