"""Stage encode: the test set of one run as real bitstreams."""

from __future__ import annotations

import pyarrow as pa
from tqdm import tqdm

from mien import paths
from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
from mien.codec.stream import load_coder
from mien.data import shards
from mien.device import device, seconds
from mien.files import read_manifest
from mien.params import Params
from mien.runs import Run


def encode(params: Params, run: Run) -> None:
    """Write `streams.parquet` of one run, and its manifest.

    `encode_seconds` is a picture's share of its batch, from pixels on the device to bytes.
    """
    read_manifest(paths.manifest_of(paths.codec_of(run)))
    loaded = load_coder(paths.codec_of(run), params.codec.entropy, params.evaluate.precision)
    coder = loaded.coder
    rows: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    symbols: list[bytes] = []
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    with tqdm(total=n, desc=f"encode {run.strategy} {run.setting}", unit="img") as bar:
        for batch in shards.split_batches(
            paths.SHARDS_MANIFEST, "test", params.evaluate.batch_size
        ):
            x = batch.images.to(device()).float().div(255)
            start = seconds()
            latents = coder.analyse(x)
            coded = coder.write(latents)
            spent = seconds() - start
            rows["key"] += batch.keys
            rows["stream"] += coded.streams
            rows["estimated_bits"] += coder.estimated_bits(latents).double().tolist()
            rows["encode_seconds"] += [spent / len(batch.keys)] * len(batch.keys)
            symbols += coded.symbols
            bar.update(len(batch.keys))
    shared = Shared(
        codec=loaded.codec_id,
        entropy=params.codec.entropy,
        precision=params.evaluate.precision,
        height=params.shards.image_size,
        width=params.shards.image_size,
        batch_size=params.evaluate.batch_size,
        streams=digest_of(rows["stream"]),  # type: ignore[arg-type]
        symbols=digest_of(symbols),
    )
    write_archive(paths.streams(run), pa.table(rows, schema=SCHEMA), shared)
