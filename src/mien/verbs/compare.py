"""`mien compare`: two evaluated runs of this folder, side by side."""

from __future__ import annotations

import re
from pathlib import Path

from mien import paths
from mien.errors import DataError
from mien.params import load_params
from mien.report.comparison import compared, comparison_text
from mien.report.evaluated import read_evaluations
from mien.runs import Run

_NAME = re.compile(r"([a-z0-9-]+)/([a-z0-9.e+-]+)")


def compare(first: str, second: str, params_file: Path) -> str:
    """Return what two runs differ in, as text for a terminal.

    Args:
        first: `<strategy>/<setting>`; the differences are from it.
        second: Likewise. Neither need be in the params still: their files count.
        params_file: Says the size of the pictures and how they are resampled.

    Raises:
        DataError: If a name is no run that was evaluated, or if they are not about the same
            images.
    """
    params = load_params(params_file)
    runs = [_evaluated(name) for name in (first, second)]
    if runs[0] == runs[1]:
        raise DataError(f"{first}: named twice: name another run")
    evaluations = read_evaluations(runs, params.shards.image_size)
    made = params.evaluate
    one, other = (evaluations[run] for run in runs)
    names = (_name(runs[0]), _name(runs[1]))
    table = comparison_text(names, compared(one, other, made.resamples, made.seed))
    return (
        f"{table}\n"
        f"Differences: {names[1]} minus {names[0]}. Brackets: 95 % paired-bootstrap interval "
        f"over test images ({made.resamples:,} resamples, seed {made.seed}).\n"
        f"{params.data.name}, n = {len(one.labels):,} test images, one training per run."
    )


def _evaluated(name: str) -> Run:
    """Return the run with this name.

    Raises:
        DataError: If it has no evaluation here.
    """
    match = _NAME.fullmatch(name.removeprefix("results/").rstrip("/"))
    if match and paths.evaluation_manifest(run := Run(*match.groups())).is_file():
        return run
    there = sorted(Path("results").glob(f"*/*/{paths.evaluation_manifest(Run('', '')).name}"))
    known = ", ".join(f"{file.parent.parent.name}/{file.parent.name}" for file in there)
    raise DataError(f"{name}: no evaluated run; there are: {known or 'none'}")


def _name(run: Run) -> str:
    return f"{run.strategy}/{run.setting}"
