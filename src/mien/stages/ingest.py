"""Stage `ingest`: a folder in AffectNet's layout becomes `data/index.parquet`."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from tqdm import tqdm

from mien import files, paths
from mien.data import affectnet, split
from mien.data.affectnet import Sample
from mien.data.pool import in_order
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.params import Data, Params

SCHEMA = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("split", pa.string(), nullable=False),
        pa.field("label", pa.int64(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("sha256", pa.string(), nullable=False),
        pa.field("width", pa.int64(), nullable=False),
        pa.field("height", pa.int64(), nullable=False),
        pa.field("valence", pa.float64()),
        pa.field("arousal", pa.float64()),
    ]
)

Counts = dict[str, dict[str, int]]  # by split, then by the name of the expression


@dataclass(frozen=True)
class Row:
    """A sample in its split."""

    split: str
    sample: Sample

    @property
    def key(self) -> str:
        """Return the name that this image has from here on, such as `train-000017`."""
        return f"{self.split}-{self.sample.number:06d}"


def ingest(params: Params, workers: int) -> None:
    """Decode every image of the data set once and write the index, its manifest last.

    Raises:
        DataError: If an image or an annotation is missing, unreadable or out of range, or a
            split would be empty.
    """
    root = Path(params.data.root)
    train = _samples(root, "train_set", workers)
    test = _samples(root, "val_set", workers)
    rows = _rows(train, test, params.data)
    counts = _counts(rows)
    _refuse_empty(counts, params.data)
    _write_index(rows)
    facts = _facts(rows, train, test)
    files.write_manifest(
        paths.INDEX_MANIFEST,
        [paths.INDEX],
        name=params.data.name,
        root=params.data.root,
        counts=counts,
        **facts,
    )
    _log(counts, facts)


def _samples(root: Path, part: affectnet.Part, workers: int) -> list[Sample]:
    entries = affectnet.find_images(root, part)
    read = partial(affectnet.read_sample, root)
    samples = in_order(read, entries, workers, chunksize=64)
    return list(tqdm(samples, desc=part, total=len(entries), unit="img"))


def _rows(train: Sequence[Sample], test: Sequence[Sample], data: Data) -> list[Row]:
    """Return all samples with their splits, sorted by split and number."""
    in_val = split.carve_val(
        np.array([sample.number for sample in train], dtype=np.int64),
        _labels(train),
        _hashes(train),
        data.val_fraction,
        data.seed,
    )
    rows = [Row("test", sample) for sample in test]
    rows += [
        Row("val" if chosen else "train", sample)
        for sample, chosen in zip(train, in_val, strict=True)
    ]
    return sorted(rows, key=lambda row: (split.SPLITS.index(row.split), row.sample.number))


def _labels(samples: Sequence[Sample]) -> split.Integers:
    return np.array([sample.label for sample in samples], dtype=np.int64)


def _hashes(samples: Sequence[Sample]) -> list[str]:
    return [sample.sha256 for sample in samples]


def _counts(rows: Sequence[Row]) -> Counts:
    """Return the images per split and expression, the absent ones as 0."""
    seen = Counter((row.split, row.sample.label) for row in rows)
    return {
        name: {expression: seen[name, code] for code, expression in enumerate(EXPRESSIONS)}
        for name in split.SPLITS
    }


def _refuse_empty(counts: Counts, data: Data) -> None:
    for name, of_split in counts.items():
        if not any(of_split.values()):
            raise DataError(
                f"{data.root}: split {name} would have no image: data.val_fraction "
                f"{data.val_fraction} is too far from 1/2 for so few in train_set"
            )


def _write_index(rows: Sequence[Row]) -> None:
    """Write the table with every option that shapes its bytes stated."""
    columns: dict[str, list[Any]] = {
        name: [getattr(row.sample, name) for row in rows] for name in SCHEMA.names[2:]
    }
    columns["key"] = [row.key for row in rows]
    columns["split"] = [row.split for row in rows]
    with files.replacing(paths.INDEX) as temporary:
        pq.write_table(
            pa.table(columns, schema=SCHEMA),
            temporary,
            version="2.6",
            compression="zstd",
            compression_level=3,
            row_group_size=65_536,
        )


def _facts(
    rows: Sequence[Row], train: Sequence[Sample], test: Sequence[Sample]
) -> dict[str, dict[str, Any]]:
    """Return what a reader of results must know of repeated images; none of them is dropped."""
    trained_on = set(_hashes(train))
    leaked = [r.key for r in rows if r.split == "test" and r.sample.sha256 in trained_on]
    return {
        "duplicates": {
            "train_set": split.duplicates(_labels(train), _hashes(train)),
            "val_set": split.duplicates(_labels(test), _hashes(test)),
        },
        "test_images_also_in_train_set": {"count": len(leaked), "keys": leaked},
    }


def _log(counts: Counts, facts: dict[str, dict[str, Any]]) -> None:
    for name, of_split in counts.items():
        listed = ", ".join(f"{expression} {n}" for expression, n in of_split.items())
        print(f"{name}: {sum(of_split.values())} images: {listed}", file=sys.stderr)
    for expression in EXPRESSIONS:
        if not any(of_split[expression] for of_split in counts.values()):
            print(f"warning: no image of {expression} in any split", file=sys.stderr)
    for part, repeated in facts["duplicates"].items():
        if repeated["groups"]:
            print(f"{part}: identical images: {repeated}", file=sys.stderr)
    if leaked := facts["test_images_also_in_train_set"]["count"]:
        print(f"warning: {leaked} test images are also in train_set", file=sys.stderr)
