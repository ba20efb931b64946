"""Stage `ingest`: AffectNet in whatever layout becomes `data/index.parquet`, checked."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from mien import files, paths
from mien.data import affectnet, checks, findings, index, repeats, split
from mien.data.affectnet import DataSet, Reader
from mien.data.checks import Checks, Looked
from mien.data.index import Row
from mien.data.layouts.records import PARTS, Fault, Part, Sample
from mien.data.packed import Packed, pack, unpack
from mien.data.pool import in_order
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.params import Data, Params

Booleans = npt.NDArray[np.bool_]
Counts = dict[str, dict[str, int]]  # by split, then by the name of the expression


def ingest(params: Params, workers: int) -> None:
    """Decode every image of the data set once and write the index, its manifest last.

    `data/ingest_report.csv` lists what is wrong, also when the stage is refused for it.

    Raises:
        DataError: If no layout is recognised, too many images cannot be used or are repeated,
            the classes are not those of the release though `data.strict` demands it, or a
            split would be empty.
    """
    data = params.data
    found = affectnet.find(data)
    _say(f"{data.root}: layout {found.layout}: {found.where}")
    train, test = (_looked(found, part, workers) for part in PARTS)
    seen = checks.checked(train, test, found.layout, data)
    findings.write(paths.INGEST_REPORT, seen.findings)
    _log_checks(seen)
    checks.refuse(seen, data, paths.INGEST_REPORT)
    in_val = _in_val(train.samples, data)
    counts = _counts(_rows(train.samples, in_val, test.samples))
    _refuse_empty(counts, data)
    index.write(paths.INDEX, _rows(train.samples, in_val, test.samples))
    files.write_manifest(
        paths.INDEX_MANIFEST,
        [paths.INDEX, paths.INGEST_REPORT],
        name=data.name,
        root=data.root,
        layout=found.layout,
        where=found.where,
        counts=counts,
        **seen.facts(),
    )
    _log_counts(counts)


def _looked(found: DataSet, part: Part, workers: int) -> Looked:
    """Decode every picture of one part; images travel and are kept in packed blocks."""
    listing = found.parts[part]
    samples, faults = Packed[Sample](), list(listing.faults)
    blocks = in_order(partial(_read_block, found.read), listing.entries.blocks(), workers)
    with tqdm(desc=part, total=len(listing.entries), unit="img") as progress:
        for block in blocks:
            seen: list[Sample | Fault] = unpack(block)
            for image in seen:
                if isinstance(image, Sample):
                    samples.append(image)
                else:
                    faults.append(image)
            progress.update(len(seen))
    faults.sort(key=lambda fault: fault.number)
    return Looked(part, samples, faults, listing.dropped)


def _read_block(read: Reader, entries: bytes) -> bytes:
    listed: list[Any] = unpack(entries)
    return pack([read(entry) for entry in listed])


def _in_val(train: Packed[Sample], data: Data) -> Booleans:
    """Return which samples of train_set become `val`, [n]."""
    n = len(train)
    return split.carve_val(
        np.fromiter((sample.number for sample in train), np.int64, n),
        np.fromiter((sample.label for sample in train), np.int64, n),
        repeats.contents_of(train),
        data.val_fraction,
        data.seed,
    )


def _rows(train: Packed[Sample], in_val: Booleans, test: Packed[Sample]) -> Iterator[Row]:
    """Yield all samples with their splits, by split and number."""
    for name, chosen in (("train", False), ("val", True)):
        for sample, is_val in zip(train, in_val.tolist(), strict=True):
            if is_val is chosen:
                yield Row(name, sample)
    yield from (Row("test", sample) for sample in test)


def _counts(rows: Iterable[Row]) -> Counts:
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


def _log_checks(seen: Checks) -> None:
    for part in seen.parts:
        counts = {kind: n for kind, n in seen.counted()[part.part].items() if n}
        _say(f"{part.part}: {part.listed} images listed, {len(part.samples)} usable")
        for what, numbers in (
            ("dropped codes", part.dropped),
            (str(paths.INGEST_REPORT), counts),
        ):
            if numbers:
                _say(f"{part.part}: {what}: {_spelt(numbers)}")
    if seen.leaked:
        _say(f"warning: {len(seen.leaked)} test images are also in train_set")
    if comparison := seen.comparison:
        if comparison.matches:
            _say(f"images per class: as in AffectNet's {comparison.release}")
        else:
            _say(f"warning: images per class differ from AffectNet's {comparison.release}:")
            _say(comparison.table())


def _log_counts(counts: Counts) -> None:
    for name, of_split in counts.items():
        _say(f"{name}: {sum(of_split.values())} images: {_spelt(of_split)}")
    for expression in EXPRESSIONS:
        if not any(of_split[expression] for of_split in counts.values()):
            _say(f"warning: no image of {expression} in any split")


def _spelt(numbers: dict[str, int]) -> str:
    return ", ".join(f"{name} {n}" for name, n in numbers.items())


def _say(line: str) -> None:
    print(line, file=sys.stderr)
