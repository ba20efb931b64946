"""Sharding and reading against img2dataset and a folder of JPEGs; memory against data size.

    python benchmarks/data.py [--quick] [--json FILE] [--only PART] [--as-drawn]

Every program works on the same drawn faces, in turn, in one process tree; medians of the
rounds with their spread. A ratio is our throughput over the peer's: more is better. The ones
of memory are of 50,000 images over 5,000: less is better; `--quick` leaves them out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks import measure, memory, reading, sharding, workspace
from mien.errors import MienError

PARTS = ("sharding", "reading", "memory")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    options = measure.parser(__doc__)
    options.add_argument("--only", action="append", choices=PARTS, help="may be repeated")
    options.add_argument(
        "--as-drawn", action="store_true", help="sources of quality 95, 4:4:4, not 90, 4:2:0"
    )
    args = options.parse_args(argv)
    parts = args.only or (PARTS[:2] if args.quick else PARTS)
    try:
        table = numbers(parts, quick=args.quick, as_drawn=args.as_drawn)
        measure.write_results(args.json, table, threads=1)
    except MienError as error:
        print(f"benchmarks/data.py: {error}", file=sys.stderr)
        return 2
    return 0


def numbers(parts: Sequence[str], *, quick: bool, as_drawn: bool) -> dict[str, float]:
    """Return the flat table of some parts, measured on faces that are drawn first."""
    with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as name:
        scratch = Path(name)
        drawn = scratch / "drawn"
        workspace.draw(drawn, *((400, 100) if quick else (1600, 400)), as_drawn)
        table: dict[str, float] = {}
        if "sharding" in parts:
            table |= sharding.measure(
                scratch, drawn, sharding.QUICK if quick else sharding.FULL
            )
        if "reading" in parts:
            table |= reading.measure(scratch, drawn, reading.QUICK if quick else reading.FULL)
        if "memory" in parts:
            table |= memory.measure(scratch, drawn)
        return table


if __name__ == "__main__":
    sys.exit(main())
