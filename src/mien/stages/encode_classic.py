"""Stage encode of a classic codec: the test set as complete files, a picture at a time."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import pyarrow as pa
from torch import Tensor
from tqdm import tqdm

from mien import paths
from mien.codec import classic
from mien.data import shards
from mien.params import Params
from mien.part import WHOLE, Part
from mien.runs import Run, classic_quality
from mien.stages.encoded import ROWS, Row, write_encoded
from mien.stages.parts import gathered, write_part

STAGE = "encode"


def encode(params: Params, run: Run) -> None:
    """Write `streams.parquet` and `encode_seconds.parquet` of one run.

    A picture's seconds are what it took, from pixels in memory to bytes, on one thread. Where
    `compute.parts` is more than 1, the parts have coded the pictures.

    Raises:
        DataError: If a part is missing or was made from something else.
        ParamsError: If params.yaml does not ask for the run.
        StreamError: If the codec's library is not installed.
    """
    facts = _facts(params, run)
    if params.compute.parts == 1:
        rows = _coded(params, run, WHOLE)
    else:
        rows = gathered(STAGE, run, params.compute.parts, facts)
    write_encoded(run, rows, facts)


def encode_part(params: Params, run: Run, part: Part) -> None:
    """Code one part of the pictures of a run."""
    facts = _facts(params, run)
    write_part(STAGE, run, part, _coded(params, run, part), facts)


def _facts(params: Params, run: Run) -> dict[str, Any]:
    return {
        "codec": run.strategy,
        "entropy": None,
        "precision": None,
        "height": params.shards.image_size,
        "width": params.shards.image_size,
        "batch_size": params.evaluate.batch_size,
        "library": classic.library_of(run.strategy),
        "settings": classic.settings_of(run.strategy, classic_quality(params, run)),
    }


def _coded(params: Params, run: Run, part: Part) -> pa.Table:
    """Return a row per picture of a part, in the order of the shards."""
    size, quality = params.evaluate.batch_size, classic_quality(params, run)
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    done = shards.batches_of(n, size, part).start * size
    title = f"encode {run.strategy} {run.setting}"
    rows: list[Row] = []
    with tqdm(total=n, desc=title, unit="img", initial=done) as bar:
        for batch in shards.split_batches(paths.SHARDS_MANIFEST, "test", size, part=part):
            for key, image in zip(batch.keys, batch.images, strict=True):
                picture = _picture(image)
                start = time.perf_counter()
                stream = classic.encode(run.strategy, picture, quality)
                spent = time.perf_counter() - start
                rows.append({"key": key, "stream": stream, "seconds": spent})
            bar.update(len(batch.keys))
    return pa.Table.from_pylist(rows, ROWS)


def _picture(image: Tensor) -> classic.Picture:
    """Return uint8 [H, W, 3] of uint8 [3, H, W]."""
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
