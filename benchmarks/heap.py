"""A training step on the CPU with freed memory kept by the process, against glibc's own way.

    python benchmarks/heap.py [--quick] [--json FILE]

The step is that of `mien finetune joint`, compiled, on one thread: the drawn preset's codec at
batch 8, and the zoo's at quality 3 and batch 4. Whether memory is kept is settled once for a
process, so each measurement is one of its own; the two ways take turns. A ratio is steps a
second with memory kept over those without: more is better.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import json
import os
import subprocess
import tempfile

from benchmarks import measure
from mien.errors import MienError

CHILD = """
import json, resource, sys, time
from benchmarks import steps
from mien.device import has_bfloat16
from mien.heap import keep_freed
N, M, size, batch, count, kept = json.loads(sys.argv[1])
if kept:
    keep_freed()
import torch
torch.set_num_threads(1)
precision = "bfloat16" if has_bfloat16() else "float32"
variant = steps.Variant(precision, compiled=True, classifier="joint")
step = steps.ours(steps.Work((N, M), steps.drawn(batch, size)), variant)
step(4)
before, start = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
step(count)
seconds, after = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF)
faults = after.ru_minflt - before.ru_minflt
print(json.dumps([seconds / count, faults / count, after.ru_maxrss / 1024]))
"""

STEPS = {
    "small": (32, 48, 128, 8, 60),
    "zoo": (128, 192, 256, 4, 6),
}  # N, M, size, batch, steps


@dataclass(frozen=True)
class Step:
    """What one step took, the mean of those of one process."""

    seconds: float
    page_faults: float
    peak_mib: float  # of the process


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    args = measure.parser(__doc__).parse_args(argv)
    try:
        with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as cache:
            table = numbers(rounds=3 if args.quick else 7, cache=cache)
        measure.write_results(args.json, table, threads=1)
    except MienError as error:
        print(f"benchmarks/heap.py: {error}", file=sys.stderr)
        return 2
    return 0


def numbers(rounds: int, cache: str) -> dict[str, float]:
    """Return the median ratio of each size of step, and page faults of a step both ways."""
    table: dict[str, float] = {}
    for name, size in STEPS.items():
        step(size, kept=True, cache=cache)  # it compiles what the others load
        pairs = [
            (step(size, kept=False, cache=cache), step(size, kept=True, cache=cache))
            for _ in range(rounds)
        ]
        plain, kept = zip(*pairs, strict=True)
        table[f"heap_{name}_ratio"] = measure.ratio(
            name,
            "glibc's way",
            [s.seconds for s in plain],
            [s.seconds for s in kept],
            "steps/s",
        )
        for way, found in (("plain", plain), ("kept", kept)):
            table[f"heap_{name}_{way}_faults"] = round(found[-1].page_faults)
            print(
                f"{'':34} {way}: {found[-1].page_faults:.0f} page faults a step, "
                f"{found[-1].peak_mib:.0f} MiB at most",
                flush=True,
            )
    return table


def step(size: Sequence[int], *, kept: bool, cache: str) -> Step:
    """Time steps of one size in a process of their own.

    Args:
        size: N, M, pixels of a side, batch, steps.
        kept: Whether it keeps the memory it frees.
        cache: Where the compiler keeps what it made.

    Raises:
        BenchmarkError: If the process fails.
    """
    command = [sys.executable, "-W", "ignore", "-c", CHILD, json.dumps([*size, kept])]
    environment = {**os.environ, **measure.ONE_THREAD, "TORCHINDUCTOR_CACHE_DIR": cache}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise measure.BenchmarkError(f"a step failed:\n{done.stderr[-2000:]}")
    return Step(*json.loads(done.stdout.splitlines()[-1]))


if __name__ == "__main__":
    sys.exit(main())
