"""`kill -9` of a whole workflow at random moments, `mien resume` after each: the same results?

python -m benchmarks.kills --kills 30 --seed 0

A small workflow (`--toy`: all of tests/toy.yaml) is run once without interruption, and once
with its process group killed so long after each start, a random part of what the first run
took. What the project calls results has to be the same byte for byte: metrics.json, the tables
but the one of measured times, the checkpoints and pretrained models.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RESULTS = ("metrics.json", "tables/*", "results/*/*/checkpoint.*", "models/**/*.safetensors")
MEASURED = "tables/timings.md"
LESS = {  # one codec, one strategy: every rule but the classic codecs' once or twice
    "data": {"faces": {"train": 40, "test": 16, "seed": 3}},
    "codec": {"qualities": [3]},
    "sweep": {"ce": []},
    "finetune": {"epochs": 2},
}
EVERY_STEP = {"save_seconds": 0.0}  # a training's state after each


def prepare(folder: Path, *, toy: bool = False) -> None:
    """Write the params of a small workflow: those of `tests/toy.yaml`, all of it or less."""
    tree = yaml.safe_load((ROOT / "tests/toy.yaml").read_text(encoding="utf-8"))
    tree["compute"] |= EVERY_STEP
    if not toy:
        tree |= {section: tree[section] | changes for section, changes in LESS.items()}
        tree |= {"classic": {}, "strategies": ["joint"]}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")


def resume(folder: Path, *targets: str) -> subprocess.Popen[str]:
    """Start `mien resume` in a process group of its own."""
    options = ["--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    limits = ["--resources", "gpu=2", "--max-threads", "1", "--cores", "2"]
    return subprocess.Popen(
        [sys.executable, "-m", "mien.cli", "resume", *options, *limits, *targets],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def finish(folder: Path, *targets: str) -> str:
    """Run `mien resume` to its end and return what it said; raise if it fails."""
    with resume(folder, *targets) as process:
        _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(said)
    return said


def killed(folder: Path, seconds: float, *targets: str) -> bool:
    """Kill `mien resume` so long after its start; return False if it had ended before."""
    with resume(folder, *targets) as process:
        try:
            _, said = process.communicate(timeout=seconds)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            return True
    if process.returncode:
        raise RuntimeError(said)
    return False


def results(folder: Path) -> dict[str, bytes]:
    """Return the bytes of everything that has to be the same."""
    found = {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for pattern in RESULTS
        for path in folder.glob(pattern)
    }
    return {name: data for name, data in sorted(found.items()) if name != MEASURED}


def leftovers(folder: Path) -> list[str]:
    """Return what should not be there after a workflow has ended."""
    locks = [*folder.glob(".snakemake/locks/*"), *folder.glob(".snakemake/mien/*.json")]
    states = folder.glob("work/*")
    return [str(path) for path in [*locks, *states, *folder.glob("**/.*.tmp")]]


def changed(alone: Path, disturbed: Path) -> list[str]:
    """Return the results of a disturbed workflow that differ, and what it left lying about."""
    expected, seen = results(alone), results(disturbed)
    names = sorted({*expected, *seen})
    return [
        *(name for name in names if expected.get(name) != seen.get(name)),
        *leftovers(disturbed),
    ]


def disturb(
    place: Path, alone: Path, kills: int, moment: Callable[[], float], toy: bool
) -> list[str]:
    """Kill a workflow so often, a new one when it has ended; return what has changed."""
    wrong: list[str] = []
    number = done = 0
    while done < kills:
        number += 1
        folder = place / f"disturbed-{number}"
        prepare(folder, toy=toy)
        while done < kills and killed(folder, seconds := moment()):
            done += 1
            finished = len(list(folder.glob("logs/**/*.tsv")))
            print(f"kill {done}: after {seconds:.1f} s, {finished} jobs done", flush=True)
        finish(folder)
        wrong += changed(alone, folder)
    print(f"{kills} kills, {number} workflow{'s' * (number > 1)}", flush=True)
    return wrong


def main() -> int:
    """Kill and resume; return 0 if the results are those of a run that was left alone."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--least", type=float, default=0.03, help="of the whole, %(default)s")
    parser.add_argument("--most", type=float, default=0.25, help="of the whole, %(default)s")
    parser.add_argument("--toy", action="store_true", help="the workflow of tests/toy.yaml")
    args = parser.parse_args()
    part = partial(random.Random(args.seed).uniform, args.least, args.most)
    with tempfile.TemporaryDirectory() as place:
        alone = Path(place, "alone")
        prepare(alone, toy=args.toy)
        began = time.monotonic()
        finish(alone)
        whole = time.monotonic() - began
        print(f"left alone: {whole:.0f} s", flush=True)
        wrong = disturb(Path(place), alone, args.kills, lambda: whole * part(), args.toy)
        print(
            f"{len(results(alone))} files compared; differing or left over: {wrong or 'none'}"
        )
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
