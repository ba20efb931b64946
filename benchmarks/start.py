"""What a job's process costs before its work: its imports, with and without quickstart.

    python benchmarks/start.py [--quick] [--json FILE]

The peer is the same import of `mien.stages.decode` without `mien.quickstart`, that is, plain
`import compressai`. Rounds take turns; CPU seconds of one thread, wall seconds beside them.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import statistics

from benchmarks import measure
from mien.errors import MienError

PLAIN = "import mien.stages.decode"
QUICK = f"from mien.quickstart import quick_start; quick_start(); {PLAIN}"
WAYS = {"torch": "import torch", "plain": PLAIN, "quick": QUICK}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    args = measure.parser(__doc__).parse_args(argv)
    try:
        measure.write_results(args.json, numbers(rounds=3 if args.quick else 9), threads=1)
    except MienError as error:
        print(f"benchmarks/start.py: {error}", file=sys.stderr)
        return 2
    return 0


def numbers(rounds: int) -> dict[str, float]:
    """Return median seconds of each way, and the ratio of plain to quick over the rounds."""
    costs: dict[str, list[measure.Cost]] = {way: [] for way in WAYS}
    for _ in range(rounds + 1):
        for way, code in WAYS.items():
            command = [sys.executable, "-W", "ignore", "-c", code]
            costs[way].append(measure.run(command, Path.cwd()))
    table: dict[str, float] = {}
    for way, found in costs.items():
        cpu = [cost.cpu_seconds for cost in found[1:]]
        wall = [cost.wall_seconds for cost in found[1:]]
        table[f"start_{way}_cpu_seconds"] = statistics.median(cpu)
        table[f"start_{way}_seconds"] = statistics.median(wall)
        print(
            f"{way:6} {statistics.median(cpu):5.2f} CPU s ({min(cpu):.2f} to {max(cpu):.2f}), "
            f"{statistics.median(wall):5.2f} s ({min(wall):.2f} to {max(wall):.2f})"
        )
    ratios = [
        plain.cpu_seconds / quick.cpu_seconds
        for plain, quick in zip(costs["plain"][1:], costs["quick"][1:], strict=True)
    ]
    table["start_ratio"] = statistics.median(ratios)
    print(f"ratio  {table['start_ratio']:.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
    return table


if __name__ == "__main__":
    sys.exit(main())
