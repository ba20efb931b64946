"""Stage encode: the test set of one run as real bitstreams."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from mien import paths
from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
from mien.codec.stream import Latents, StreamCoder, load_coder
from mien.data import shards
from mien.device import device, seconds
from mien.files import read_manifest, replacing, write_manifest
from mien.params import Params
from mien.runs import Run

BITS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("y_bits", pa.list_(pa.list_(pa.float32())), nullable=False),  # [H/16][W/16]
        pa.field("z_bits", pa.float32(), nullable=False),
    ]
)


def encode(params: Params, run: Run) -> None:
    """Write `streams.parquet` and `bits.parquet` of one run, and their manifests.

    `encode_seconds` is a picture's share of its batch, from pixels on the device to bytes.
    """
    read_manifest(paths.manifest_of(paths.codec_of(run)))
    loaded = load_coder(paths.codec_of(run), params.codec.entropy, params.evaluate.precision)
    coder = loaded.coder
    rows: dict[str, list[object]] = {name: [] for name in SCHEMA.names}
    symbols: list[bytes] = []
    maps: list[dict[str, object]] = []
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
            wanted = params.evaluate.examples - len(maps)
            maps += _bit_maps(coder, latents, batch.keys[:wanted]) if wanted > 0 else []
            bar.update(len(batch.keys))
    _write_maps(paths.bits(run), maps)
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


def _bit_maps(coder: StreamCoder, latents: Latents, keys: list[str]) -> list[dict[str, object]]:
    """Return where the bits of the first pictures of a batch go, one row per key."""
    found = coder.bit_map(latents)
    parts = zip(keys, found.y.tolist(), found.z.tolist(), strict=False)
    return [{"key": key, "y_bits": y, "z_bits": z} for key, y, z in parts]


def _write_maps(path: Path, maps: list[dict[str, object]]) -> None:
    with replacing(path) as temporary:
        pq.write_table(pa.Table.from_pylist(maps, BITS), temporary)
    write_manifest(path.with_suffix(".json"), [path])
