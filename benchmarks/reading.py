"""Reading 256x256 pictures into batches: a folder of JPEGs against shards of the same pictures.

CPU seconds of this process, all its threads included, with the files in the page cache. The
peer's batches are float32, as ToTensor makes them, ours uint8.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from benchmarks import workspace
from benchmarks.measure import BenchmarkError, ratio
from benchmarks.peers import image_folder
from benchmarks.sharding import pictures
from mien.data.shards import split_batches, training_batches

BATCH = 32
SPLIT = "train"
FORMATS: dict[str, dict[str, Any]] = {
    "jpg": {"format": "jpg", "quality": 95},
    "webp": {"format": "webp"},
    "raw": {"format": "raw"},
}
RATIOS = {  # key: who reads
    "read_over_folder": "jpg",  # like with like: the very files of the folder
    "read_webp_over_folder": "webp",
    "read_raw_over_folder": "raw",
    "read_shuffled_over_folder": "jpg shuffled",
    "read_shuffled_webp_over_folder": "webp shuffled",
    "read_shuffled_raw_over_folder": "raw shuffled",
}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    images: int  # of which the split `train` has about 64 %


FULL = Size(9, 4000)
QUICK = Size(4, 1000)

Reader = Callable[[], Iterable[torch.Tensor]]


def measure(scratch: Path, drawn: Path, size: Size) -> dict[str, float]:
    """Return the flat table of ratios and print it.

    Args:
        scratch: A folder for all that is written here.
        drawn: Drawn faces in AffectNet's layout.
        size: How much.

    Raises:
        BenchmarkError: If a command fails, or the two did not read the same pictures.
    """
    torch.set_num_threads(1)
    folder = scratch / "reading"
    manifests = _write_shards(folder, drawn, size.images)
    count = _unpack(manifests["jpg"].parent / SPLIT, folder / "pictures" / SPLIT)
    readers: dict[str, Reader] = {
        "folder": lambda: image_folder.batches(folder / "pictures", SPLIT, BATCH),
        **{name: _reader(manifest, _in_order) for name, manifest in manifests.items()},
        **{f"{n} shuffled": _reader(path, _shuffled) for n, path in manifests.items()},
    }
    refuse_other_pictures(readers["folder"](), readers["jpg"]())
    seconds: dict[str, list[float]] = {name: [] for name in readers}
    for counted in [False] + size.rounds * [True]:  # the first pass warms both sides up
        for name, reader in readers.items():
            used = seconds_an_image(reader, count)
            if counted:
                seconds[name].append(used)
    print(f"reading {count} pictures, {size.rounds} rounds")
    return {
        key: ratio(key, "folder", seconds["folder"], seconds[name], "img/CPU s")
        for key, name in RATIOS.items()
    }


def _write_shards(folder: Path, drawn: Path, count: int) -> dict[str, Path]:
    """Return the manifest of the shards in each format."""
    made = workspace.of_copies(folder, drawn, count * 4 // 5, count // 5)
    made.ingest(1)
    manifests = {}
    for name, look in FORMATS.items():
        made.shard(2, look)
        manifests[name] = made.keep_shards(name) / "manifest.json"
    return manifests


def _unpack(shards: Path, folder: Path) -> int:
    """Write the pictures of all shards as files, in their order; return how many."""
    folder.mkdir(parents=True)
    found = pictures(shards).values()
    for number, picture in enumerate(found):
        (folder / f"{number:06d}.jpg").write_bytes(picture)
    return len(found)


def _reader(manifest: Path, read: Callable[[Path], Iterator[torch.Tensor]]) -> Reader:
    return lambda: read(manifest)


def _in_order(manifest: Path) -> Iterator[torch.Tensor]:
    return (batch.images for batch in split_batches(manifest, SPLIT, BATCH))


def _shuffled(manifest: Path) -> Iterator[torch.Tensor]:
    """Return one epoch of training; what does not fill the last batch is left out."""
    batches = training_batches(manifest, SPLIT, BATCH, seed=0, epoch=0, limit=None)
    return (batch.images for batch in batches)


def seconds_an_image(reader: Reader, count: int) -> float:
    """Return CPU seconds an image of one pass.

    Raises:
        BenchmarkError: If the pass gives more images, or fewer by a whole batch.
    """
    start = time.process_time()
    seen = sum(len(batch) for batch in reader())
    used = time.process_time() - start
    if not count - BATCH < seen <= count:
        raise BenchmarkError(f"{seen} images were read, not {count}")
    return used / seen


def refuse_other_pictures(peer: Iterable[torch.Tensor], ours: Iterable[torch.Tensor]) -> None:
    """Compare float pictures with 8-bit ones, batch by batch.

    Raises:
        BenchmarkError: If they are not the same pictures in the same order.
    """
    for number, (a, b) in enumerate(zip(peer, ours, strict=True)):
        if not torch.equal(a.mul(255).round().to(torch.uint8), b):
            raise BenchmarkError(
                f"batch {number} of the shards has other pixels than the files"
            )
