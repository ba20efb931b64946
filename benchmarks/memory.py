"""Whether `mien ingest` and `mien shard` need more memory for more images, and what they take.

The default look: 256x256, lossless WebP, Pillow's bicubic. Two worker processes, the memory of
the whole tree.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks import workspace
from benchmarks.measure import Cost
from benchmarks.workspace import Workspace
from mien.data.estimate import AFFECTNET

FEW, MANY = 5_000, 50_000
STAGES = ("ingest", "shard")
THREADS = 2


@dataclass(frozen=True)
class Point:
    """What both stages took for one number of images."""

    images: int
    costs: dict[str, Cost]  # by stage
    n_bytes: dict[str, int]  # on disk: the index, the shards


def measure(scratch: Path, drawn: Path, few: int = FEW, many: int = MANY) -> dict[str, float]:
    """Return the flat table and print it, with the linear estimate for AffectNet.

    Args:
        scratch: A folder for all that is written here, 5 GB with the default numbers.
        drawn: Drawn faces in AffectNet's layout.
        few: Images of the smaller data set.
        many: Images of the larger one.

    Raises:
        BenchmarkError: If a command fails.
    """
    small, large = (_point(scratch / f"{count}", drawn, count) for count in (few, many))
    ratios = {
        stage: large.costs[stage].peak_bytes / small.costs[stage].peak_bytes for stage in STAGES
    }
    for point in (small, large):
        _print(point)
    _print_estimate(small, large)
    print(f"peak memory of {many} over {few} images: {_listed(ratios)}")
    return {
        "memory_50k_over_5k": max(ratios.values()),
        **{f"{stage}_memory_50k_over_5k": ratios[stage] for stage in STAGES},
        **_numbers(large),
    }


def _point(folder: Path, drawn: Path, count: int) -> Point:
    """Run both stages on so many images, of which a seventieth is the test set, and tidy up."""
    n_test = max(8, count // 70)
    made = workspace.of_copies(folder, drawn, count - n_test, n_test)
    costs = {
        "ingest": made.ingest(THREADS, watch_memory=True),
        "shard": made.shard(THREADS, {}, watch_memory=True),
    }
    point = Point(count, costs, {"ingest": made.index.stat().st_size, "shard": _size(made)})
    shutil.rmtree(folder)
    return point


def _size(made: Workspace) -> int:
    return sum(path.stat().st_size for path in made.shards.rglob("*") if path.is_file())


def _numbers(point: Point) -> dict[str, float]:
    """Return what the larger run took under flat names."""
    table: dict[str, float] = {}
    for stage, cost in point.costs.items():
        table[f"{stage}_wall_seconds"] = cost.wall_seconds
        table[f"{stage}_cpu_seconds"] = cost.cpu_seconds
        table[f"{stage}_peak_bytes"] = cost.peak_bytes
        table[f"{stage}_written_bytes"] = point.n_bytes[stage]
    return table


def _print(point: Point) -> None:
    for stage, cost in point.costs.items():
        _print_row(
            *(stage, point.images, cost.wall_seconds, cost.cpu_seconds),
            *(cost.peak_bytes, point.n_bytes[stage]),
        )


def _print_row(
    stage: str, images: int, wall: float, cpu: float, peak: float, written: float
) -> None:
    print(
        f"{stage:6} {images:7,} images: {wall:7.1f} s, {cpu:7.1f} CPU s, "
        f"peak {peak / 1e6:6.1f} MB, {written / 1e6:9.1f} MB written",
        flush=True,
    )


def _print_estimate(small: Point, large: Point) -> None:
    print(f"by a straight line through both, AffectNet's {AFFECTNET:,}:")
    for stage in STAGES:
        a, b = _numbers(small), _numbers(large)
        kinds = ("wall_seconds", "cpu_seconds", "peak_bytes", "written_bytes")
        values = [
            extrapolated(small.images, a[f"{stage}_{kind}"], large.images, b[f"{stage}_{kind}"])
            for kind in kinds
        ]
        _print_row(stage, AFFECTNET, *values)


def extrapolated(x0: int, y0: float, x1: int, y1: float, x: int = AFFECTNET) -> float:
    """Return the value at `x` of the straight line through two points."""
    return y1 + (y1 - y0) / (x1 - x0) * (x - x1)


def _listed(ratios: dict[str, float]) -> str:
    return ", ".join(f"{stage} {value:.3f}" for stage, value in ratios.items())
