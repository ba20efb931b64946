"""How long a picture took to encode and to decode: results/timings.json and its table.

Seconds differ between two identical runs, so they are in no other file: metrics.json,
statistics, the other tables and the figures are the same bytes twice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError

from mien.errors import DataError
from mien.files import write_json
from mien.report.cells import Cell, Column, Table
from mien.report.evaluation import Evaluation
from mien.report.statistics import Record, rounded
from mien.runs import Run

DECIMALS = 6  # microseconds


class Timing(Record):
    """Mean seconds a picture, each picture's being its share of its batch."""

    encode_seconds: float
    decode_seconds: float


class Timings(Record):
    """All of timings.json."""

    n: int  # test images
    runs: dict[str, dict[str, Timing]]  # strategy, setting


def timings_of(evaluations: Mapping[Run, Evaluation]) -> Timings:
    """Return the mean times of every run."""
    runs: dict[str, dict[str, Timing]] = {}
    for run, evaluation in evaluations.items():
        runs.setdefault(run.strategy, {})[run.setting] = Timing(
            encode_seconds=float(evaluation.encode_seconds.mean()),
            decode_seconds=float(evaluation.decode_seconds.mean()),
        )
    return Timings(n=len(next(iter(evaluations.values())).labels), runs=runs)


def write_timings(path: Path, timings: Timings) -> None:
    """Write timings.json."""
    write_json(path, rounded(timings.model_dump(), DECIMALS))


def read_timings(path: Path) -> Timings:
    """Read timings.json.

    Raises:
        DataError: If it is missing or is not such a file.
    """
    again = f"run `mien summarise` (`snakemake {path}`)"
    if not path.is_file():
        raise DataError(f"{path}: no such file: {again}")
    try:
        return Timings.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"]
        raise DataError(f"{path}: {problem}: delete it and {again}") from None


def timings_table(timings: Timings) -> Table:
    """Return one row per run, in milliseconds."""
    columns = [
        Column("strategy", "Strategy"),
        Column("setting", "Setting"),
        Column("encode_ms", "Encoding", "ms/picture", "lower", 2),
        Column("decode_ms", "Decoding", "ms/picture", "lower", 2),
    ]
    rows: list[list[Cell]] = [
        [strategy, setting, 1000 * t.encode_seconds, 1000 * t.decode_seconds]
        for strategy, settings in timings.runs.items()
        for setting, t in settings.items()
    ]
    caption = (
        f"Mean time a picture over n = {timings.n:,} test images, a share of its batch's, on "
        "the machine and beside the load that each run's stages had: no benchmark. Strategies "
        "that leave the codec as it is share the baseline's streams. This table alone differs "
        "between two identical runs."
    )
    return Table("timings", "Times", caption, columns, rows)
