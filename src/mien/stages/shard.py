"""Stage `shard`: the images of `data/index.parquet`, resized and lossless, in tar files."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq

from mien import files, paths
from mien.data.shard_writer import Source, write_shards
from mien.data.split import SPLITS
from mien.params import Params


def shard(params: Params, workers: int) -> None:
    """Write `data/shards/<split>/<split>-%05d.tar` and, last, the manifest that lists them.

    Raises:
        DataError: If the index or a source is missing, damaged or changed since `ingest`.
    """
    sources = _indexed(Path(params.data.root))
    write_shards(paths.SHARDS_MANIFEST, sources, params.shards, params.data.name, workers)


def _indexed(root: Path) -> dict[str, list[Source]]:
    """Return the images of every split in the order of the index, which is checked first."""
    files.read_manifest(paths.INDEX_MANIFEST)
    columns = ["key", "split", "label", "source", "sha256"]
    sources: dict[str, list[Source]] = {split: [] for split in SPLITS}
    for row in pq.read_table(paths.INDEX, columns=columns).to_pylist():
        source = Source(row["key"], row["label"], root / row["source"], row["sha256"])
        sources[row["split"]].append(source)
    return sources
