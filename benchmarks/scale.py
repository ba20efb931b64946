"""A hundred million pictures on paper: the table of docs/scale.md, from benchmarks/speeds.csv.

    python benchmarks/scale.py [--images 100000000] [--hours-a-job 1]

Nothing is run. Every line is a measured number times the pictures; what is no number of that
file stands below as a constant, with its source.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Sequence
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from mien.verbs.speeds import MEASURED, Speeds, read_speeds

IMAGES = 100_000_000
IMAGES_A_SHARD = 10_000
SHARDS_A_PART_OF_THE_MANIFEST = 1_000
# docs/results/data.md: peak memory at 50,000 pictures less that at 5,000, over 45,000.
MEMORY_BYTES = {"ingest": (188.2e6 - 180.2e6) / 45_000, "shard": (220.5e6 - 201.4e6) / 45_000}
STREAM_BYTES = 744.1  # docs/results/streams.md: 0.0906 bit/pixel at 256x256
# Of an entry in data/shards/manifest.json: name, count, bytes and two sha256, indented.
MANIFEST_ENTRY_BYTES = 302
Row = tuple[str, str, str]


def main(argv: Sequence[str] | None = None) -> int:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--images", type=int, default=IMAGES)
    options.add_argument("--hours-a-job", type=float, default=1.0)
    args = options.parse_args(argv)
    print(table(read_speeds([MEASURED]), args.images, args.hours_a_job))
    return 0


def table(speeds: Speeds, images: int, hours_a_job: float) -> str:
    """Return the page's table in Markdown."""
    rows = [*_work(speeds, images, hours_a_job), *_bytes(speeds, images)]
    head = ["| What | Measured | Times the pictures |", "| --- | ---: | ---: |"]
    return "\n".join([*head, *(f"| {' | '.join(row)} |" for row in rows)])


def _work(speeds: Speeds, images: int, hours_a_job: float) -> list[Row]:
    """Return core-hours, and how many jobs of so many hours that is."""
    read = speeds.of("cpu", "decode_n128") + 2 * speeds.of("cpu", "classify")
    seconds = {
        "`ingest`": speeds.of("cpu", "ingest"),
        "`shard`, lossless WebP": speeds.of("cpu", "shard"),
        "`encode`, one codec of N = 128": speeds.of("cpu", "encode_n128"),
        "`decode`, classify, measure": read + speeds.of("cpu", "distortion"),
    }
    hours = {name: one * images / 3600 for name, one in seconds.items()}
    jobs = {name: math.ceil(one / hours_a_job) for name, one in hours.items()}
    trained = speeds.of("cpu", "train_joint_n128")
    return [
        *(
            (
                name,
                f"{1000 * one:,.2f} ms",
                f"{hours[name]:,.0f} core-hours: {jobs[name]:,} jobs of {hours_a_job:g} h",
            )
            for name, one in seconds.items()
        ),
        (
            "one epoch of `joint`, N = 128",
            f"{1000 * trained:,.0f} ms",
            f"{trained * images / 3600:,.0f} core-hours, in one job",
        ),
    ]


def _bytes(speeds: Speeds, images: int) -> list[Row]:
    shard, index = (speeds.of("cpu", f"{name}_bytes") for name in ("shard", "index"))
    shards = math.ceil(images / IMAGES_A_SHARD)
    md5 = speeds.of("cpu", "md5_gigabyte")
    total = shard * images / 1e9
    listed = MANIFEST_ENTRY_BYTES * shards / 1e6
    pieces = math.ceil(shards / SHARDS_A_PART_OF_THE_MANIFEST)
    return [
        ("shards", f"{shard:,.0f} B", f"{total / 1000:,.1f} TB"),
        (
            f"tar files of {IMAGES_A_SHARD:,} pictures",
            f"{shard * IMAGES_A_SHARD / 1e6:,.0f} MB each",
            f"{shards:,} files",
        ),
        (
            "`manifest.json`",
            f"{MANIFEST_ENTRY_BYTES} B a shard",
            f"{listed:,.1f} MB, or {pieces} of 0.3 MB",
        ),
        ("`index.parquet`", f"{index:,.1f} B", f"{index * images / 1e9:,.1f} GB"),
        (
            "streams at 0.09 bit/pixel",
            f"{STREAM_BYTES} B",
            f"{STREAM_BYTES * images / 1e9:,.0f} GB",
        ),
        (
            "MD5 of all shards (`dvc add`)",
            f"{md5:.2f} s/GB",
            f"{md5 * total / 3600:,.1f} core-hours",
        ),
        *(
            (
                f"memory of today's `{stage}`",
                f"{one:,.0f} B",
                f"{one * images / 1e9:,.0f} GB in one process",
            )
            for stage, one in MEMORY_BYTES.items()
        ),
    ]


if __name__ == "__main__":
    sys.exit(main())
