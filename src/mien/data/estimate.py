"""What sharding will take in disk and time, by a sample of the images."""

from __future__ import annotations

import shutil
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from mien.data.shard_writer import Source, sample
from mien.errors import DataError
from mien.params import Shards

SAMPLED = 64  # images, evenly spaced
MARGIN = 1.1  # on the disk space asked for
AFFECTNET = 291_650  # images of the 8-label release: 287,651 and 3,999
INDEX_BYTES = 120  # of a sample's row in the index beside its shard


@dataclass(frozen=True)
class Estimate:
    """The cost of sharding so many images, by some of them."""

    n_images: int
    n_sampled: int
    bytes_per_image: float  # on disk, in the tar file and its index
    seconds_per_image: float  # of one core


def of(sources: Collection[Source], root: Path, look: Shards) -> Estimate:
    """Make SAMPLED evenly spaced samples, in memory alone, and measure them.

    Args:
        sources: All that are to be sharded, at least one.
        root: The folder below which they lie.
        look: Size, filter and format of the pictures.

    Raises:
        DataError: If one of those sources is missing, changed since it was indexed, or
            unreadable.
    """
    n = min(SAMPLED, len(sources))
    places = {i * len(sources) // n for i in range(n)}
    chosen = [source for place, source in enumerate(sources) if place in places]
    sample(chosen[0], look, root)  # the first one pays for what is loaded once
    start = time.process_time()
    n_bytes = sum(len(sample(source, look, root)) for source in chosen)
    seconds = time.process_time() - start
    return Estimate(len(sources), n, n_bytes / n + INDEX_BYTES, seconds / n)


def refuse_shortage(estimate: Estimate, folder: Path) -> None:
    """Refuse to begin what would fill the disk; shards that will be replaced count as room.

    Raises:
        DataError: If the disk that `folder` is on has too little room.
    """
    need = int(MARGIN * estimate.n_images * estimate.bytes_per_image)
    free = _free_bytes(folder) + sum(tar.stat().st_size for tar in folder.glob("*/*.tar"))
    if need > free:
        raise DataError(
            f"{folder}: {estimate.n_images} images need about {_gigabytes(need)}, but the disk "
            f"has room for {_gigabytes(free)}: make room, or link the folder to another disk"
        )


def _free_bytes(folder: Path) -> int:
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    return shutil.disk_usage(existing).free


def table(estimate: Estimate, name: str, workers: int) -> str:
    """Return disk and time for this data set and for AffectNet, as text."""
    rows = [(name, estimate.n_images)]
    if estimate.n_images != AFFECTNET:
        rows.append(("AffectNet", AFFECTNET))
    head = (
        f"by {estimate.n_sampled} images: {estimate.bytes_per_image / 1e3:.1f} kB each, "
        f"{1 / estimate.seconds_per_image:.0f} images/s a core"
    )
    return "\n".join([head, *(_row(estimate, *row, workers) for row in rows)])


def _row(estimate: Estimate, name: str, n_images: int, workers: int) -> str:
    minutes = n_images * estimate.seconds_per_image / 60
    return (
        f"{name}, {n_images} images: {_gigabytes(n_images * estimate.bytes_per_image)}, "
        f"{minutes:.1f} minutes of one core, {minutes / workers:.1f} with --threads {workers}"
    )


def _gigabytes(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.2f} GB"
