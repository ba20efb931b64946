"""`data/index.parquet`: one row for every image that can be used, in its split.

Rows are sorted by split (train, val, test) and by the source's own id. docs/index-parquet.md
says the same for those who query it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien import files
from mien.data.layouts.records import Sample

ROW_GROUP = 8_192  # rows; all that is in memory of the table at a time

_FACTS = (  # columns that a sample has under the same name
    *("label", "source", "sha256", "width", "height", "valence", "arousal"),
)
_CROP = ("crop_x", "crop_y", "crop_width", "crop_height")

SCHEMA = pa.schema(
    [
        # `train-000017`: the split and the source's own id, at least six digits; unique
        pa.field("key", pa.string(), nullable=False),
        # train, val or test; the same bytes are never in both train and val
        pa.field("split", pa.string(), nullable=False),
        # 0..7, AffectNet's code and an index into mien.expressions.EXPRESSIONS
        pa.field("label", pa.int64(), nullable=False),
        # path of the picture below data.root, with `/`; not unique: a picture may have faces
        pa.field("source", pa.string(), nullable=False),
        # of the picture's bytes as they are on disk, 64 hexadecimal digits
        pa.field("sha256", pa.string(), nullable=False),
        # pixels of the picture, upright by its EXIF orientation, before cropping; 1..
        pa.field("width", pa.int64(), nullable=False),
        pa.field("height", pa.int64(), nullable=False),
        # -1..1; null when absent or marked invalid (-2)
        pa.field("valence", pa.float64()),
        pa.field("arousal", pa.float64()),
        # the face in pixels of the upright picture, within it (x + width <= width of the
        # picture); all four or none: null means all of the picture
        *(pa.field(name, pa.int64()) for name in _CROP),
    ]
)


@dataclass(frozen=True, slots=True)
class Row:
    """A sample in its split."""

    split: str
    sample: Sample

    @property
    def key(self) -> str:
        """Return the name that this image has from here on, such as `train-000017`."""
        return f"{self.split}-{self.sample.number:06d}"


def write(path: Path, rows: Iterable[Row]) -> None:
    """Write the table, a row group at a time; every option that shapes its bytes is stated."""
    with (
        files.replacing(path) as temporary,
        pq.ParquetWriter(
            temporary, SCHEMA, version="2.6", compression="zstd", compression_level=3
        ) as writer,
    ):
        remaining = iter(rows)
        while group := list(islice(remaining, ROW_GROUP)):
            writer.write_table(_table(group))


def _table(rows: Sequence[Row]) -> pa.Table:
    columns: dict[str, list[Any]] = {
        "key": [row.key for row in rows],
        "split": [row.split for row in rows],
    }
    for name in _FACTS:
        columns[name] = [getattr(row.sample, name) for row in rows]
    for place, name in enumerate(_CROP):
        columns[name] = [row.sample.crop and row.sample.crop[place] for row in rows]
    return pa.table(columns, schema=SCHEMA)
