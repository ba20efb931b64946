"""Stage `shard`: the images of `data/index.parquet`, resized and coded, in tar files."""

from __future__ import annotations

import json
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from mien import files, paths
from mien.data import estimate
from mien.data.packed import Packed
from mien.data.pictures import Box
from mien.data.shard_writer import (
    Shard,
    Source,
    list_shards,
    plans_of,
    write_shards,
    write_some,
)
from mien.data.split import SPLITS
from mien.errors import DataError
from mien.params import Params
from mien.part import Part, all_parts
from mien.stages.parts import require, require_same

Indexed = dict[str, Packed[Source]]  # by split

BATCH = 4096  # rows as Python objects at a time
_COLUMNS = ("key", "split", "label", "source", "sha256")
_CROP = ("crop_x", "crop_y", "crop_width", "crop_height")


def shard(params: Params, workers: int) -> None:
    """Write `data/shards/<split>/<split>-%05d.tar` and, last, the manifest that lists them.

    Where `compute.parts` is more than 1, the parts have written the tar files.

    Raises:
        DataError: If the index or a source is missing, damaged or changed since `ingest`, the
            disk has too little room, which is found before the first byte is written, or a
            part is missing or was made from something else.
    """
    root = Path(params.data.root)
    sources = _indexed()
    if params.compute.parts > 1:
        shards = _written(params)
        list_shards(paths.SHARDS_MANIFEST, shards, sources, params.shards, params.data.name)
        return
    estimate.refuse_shortage(_estimate(params, sources), paths.SHARDS)
    write_shards(paths.SHARDS_MANIFEST, root, sources, params.shards, params.data.name, workers)


def shard_part(params: Params, part: Part, workers: int) -> None:
    """Write the tar files of one part, and what they are.

    Raises:
        DataError: As `shard`.
    """
    sources = _indexed()
    estimate.refuse_shortage(_estimate(params, sources), paths.SHARDS)
    plans = plans_of(sources, params.shards)
    own = part.of(len(plans))
    written = write_some(
        paths.SHARDS_MANIFEST,
        Path(params.data.root),
        plans[own.start : own.stop],
        params.shards,
        workers,
    )
    shards = [asdict(shard) for shard in written]
    files.write_json(paths.shard_part(part), _made_from(params) | {"shards": shards})


def _written(params: Params) -> list[Shard]:
    """Return what the parts have written, in order."""
    found: list[Shard] = []
    for part in all_parts(params.compute.parts):
        path = paths.shard_part(part)
        require(path)
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            found += [Shard(**entry) for entry in record.pop("shards")]
        except (ValueError, TypeError, KeyError, AttributeError):
            raise DataError(f"{path}: not a whole part: delete it and re-run") from None
        require_same(path, record, _made_from(params))
    return found


def _made_from(params: Params) -> dict[str, Any]:
    look = params.shards.model_dump(mode="json")
    return {"index": files.sha256_of(paths.INDEX_MANIFEST), "look": look}


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
