"""From what was measured on every test image to the statistics that are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.expressions import EXPRESSIONS
from mien.metrics import recognition
from mien.metrics.bootstrap import resampled_means
from mien.params import LossWeights, Params
from mien.report.deltas import Points, bjontegaard_of, estimate, measured
from mien.report.statistics import (
    Dataset,
    Estimate,
    Provenance,
    RunStatistics,
    Statistics,
    SweepPoint,
    middle_of,
)
from mien.runs import (
    CLASSIC,
    PRETRAINED,
    Run,
    classic_quality,
    reference_settings,
    setting_named,
    sweep_settings,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Evaluation:
    """One run on the n test images, in an order that all runs share."""

    labels: Integers  # [n], 0..7
    predictions: Integers  # [n], on decoded images
    raw_predictions: Integers  # [n], same classifier on raw images
    n_bytes: Integers  # [n]
    bpp: Floats  # [n], bit/pixel
    estimated_bpp: Floats | None  # [n], bit/pixel; None: a classic codec has no likelihoods
    psnr: Floats  # [n], dB; infinite for identical pictures
    ms_ssim: Floats | None  # [n]; None: the pictures are too small for it
    library: str | None = None  # of a classic codec, with its version

    @property
    def correct(self) -> Floats:
        """1 where the decoded image was recognised, else 0, [n]."""
        return np.asarray(self.predictions == self.labels, dtype=np.float64)

    @property
    def raw_correct(self) -> Floats:
        """1 where the raw image was recognised, else 0, [n]."""
        return np.asarray(self.raw_predictions == self.labels, dtype=np.float64)


@dataclass(frozen=True)
class _Resampled:
    """What one run comes to on every resample of the test images, [B] each."""

    accuracy: Floats  # percent
    raw_accuracy: Floats  # percent
    bpp: Floats  # bit/pixel


def statistics_of(
    params: Params,
    evaluations: Mapping[Run, Evaluation],
    commit: str,
    missing: Mapping[str, str] | None = None,
) -> Statistics:
    """Return every statistic that a table or a figure shows.

    Args:
        params: Which runs there are, and how they are resampled.
        evaluations: One per run of `params`; same images in the same order in each.
        commit: What made the numbers.
        missing: Classic codecs of `params` that could not be run, and what would bring them.
    """
    reference = [setting.name for setting in reference_settings(params)]
    everything = list(dict.fromkeys(run.strategy for run in evaluations))
    strategies = [strategy for strategy in everything if strategy not in CLASSIC]
    resampled = _resample(params, evaluations)
    runs: dict[str, dict[str, RunStatistics]] = {strategy: {} for strategy in everything}
    for run, evaluation in evaluations.items():
        measured = _run_statistics(params, run, evaluation, resampled[run])
        runs[run.strategy][run.setting] = measured
    rate_points = {
        strategy: list(runs[strategy]) if strategy in CLASSIC else reference
        for strategy in everything
    }
    curves = {
        strategy: _points(strategy, settings, runs[strategy], resampled)
        for strategy, settings in rate_points.items()
        if strategy not in CLASSIC or len(settings) > 1  # one point is no curve
    }
    baseline = curves.pop(PRETRAINED)
    return Statistics(
        dataset=_dataset(params, next(iter(evaluations.values())).labels),
        provenance=_provenance(params, commit),
        strategies=strategies,
        classic=[codec for codec in everything if codec in CLASSIC],
        missing=dict(missing or {}),
        reference=reference,
        weights=params.loss,
        sweep_quality=params.sweep.quality,
        sweeps={weight: _sweep(params, weight) for weight in ("bpp", "ce", "mse")},
        runs=runs,
        recall={
            strategy: _recall(params, evaluations[Run(strategy, middle_of(reference))])
            for strategy in strategies
        },
        bjontegaard={
            strategy: bjontegaard_of(baseline, points) for strategy, points in curves.items()
        },
    )


def _resample(params: Params, evaluations: Mapping[Run, Evaluation]) -> dict[Run, _Resampled]:
    columns = [
        column
        for evaluation in evaluations.values()
        for column in (evaluation.correct, evaluation.raw_correct, evaluation.bpp)
    ]
    means = _means(params, columns)
    return {
        run: _Resampled(100 * means[:, 3 * i], 100 * means[:, 3 * i + 1], means[:, 3 * i + 2])
        for i, run in enumerate(evaluations)
    }


def _means(params: Params, columns: Sequence[Floats]) -> Floats:
    evaluate = params.evaluate
    return resampled_means(np.column_stack(columns), evaluate.resamples, evaluate.seed)


def _dataset(params: Params, labels: Integers) -> Dataset:
    counts = np.bincount(labels, minlength=len(EXPRESSIONS)).tolist()
    return Dataset(
        name=params.data.name,
        n=len(labels),
        image_size=params.shards.image_size,
        counts=dict(zip(EXPRESSIONS, counts, strict=True)),
    )


def _provenance(params: Params, commit: str) -> Provenance:
    return Provenance(
        commit=commit,
        finetune_seed=params.finetune.seed,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.seed,
    )


def _sweep(params: Params, weight: str) -> list[SweepPoint]:
    return [
        SweepPoint(setting=setting.name, value=getattr(setting.weights, weight))
        for setting in sweep_settings(params, weight)
    ]


def _run_statistics(
    params: Params, run: Run, evaluation: Evaluation, resampled: _Resampled
) -> RunStatistics:
    quality, weights = _made_with(params, run)
    confusion = recognition.confusion_matrix(evaluation.labels, evaluation.predictions)
    raw = recognition.confusion_matrix(evaluation.labels, evaluation.raw_predictions)
    accuracy, raw_accuracy = recognition.accuracy(confusion), recognition.accuracy(raw)
    psnr = float(evaluation.psnr.mean())
    return RunStatistics(
        quality=quality,
        weights=weights,
        library=evaluation.library,
        bpp=evaluation.bpp.mean(),
        estimated_bpp=_mean(evaluation.estimated_bpp),
        n_bytes=evaluation.n_bytes.mean(),
        psnr=psnr if np.isfinite(psnr) else None,
        ms_ssim=_mean(evaluation.ms_ssim),
        macro_f1=recognition.macro_f1(confusion),
        uar=recognition.unweighted_average_recall(confusion),
        accuracy=measured(accuracy, resampled.accuracy),
        raw_accuracy=measured(raw_accuracy, resampled.raw_accuracy),
        change=measured(accuracy - raw_accuracy, resampled.accuracy - resampled.raw_accuracy),
    )


def _made_with(params: Params, run: Run) -> tuple[int, LossWeights | None]:
    """Return the quality of a run, and the weights it was trained with, if it was."""
    if run.strategy in CLASSIC:
        return classic_quality(params, run), None
    setting = setting_named(params, run.setting)
    return setting.quality, None if run.strategy == PRETRAINED else setting.weights


def _mean(values: Floats | None) -> float | None:
    return None if values is None else float(values.mean())


def _recall(params: Params, evaluation: Evaluation) -> dict[str, Estimate]:
    """Return the recall of every expression, in percent."""
    confusion = recognition.confusion_matrix(evaluation.labels, evaluation.predictions)
    recalls = recognition.recall_per_class(confusion)
    classes = range(len(EXPRESSIONS))
    there = [(evaluation.labels == code).astype(np.float64) for code in classes]
    means = _means(params, [*there, *(images * evaluation.correct for images in there)])
    there_share, recognised = np.hsplit(means, 2)
    samples = np.divide(
        100 * recognised,
        there_share,
        out=np.full_like(recognised, np.nan),
        where=there_share > 0,
    )
    return {
        EXPRESSIONS[code]: estimate(None, samples[:, code], "no test image of this class")
        if np.isnan(recalls[code])
        else estimate(float(recalls[code]), samples[:, code])
        for code in classes
    }


def _points(
    strategy: str,
    settings: list[str],
    runs: Mapping[str, RunStatistics],
    resampled: Mapping[Run, _Resampled],
) -> Points:
    """Return the rate points of a strategy, as measured and on every resample."""
    measured = [runs[setting] for setting in settings]
    drawn = [resampled[Run(strategy, setting)] for setting in settings]
    return Points(
        rate=np.array([point.bpp for point in measured]),
        accuracy=np.array([point.accuracy.value for point in measured], dtype=np.float64),
        resampled_rate=np.column_stack([point.bpp for point in drawn]),
        resampled_accuracy=np.column_stack([point.accuracy for point in drawn]),
    )
