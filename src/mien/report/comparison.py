"""Two runs side by side on the same test images: every measure, its paired difference."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.metrics.bootstrap import resampled_means
from mien.metrics.calibration import expected_calibration_error
from mien.metrics.mcnemar import McNemar, mcnemar
from mien.metrics.recognition import Tally
from mien.report.cells import ABSENT, Cell, Column, Table, cell_text
from mien.report.estimates import estimate
from mien.report.evaluation import Answers, Evaluation
from mien.report.recognised import gaps
from mien.report.render import plain
from mien.report.resampled import one_hot

Floats = NDArray[np.float64]
Reduce = Callable[[Floats], Floats]

MEASURES = {  # name: title, unit, decimals
    "bpp": ("Rate", "bit/pixel", 4),
    "n_bytes": ("Bytes", "a picture", 1),
    "accuracy": ("Accuracy, decoded", "%", 2),
    "raw_accuracy": ("Accuracy, raw", "%", 2),
    "macro_f1": ("Macro F1, decoded", "%", 2),
    "raw_macro_f1": ("Macro F1, raw", "%", 2),
    "uar": ("UAR, decoded", "%", 2),
    "raw_uar": ("UAR, raw", "%", 2),
    "ece": ("ECE, decoded", "%", 2),
    "raw_ece": ("ECE, raw", "%", 2),
    "psnr": ("PSNR", "dB", 2),
    "ms_ssim": ("MS-SSIM", "", 4),
}


@dataclass(frozen=True)
class Measure:
    """A quantity of one run: numbers an image, and what their means come to.

    Attributes:
        columns: [n, C].
        reduce: Of means over any sets of images, [..., C], to the quantity on each, [...].
    """

    columns: Floats
    reduce: Reduce


@dataclass(frozen=True)
class Comparison:
    """What two runs differ in."""

    rows: dict[str, list[Cell]]  # name of MEASURES: first, second, second minus first
    decoded: McNemar  # of the accuracies
    raw: McNemar


def compared(first: Evaluation, second: Evaluation, resamples: int, seed: int) -> Comparison:
    """Compare two runs on the same images in the same order.

    The interval of a calibration error's difference is the least sure of all: in resamples the
    error of either run is larger than on the images themselves.

    Args:
        first: What the differences are from.
        second: Likewise.
        resamples: Of the images, for the intervals.
        seed: Of the draws.
    """
    sides = [measures(first), measures(second)]
    shared = [name for name in MEASURES if all(name in side for side in sides)]
    columns = [side[name].columns for side in sides for name in shared]
    drawn = resampled_means(np.column_stack(columns), resamples, seed)
    edges = np.cumsum([part.shape[1] for part in columns])[:-1]
    samples = np.split(drawn, edges, axis=1)
    rows: dict[str, list[Cell]] = {name: [None, None, None] for name in MEASURES}
    for i, name in enumerate(shared):
        one, other = (side[name] for side in sides)
        values = [float(part.reduce(part.columns.mean(axis=0))) for part in (one, other)]
        change = other.reduce(samples[len(shared) + i]) - one.reduce(samples[i])
        rows[name] = [*values, estimate(values[1] - values[0], change)]
    return Comparison(
        rows=rows,
        decoded=mcnemar(first.correct(first.decoded), second.correct(second.decoded)),
        raw=mcnemar(first.correct(first.raw), second.correct(second.raw)),
    )


def measures(evaluation: Evaluation) -> dict[str, Measure]:
    """Return the measures of a run; without those that are not finite or were not measured."""
    found = {
        "bpp": _mean(evaluation.bpp),
        "n_bytes": _mean(evaluation.n_bytes.astype(np.float64)),
        **_recognition("", evaluation, evaluation.decoded),
        **_recognition("raw_", evaluation, evaluation.raw),
    }
    if np.isfinite(evaluation.psnr).all():
        found["psnr"] = _mean(evaluation.psnr)
    if evaluation.ms_ssim is not None:
        found["ms_ssim"] = _mean(evaluation.ms_ssim)
    return found


def _mean(values: Floats) -> Measure:
    return Measure(values[:, None], lambda means: means[..., 0])


def _recognition(prefix: str, evaluation: Evaluation, answers: Answers) -> dict[str, Measure]:
    labelled, called = one_hot(evaluation.labels), one_hot(answers.predictions)
    counts = np.hstack([labelled, called, labelled * called])
    found = {
        f"{prefix}accuracy": Measure(counts, lambda means: _tally(means).accuracy),
        f"{prefix}macro_f1": Measure(counts, lambda means: _tally(means).macro_f1),
        f"{prefix}uar": Measure(counts, lambda means: _tally(means).uar),
    }
    if evaluation.temperature is not None:
        errors = gaps(answers, evaluation.labels, evaluation.temperature)
        found[f"{prefix}ece"] = Measure(errors, expected_calibration_error)
    return found


def _tally(means: Floats) -> Tally:
    return Tally(*np.split(means, 3, axis=-1))


def comparison_text(names: tuple[str, str], found: Comparison) -> str:
    """Return a comparison for a terminal, without its source.

    Args:
        names: Of the two runs.
        found: What they differ in.
    """
    columns = [Column("measure", "Measure"), *(Column(name, name) for name in names)]
    columns.append(Column("difference", "difference"))
    rows = [_row(name, cells) for name, cells in found.rows.items()]
    lines = [plain(Table("", "", "", columns, rows)).rstrip("\n")]
    for kind, test in (("decoded", found.decoded), ("raw", found.raw)):
        lines.append(
            f"McNemar, accuracy on {kind} images: p {_p(test.p_value)} ({test.method}; "
            f"{test.first_alone} only {names[0]}, {test.second_alone} only {names[1]})"
        )
    return "\n".join(lines)


def _row(name: str, cells: list[Cell]) -> list[Cell]:
    title, unit, decimals = MEASURES[name]
    value = Column("", "", decimals=decimals)
    change = Column("", "", decimals=decimals, signed=True)
    first, second, difference = cells
    texts = [cell_text(value, first), cell_text(value, second), cell_text(change, difference)]
    return [f"{title} [{unit}]" if unit else title, *(t.replace(ABSENT, "-") for t in texts)]


def _p(value: float) -> str:
    return "< 0.0001" if value < 1e-4 else f"= {value:.4f}"
