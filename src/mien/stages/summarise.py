"""Summarise every run: metrics.json, for `dvc metrics diff`, all that is shown, and times."""

from __future__ import annotations

import sys
from typing import Any

from mien import paths
from mien.codec.classic import missing
from mien.files import write_json
from mien.params import Params
from mien.provenance import source_commit
from mien.report.evaluated import read_evaluations
from mien.report.statistics import (
    Bjontegaard,
    Estimate,
    RunStatistics,
    Statistics,
    rounded,
    write_statistics,
)
from mien.report.summary import statistics_of
from mien.report.timings import timings_of, write_timings
from mien.runs import all_runs, classic_codecs

FINE_DECIMALS = 5  # of bpp and MS-SSIM: one byte in a 256x256 picture is 0.00012 bit/pixel
DECIMALS = 3  # one image in 4,000 is 0.025 percent


def summarise(params: Params) -> None:
    """Write results/statistics.json, metrics.json and results/timings.json of every run.

    The first two hold nothing that differs between two identical runs; metrics.json holds no
    commit either, so that an unchanged number is an unchanged file.

    Raises:
        DataError: If a run's files are missing, damaged or not about the same images.
    """
    lacking = missing(classic_codecs(params))
    for codec, command in lacking.items():
        print(f"{codec}: left out: its library is not installed: {command}", file=sys.stderr)
    runs = [run for run in all_runs(params) if run.strategy not in lacking]
    evaluations = read_evaluations(runs, params.shards.image_size)
    statistics = statistics_of(params, evaluations, source_commit(), lacking)
    write_timings(paths.TIMINGS, timings_of(evaluations))
    write_statistics(paths.STATISTICS, statistics)
    write_json(paths.METRICS, metrics_of(statistics))


def metrics_of(statistics: Statistics) -> dict[str, Any]:
    """Return `{strategy: {setting: metrics}, "summary": {strategy: deltas}}`, rounded."""
    metrics: dict[str, Any] = {
        strategy: {setting: _metrics_of_run(run) for setting, run in settings.items()}
        for strategy, settings in statistics.runs.items()
    }
    metrics["summary"] = {
        strategy: _deltas(found) for strategy, found in statistics.bjontegaard.items()
    }
    return metrics


def _metrics_of_run(run: RunStatistics) -> dict[str, Any]:
    fine = {"bpp": run.bpp, "estimated_bpp": run.estimated_bpp, "ms_ssim": run.ms_ssim}
    others = {
        "accuracy": run.accuracy.value,
        "raw_accuracy": run.raw_accuracy.value,
        "ece": run.decoded.ece,
        "macro_f1": run.decoded.macro_f1.value,
        "n_bytes": run.n_bytes,
        "psnr": run.psnr,
        "uar": run.decoded.uar.value,
    }
    return {**rounded(fine, FINE_DECIMALS), **rounded(others, DECIMALS)}


def _deltas(found: Bjontegaard) -> dict[str, Any]:
    deltas = {
        **_with_bounds("bd_accuracy", found.bd_accuracy),
        "bd_accuracy_overlap": found.rate_overlap.fraction,
        **_with_bounds("bd_rate", found.bd_rate),
        "bd_rate_overlap": found.accuracy_overlap.fraction,
    }
    bounded: dict[str, Any] = rounded(deltas, DECIMALS)
    return bounded


def _with_bounds(name: str, estimate: Estimate) -> dict[str, float | None]:
    return {name: estimate.value, f"{name}_low": estimate.low, f"{name}_high": estimate.high}
