"""What becomes of coded pictures: the archive, where their bits go, how long each took.

rows (ROWS) of all parts, in order --> streams.parquet, bits.parquet, encode_seconds.parquet
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien import paths
from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
from mien.files import replacing, write_manifest
from mien.runs import Run
from mien.stages.parts import write_seconds

Row = dict[str, object]

_BITS = [pa.field("y_bits", pa.list_(pa.list_(pa.float32()))), pa.field("z_bits", pa.float32())]
ROWS = pa.schema(
    [
        *SCHEMA,
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("symbols", pa.binary()),  # a digest; null where a codec does not show them
        *_BITS,  # [H/16][W/16] and a number; of the first pictures of a learned codec alone
    ]
)
BITS = pa.schema([SCHEMA.field("key"), *(field.with_nullable(False) for field in _BITS)])


def write_encoded(run: Run, rows: pa.Table, facts: Mapping[str, Any]) -> None:
    """Write what `encode` makes of one run, and the manifests.

    Args:
        run: Which one.
        rows: Of all test pictures, in order.
        facts: What they share: the entries of `Shared` but for the digests.
    """
    streams, symbols = rows["stream"].to_pylist(), rows["symbols"].drop_null().to_pylist()
    shared = Shared(**facts, streams=digest_of(streams), symbols=digest_of(symbols))
    write_seconds(paths.encode_seconds(run), rows)
    if shared.entropy is not None:
        _write_bits(run, rows)
    write_archive(paths.streams(run), _cast(rows, SCHEMA), shared)


def _write_bits(run: Run, rows: pa.Table) -> None:
    path = paths.bits(run)
    with replacing(path) as temporary:
        mapped = rows.filter(rows["z_bits"].is_valid())
        pq.write_table(_cast(mapped, BITS), temporary)
    write_manifest(paths.manifest_of(path), [path])


def _cast(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return some columns, each in one piece, however many parts they came in."""
    return rows.select(schema.names).combine_chunks().cast(schema)
