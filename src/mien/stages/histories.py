"""Gather the histories of all trainings in one table, which `dvc plots` draws."""

from __future__ import annotations

import csv
import io

from mien import paths
from mien.errors import DataError
from mien.files import write_text
from mien.params import Params
from mien.runs import Run, trained_runs


def histories(params: Params) -> None:
    """Write plots/history.csv: the rows of every history.csv under the name of their run.

    A value that a training has not got (no codec, no classifier) is left empty.

    Raises:
        DataError: If a history is missing.
    """
    rows = [
        row
        # Several runs of a classifier trained on raw pictures are one training.
        for run in {paths.history(run): run for run in trained_runs(params)}.values()
        for row in _rows(run)
    ]
    text = io.StringIO()
    columns = list(dict.fromkeys(name for row in rows for name in row))
    writer = csv.DictWriter(text, fieldnames=columns, lineterminator="\n", restval="")
    writer.writeheader()
    writer.writerows(rows)
    write_text(paths.HISTORIES, text.getvalue())


def _rows(run: Run) -> list[dict[str, str]]:
    path = paths.history(run)
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        raise DataError(f"{path}: no such file: run `snakemake {path}`") from None
    name = f"{path.parent.parent.name}/{path.parent.name}"
    return [{"run": name, **row} for row in csv.DictReader(lines)]
