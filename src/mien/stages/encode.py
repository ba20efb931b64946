"""Stage encode: the test set of one run as real bitstreams, in one job or in parts."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
from tqdm import tqdm

from mien import paths
from mien.codec.stream import Loaded, StreamCoder, load_coder
from mien.data import shards
from mien.device import device, seconds
from mien.files import read_manifest
from mien.params import Params
from mien.part import WHOLE, Part
from mien.runs import Run
from mien.stages.encoded import ROWS, Row, write_encoded
from mien.stages.parts import gathered, write_part

STAGE = "encode"


def encode(params: Params, run: Run) -> None:
    """Write `streams.parquet`, `bits.parquet` and `encode_seconds.parquet` of one run.

    A picture's seconds are its share of its batch's, from pixels on the device to bytes. Where
    `compute.parts` is more than 1, the parts have coded the pictures.

    Raises:
        DataError: If a part is missing or was made from something else.
    """
    loaded = _loaded(params, run)
    facts = _facts(params, loaded)
    if params.compute.parts == 1:
        rows = _coded(params, run, loaded.coder, WHOLE)
    else:
        rows = gathered(STAGE, run, params.compute.parts, facts)
    write_encoded(run, rows, facts)


def encode_part(params: Params, run: Run, part: Part) -> None:
    """Code one part of the pictures of a run."""
    loaded = _loaded(params, run)
    rows = _coded(params, run, loaded.coder, part)
    write_part(STAGE, run, part, rows, _facts(params, loaded))


def _loaded(params: Params, run: Run) -> Loaded:
    read_manifest(paths.manifest_of(paths.codec_of(run)))
    return load_coder(paths.codec_of(run), params.codec.entropy, params.evaluate.precision)


def _facts(params: Params, loaded: Loaded) -> dict[str, Any]:
    return {
        "codec": loaded.codec_id,
        "entropy": params.codec.entropy,
        "precision": params.evaluate.precision,
        "height": params.shards.image_size,
        "width": params.shards.image_size,
        "batch_size": params.evaluate.batch_size,
    }


def _coded(params: Params, run: Run, coder: StreamCoder, part: Part) -> pa.Table:
    """Return a row per picture of a part, in the order of the shards."""
    size, examples = params.evaluate.batch_size, params.evaluate.examples
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    own = shards.batches_of(n, size, part)
    batches = shards.split_batches(paths.SHARDS_MANIFEST, "test", size, part=part)
    rows: list[Row] = []
    title = f"encode {run.strategy} {run.setting}"
    with tqdm(total=n, desc=title, unit="img", initial=own.start * size) as bar:
        for number, batch in zip(own, batches, strict=True):
            rows += _rows(coder, batch, examples - number * size)
            bar.update(len(batch.keys))
    return pa.Table.from_pylist(rows, ROWS)


def _rows(coder: StreamCoder, batch: shards.Batch, mapped: int) -> list[Row]:
    """Return a row per picture of a batch, the first `mapped` with where their bits go."""
    x = batch.images.to(device()).float().div(255)
    start = seconds()
    latents = coder.analyse(x)
    coded = coder.write(latents)
    spent = (seconds() - start) / len(batch.keys)
    estimates = coder.estimated_bits(latents).double().tolist()
    rows: list[Row] = [
        {
            "key": key,
            "stream": stream,
            "estimated_bits": bits,
            "seconds": spent,
            "symbols": symbols,
        }
        for key, stream, bits, symbols in zip(
            batch.keys, coded.streams, estimates, coded.symbols, strict=True
        )
    ]
    if mapped > 0:
        found = coder.bit_map(latents)
        for row, y, z in zip(rows[:mapped], found.y.tolist(), found.z.tolist(), strict=False):
            row |= {"y_bits": y, "z_bits": z}
    return rows
