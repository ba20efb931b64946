"""Stage `shard`: the images of `data/index.parquet`, resized and coded, in tar files."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import pyarrow.parquet as pq

from mien import files, paths
from mien.data import estimate
from mien.data.packed import Packed
from mien.data.pictures import Box
from mien.data.shard_writer import Source, write_shards
from mien.data.split import SPLITS
from mien.params import Params

Indexed = dict[str, Packed[Source]]  # by split

BATCH = 4096  # rows as Python objects at a time
_COLUMNS = ("key", "split", "label", "source", "sha256")
_CROP = ("crop_x", "crop_y", "crop_width", "crop_height")


def shard(params: Params, workers: int) -> None:
    """Write `data/shards/<split>/<split>-%05d.tar` and, last, the manifest that lists them.

    Raises:
        DataError: If the index or a source is missing, damaged or changed since `ingest`, or
            the disk has too little room, which is found before the first byte is written.
    """
    root = Path(params.data.root)
    sources = _indexed()
    need = _estimate(params, sources)
    estimate.refuse_shortage(need, paths.SHARDS)
    write_shards(paths.SHARDS_MANIFEST, root, sources, params.shards, params.data.name, workers)


def print_estimate(params: Params, workers: int) -> None:
    """Print what sharding would take, by a sample of the indexed images, and write nothing.

    Raises:
        DataError: If the index or a source is missing, damaged or changed since `ingest`.
    """
    need = _estimate(params, _indexed())
    print(estimate.table(need, params.data.name, workers))


def _estimate(params: Params, sources: Indexed) -> estimate.Estimate:
    every = Packed(chain.from_iterable(sources.values()))
    return estimate.of(every, Path(params.data.root), params.shards)


def _indexed() -> Indexed:
    """Return the images of every split in the order of the index, which is checked first."""
    files.read_manifest(paths.INDEX_MANIFEST)
    sources: Indexed = {split: Packed() for split in SPLITS}
    table = pq.ParquetFile(paths.INDEX)
    for part in table.iter_batches(BATCH, columns=[*_COLUMNS, *_CROP]):
        for key, split, label, source, sha256, *crop in zip(
            *(part.column(name).to_pylist() for name in (*_COLUMNS, *_CROP)), strict=True
        ):
            sources[split].append(Source(key, label, source, sha256, _box(crop)))
    return sources


def _box(crop: list[int | None]) -> Box | None:
    x, y, width, height = crop
    if x is None or y is None or width is None or height is None:
        return None
    return x, y, width, height
