"""Read back what the encode and decode stages wrote about the test set, and check it.

    streams.parquet + per_image.parquet + raw.parquet --same images?--> Evaluation
    the record of the run's classifier -------------- its temperature --^

Nothing is skipped: an image that one file has and another lacks stops the stage.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from mien import paths
from mien.errors import DataError
from mien.expressions import N_EXPRESSIONS
from mien.files import manifest_facts, read_manifest
from mien.metrics.rate import bits_per_pixel
from mien.report.evaluation import Answers, Evaluation
from mien.runs import CLASSIC, Run

RAW_COLUMNS = ("key", "label", "prediction", "logits")
DECODED_COLUMNS = (*RAW_COLUMNS, "n_bytes", "bpp", "psnr", "ms_ssim")
STREAM_COLUMNS = ("key", "stream", "estimated_bits")
TIME_COLUMNS = ("key", "seconds")
# Null where a side is too short for five scales; where a codec has no likelihoods.
NULLABLE = ("ms_ssim", "estimated_bits")


def read_evaluations(runs: Sequence[Run], image_size: int) -> dict[Run, Evaluation]:
    """Return what was measured in runs, images ordered by key.

    Args:
        runs: All of one test set.
        image_size: Pixels a side of the coded pictures.

    Args:
        params: Which runs.
        missing: Classic codecs that could not be run: left out.

    Raises:
        DataError: If a file is missing, damaged or incomplete, if a stream's length is not the
            `n_bytes` that was measured, or if two runs are not about the same images.
    """
    evaluations: dict[Run, Evaluation] = {}
    images: pa.Table | None = None
    for run in runs:
        library = read_manifest(paths.manifest_of(paths.streams(run))).get("library")
        read_manifest(paths.evaluation_manifest(run))
        decoded = read_rows(paths.decoded(run), DECODED_COLUMNS)
        if images is None:
            images = decoded.select(["key", "label"])
        _require_same_images(images, decoded, paths.decoded(run))
        evaluations[run] = _evaluation(run, decoded, image_size, library)
    return evaluations


def read_rows(path: Path, columns: tuple[str, ...]) -> pa.Table:
    """Return some columns of a table of images, by ascending key.

    The caller has checked the manifest, once for all the files it names.

    Raises:
        DataError: If there is no row, a column is missing or has nulls, or a key comes twice.
    """
    present = pq.read_schema(path).names
    if missing := [column for column in columns if column not in present]:
        raise DataError(f"{path}: no column {missing[0]!r}: delete it and re-run its stage")
    table = pq.read_table(path, columns=list(columns)).sort_by("key")
    if len(table) == 0:
        raise DataError(f"{path}: no rows: there is nothing to report on")
    for column in columns:
        if column not in NULLABLE and table[column].null_count:
            raise DataError(f"{path}: column {column!r} has nulls: re-run its stage")
    if len(pc.unique(table["key"])) != len(table):
        raise DataError(f"{path}: a key occurs twice: re-run its stage")
    return table


def _evaluation(
    run: Run, decoded: pa.Table, image_size: int, library: str | None
) -> Evaluation:
    path = paths.decoded(run)
    raw = read_rows(paths.raw(run), RAW_COLUMNS)
    streams = read_rows(paths.streams(run), STREAM_COLUMNS)
    _require_same_images(decoded, raw, paths.raw(run))
    _require_same_keys(decoded, streams, paths.streams(run))
    _require_lengths(decoded, streams, run)
    _require_rates(decoded, image_size, path)
    for table, source in ((decoded, path), (raw, paths.raw(run))):
        _require_classes(table, source)
    bits = _complete_or_none(streams, "estimated_bits", paths.streams(run))
    if (bits is None) != (run.strategy in CLASSIC):
        raise DataError(
            f"{paths.streams(run)}: a learned codec estimates its bits, a classic one has null "
            "there: re-run encode"
        )
    return Evaluation(
        labels=_column(decoded, "label"),
        decoded=_answers(decoded, path),
        raw=_answers(raw, paths.raw(run)),
        temperature=_temperature(paths.manifest_of(paths.classifier_of(run))),
        n_bytes=_column(decoded, "n_bytes"),
        bpp=_column(decoded, "bpp"),
        estimated_bpp=None if bits is None else bits / image_size**2,
        psnr=_column(decoded, "psnr"),
        ms_ssim=_complete_or_none(decoded, "ms_ssim", path),
        encode_seconds=_seconds(decoded, paths.encode_seconds(run)),
        decode_seconds=_seconds(decoded, paths.decode_seconds(run)),
        library=library,
    )


def _answers(table: pa.Table, path: Path) -> Answers:
    """Return predictions and logits, which must agree."""
    logits = table["logits"].combine_chunks().flatten().to_numpy().reshape(len(table), -1)
    predictions = _column(table, "prediction")
    if (odd := np.flatnonzero(logits[np.arange(len(table)), predictions] < logits.max(1))).size:
        key = table["key"][int(odd[0])].as_py()
        raise DataError(f"{path}: {key} has another prediction than its largest logit: re-run")
    return Answers(predictions, logits)


def _seconds(decoded: pa.Table, path: Path) -> NDArray[np.float64]:
    """Return how long each picture took; of times there is no manifest."""
    if not path.is_file():
        raise DataError(
            f"{path}: no such file: run the stage that writes it (`snakemake {path}`)"
        )
    times = read_rows(path, TIME_COLUMNS)
    _require_same_keys(decoded, times, path)
    return _column(times, "seconds")


def _temperature(manifest: Path) -> float | None:
    """Return a classifier's temperature; None if its record has none."""
    calibration = manifest_facts(manifest).get("record", {}).get("calibration")
    return None if calibration is None else float(calibration["temperature"])


def _column(table: pa.Table, name: str) -> NDArray[Any]:
    return np.asarray(table[name])


def _complete_or_none(table: pa.Table, name: str, path: Path) -> NDArray[Any] | None:
    """Return a column that no image has a value in, as None, or all of them have."""
    absent = table[name].null_count
    if absent in (0, len(table)):
        return None if absent else _column(table, name)
    raise DataError(f"{path}: {name} is null for {absent} of {len(table)} images: re-run")


def _require_same_images(expected: pa.Table, found: pa.Table, path: Path) -> None:
    """Refuse a table whose keys or labels are not the expected ones."""
    _require_same_keys(expected, found, path)
    differs = pc.not_equal(expected["label"], found["label"])
    if pc.any(differs).as_py():
        key = expected["key"].filter(differs)[0].as_py()
        raise DataError(f"{path}: {key} has another label than in the other files: re-run")


def _require_same_keys(expected: pa.Table, found: pa.Table, path: Path) -> None:
    wanted, seen = (set(table["key"].to_pylist()) for table in (expected, found))
    if odd := sorted(wanted ^ seen):
        verb = "lacks" if odd[0] in wanted else "alone has"
        raise DataError(
            f"{path}: {verb} {odd[0]} ({len(odd)} keys differ from the other files): all runs "
            "must be of one test set, so re-run encode and decode"
        )


def _require_lengths(decoded: pa.Table, streams: pa.Table, run: Run) -> None:
    lengths = pc.binary_length(streams["stream"]).cast(pa.int64())
    differs = pc.not_equal(lengths, decoded["n_bytes"])
    if pc.any(differs).as_py():
        key = decoded["key"].filter(differs)[0].as_py()
        measured = decoded["n_bytes"].filter(differs)[0].as_py()
        stored = lengths.filter(differs)[0].as_py()
        raise DataError(
            f"{paths.decoded(run)}: {key} has n_bytes {measured}, but its stream in "
            f"{paths.streams(run)} has {stored} bytes: re-run decode"
        )


def _require_rates(decoded: pa.Table, image_size: int, path: Path) -> None:
    for key, n_bytes, bpp in zip(
        *(decoded[name].to_pylist() for name in ("key", "n_bytes", "bpp")), strict=True
    ):
        expected = bits_per_pixel(n_bytes, image_size, image_size)
        if abs(bpp - expected) > 1e-9:
            raise DataError(
                f"{path}: {key} has bpp {bpp}, but {n_bytes} bytes of a picture of "
                f"{image_size}x{image_size} are {expected}: re-run decode"
            )


def _require_classes(table: pa.Table, path: Path) -> None:
    for name in ("label", "prediction"):
        values = _column(table, name)
        if values.min() < 0 or values.max() >= N_EXPRESSIONS:
            raise DataError(f"{path}: {name} is not always 0..{N_EXPRESSIONS - 1}: re-run")
