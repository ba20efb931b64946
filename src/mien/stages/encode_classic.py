"""Stage encode of a classic codec: the test set as complete files, a picture at a time."""

from __future__ import annotations

import time

import numpy as np
import pyarrow as pa
from torch import Tensor
from tqdm import tqdm

from mien import paths
from mien.codec import classic
from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
from mien.data import shards
from mien.params import Params
from mien.runs import Run, classic_quality


def encode(params: Params, run: Run) -> None:
    """Write `streams.parquet` of one run, and its manifest.

    `encode_seconds` is what one picture took, from pixels in memory to bytes, on one thread.

    Raises:
        ParamsError: If params.yaml does not ask for the run.
        StreamError: If the codec's library is not installed.
    """
    quality = classic_quality(params, run)
    library = classic.library_of(run.strategy)
    rows: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    with tqdm(total=n, desc=f"encode {run.strategy} {run.setting}", unit="img") as bar:
        for batch in shards.split_batches(
            paths.SHARDS_MANIFEST, "test", params.evaluate.batch_size
        ):
            for key, image in zip(batch.keys, batch.images, strict=True):
                picture = _picture(image)
                start = time.perf_counter()
                stream = classic.encode(run.strategy, picture, quality)
                rows["encode_seconds"].append(time.perf_counter() - start)
                rows["key"].append(key)
                rows["stream"].append(stream)
                rows["estimated_bits"].append(None)
            bar.update(len(batch.keys))
    shared = Shared(
        codec=run.strategy,
        entropy=None,
        precision=None,
        height=params.shards.image_size,
        width=params.shards.image_size,
        batch_size=params.evaluate.batch_size,
        streams=digest_of(rows["stream"]),  # type: ignore[arg-type]
        symbols=digest_of([]),
        library=library,
        settings=classic.settings_of(run.strategy, quality),
    )
    write_archive(paths.streams(run), pa.table(rows, schema=SCHEMA), shared)


def _picture(image: Tensor) -> classic.Picture:
    """Return uint8 [H, W, 3] of uint8 [3, H, W]."""
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
