"""From what was measured on every test image to the statistics that are shown."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.expressions import EXPRESSIONS
from mien.params import LossWeights, Params
from mien.report.attribution import attribution_of
from mien.report.deltas import bjontegaard_of
from mien.report.estimates import Points, measured
from mien.report.evaluation import Evaluation
from mien.report.recognised import recognition_of, reliability_of
from mien.report.repeated import repeats_of
from mien.report.resampled import Sampled, sampled
from mien.report.statistics import (
    Dataset,
    Provenance,
    Repeated,
    RunStatistics,
    Statistics,
    SweepPoint,
    middle_of,
)
from mien.report.targets import targets_of
from mien.runs import (
    CLASSIC,
    PRETRAINED,
    Run,
    classic_quality,
    rate_point_of,
    reference_settings,
    repeated_settings,
    seed_of,
    setting_named,
    sweep_settings,
)

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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
    middle = middle_of(reference)
    everything = list(dict.fromkeys(run.strategy for run in evaluations))
    strategies = [strategy for strategy in everything if strategy not in CLASSIC]
    samples = sampled(evaluations, params.evaluate.resamples, params.evaluate.seed)
    runs: dict[str, dict[str, RunStatistics]] = {strategy: {} for strategy in everything}
    for run, evaluation in evaluations.items():
        runs[run.strategy][run.setting] = _run_statistics(params, run, evaluation, samples[run])
    rate_points = {
        strategy: list(runs[strategy]) if strategy in CLASSIC else reference
        for strategy in everything
    }
    curves = {
        strategy: Points.of([samples[Run(strategy, setting)] for setting in settings])
        for strategy, settings in rate_points.items()
        if strategy not in CLASSIC or len(settings) > 1  # one point is no curve
    }
    baseline = samples[Run(PRETRAINED, middle)]
    raw = float(baseline.whole.raw.accuracy), baseline.resamples.raw.accuracy
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
        bjontegaard={
            strategy: bjontegaard_of(curves[PRETRAINED], points)
            for strategy, points in curves.items()
            if strategy != PRETRAINED
        },
        targets={strategy: targets_of(points, *raw) for strategy, points in curves.items()},
        attribution=attribution_of(curves),
        repeated=_repeated(params, samples, strategies),
        reliability={
            strategy: reliability_of(evaluations[Run(strategy, middle)])
            for strategy in strategies
        },
    )


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
        finetune_start=params.finetune.start,
        finetune_seed=params.finetune.seed,
        resamples=params.evaluate.resamples,
        bootstrap_seed=params.evaluate.seed,
    )


def _repeated(
    params: Params, samples: Mapping[Run, Sampled], strategies: list[str]
) -> dict[str, list[Repeated]]:
    """Return what was trained more than once, by strategy; nothing if nothing was."""
    trained = {
        setting.name: {params.finetune.seed: setting.name}
        for setting in reference_settings(params)
    }
    for setting in repeated_settings(params):
        trained[rate_point_of(setting.name)][seed_of(params, setting.name)] = setting.name
    found = {
        strategy: repeats_of(samples, strategy, trained)
        for strategy in strategies
        if strategy != PRETRAINED
    }
    return {strategy: repeats for strategy, repeats in found.items() if repeats}


def _sweep(params: Params, weight: str) -> list[SweepPoint]:
    return [
        SweepPoint(setting=setting.name, value=getattr(setting.weights, weight))
        for setting in sweep_settings(params, weight)
    ]


def _run_statistics(
    params: Params, run: Run, evaluation: Evaluation, samples: Sampled
) -> RunStatistics:
    quality, weights = _made_with(params, run)
    whole, drawn = samples.whole, samples.resamples
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
        accuracy=measured(float(whole.decoded.accuracy), drawn.decoded.accuracy),
        raw_accuracy=measured(float(whole.raw.accuracy), drawn.raw.accuracy),
        change=measured(
            float(whole.decoded.accuracy - whole.raw.accuracy),
            drawn.decoded.accuracy - drawn.raw.accuracy,
        ),
        temperature=evaluation.temperature,
        decoded=recognition_of(evaluation, evaluation.decoded, whole.decoded, drawn.decoded),
        raw=recognition_of(evaluation, evaluation.raw, whole.raw, drawn.raw),
    )


def _made_with(params: Params, run: Run) -> tuple[int, LossWeights | None]:
    """Return the quality of a run, and the weights it was trained with, if it was."""
    if run.strategy in CLASSIC:
        return classic_quality(params, run), None
    setting = setting_named(params, run.setting)
    return setting.quality, None if run.strategy == PRETRAINED else setting.weights


def _mean(values: Floats | None) -> float | None:
    return None if values is None else float(values.mean())
