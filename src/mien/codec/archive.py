"""`streams.parquet`: the test set as bitstreams, and what a receiver of all of them shares.

One row per picture (key, stream, estimated_bits); the codec, the size of the pictures and of
the batches they were coded in, and two digests are in the file's metadata: of the streams,
checked before the entropy coder sees a byte, and of the integers they decode to. The same codec
and pictures give the same file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien.errors import DataError, StreamError
from mien.files import read_manifest, replacing, write_manifest

VERSION = 1
_RECORD = b"mien"
SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("stream", pa.binary(), nullable=False),
        pa.field("estimated_bits", pa.float64()),  # null: a classic codec has no likelihoods
    ]
)
MEASUREMENTS = ("estimated_bits",)  # by the encoder; a receiver has no use for it
# Lengths as packed differences, streams one behind the other; keys by what they share.
_LAYOUT: dict[str, Any] = {
    "use_dictionary": False,
    "column_encoding": {"key": "DELTA_BYTE_ARRAY", "stream": "DELTA_LENGTH_BYTE_ARRAY"},
    "compression": {"key": "zstd", "stream": "none", **dict.fromkeys(MEASUREMENTS, "zstd")},
    "compression_level": {"key": 19},
    "write_statistics": False,
    "row_group_size": 2**31 - 1,
}


@dataclass(frozen=True)
class Shared:
    """What all streams of an archive have in common.

    Attributes:
        codec: `codec_id` of the only codec that decodes them; the name of a classic codec.
        entropy: The entropy coding: `exact` or `stock`; None of a classic codec.
        precision: Of the networks that coded, as in params.yaml; None of a classic codec.
        height: Pixels.
        width: Pixels.
        batch_size: Pictures coded together; the last batch may be smaller.
        streams: Digest of all streams in order.
        symbols: Digest of all symbols in order; a classic codec shows none.
        version: Of the format.
        library: What coded, with its version; of a classic codec alone.
        settings: What the library was asked for, the quality first; of a classic codec alone.
    """

    codec: str
    entropy: str | None
    precision: str | None
    height: int
    width: int
    batch_size: int
    streams: str
    symbols: str
    version: int = VERSION
    library: str | None = None
    settings: dict[str, Any] | None = None

    @property
    def classic(self) -> dict[str, Any]:
        """What only a classic codec has to say; empty for a learned one."""
        if self.library is None:
            return {}
        return {"library": self.library, "settings": self.settings}

    def to_json(self) -> bytes:
        """Return the record in the file's metadata."""
        record = asdict(self)
        del record["library"], record["settings"]
        return json.dumps(record | self.classic, sort_keys=True).encode()


def digest_of(parts: Iterable[bytes]) -> str:
    """Return a digest of byte strings in order; their lengths count."""
    state = hashlib.sha256()
    for part in parts:
        state.update(len(part).to_bytes(8, "little"))
        state.update(part)
    return state.hexdigest()


def write_archive(path: Path, table: pa.Table, shared: Shared) -> None:
    """Write the archive and, last, its manifest, which says what the file adds."""
    sealed = table.replace_schema_metadata({_RECORD: shared.to_json()})
    with replacing(path) as temporary:
        pq.write_table(sealed, temporary, **_LAYOUT)
    n_bytes = sum(len(stream) for stream in table["stream"].to_pylist())
    write_manifest(
        path.with_suffix(".json"),
        [path],
        n=table.num_rows,
        n_bytes=n_bytes,
        overhead_bytes=_sent_bytes(path) - n_bytes,
        **shared.classic,
    )


def _sent_bytes(path: Path) -> int:
    """Return the size of an archive without the columns that a receiver has no use for."""
    columns = pq.read_metadata(path).row_group(0)
    chunks = (columns.column(SCHEMA.get_field_index(name)) for name in MEASUREMENTS)
    unsent: int = sum(chunk.total_compressed_size for chunk in chunks)
    return path.stat().st_size - unsent


def read_archive(path: Path) -> tuple[pa.Table, Shared]:
    """Return the rows and what they share.

    Its manifest is checked first: no library sees the bytes of a damaged file.

    Raises:
        StreamError: If the file is missing or not one of ours, or a byte was changed.
    """
    if not path.is_file():
        raise StreamError(f"{path}: no such archive of streams")
    _require_whole(path)
    try:
        table = pq.read_table(path)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise StreamError(f"{path}: not a whole parquet file: {error}") from None
    metadata = table.schema.metadata or {}
    if _RECORD not in metadata or not set(SCHEMA.names) <= set(table.schema.names):
        raise StreamError(f"{path}: not an archive of streams that mien wrote")
    record = json.loads(metadata[_RECORD])
    if (version := record.get("version")) != VERSION:
        raise StreamError(f"{path}: format version {version}, this mien reads {VERSION}")
    shared = Shared(**record)
    if digest_of(table["stream"].to_pylist()) != shared.streams:
        raise StreamError(f"{path}: a stream was changed: encode the test set again")
    return table.select(SCHEMA.names), shared  # archives once had a column of seconds, too


def _require_whole(path: Path) -> None:
    try:
        listed = read_manifest(path.with_suffix(".json"))["files"]
    except DataError as error:
        raise StreamError(str(error)) from None
    if path.name not in listed:
        raise StreamError(f"{path}: not listed in {path.with_suffix('.json')}: encode again")
