"""Every file that the workflow makes, by the stage of dvc.yaml that versions it.

`rule all` lists all of them: one that it left out would not be made again when it is deleted,
and DVC would record its folder without it.
"""

from __future__ import annotations

from pathlib import Path

from mien import paths
from mien.params import SCRATCH, Params
from mien.runs import CLASSIC, PRETRAINED, TRAINS_CODEC, Run, trained_runs
from mien.workflow import figures, runs_here, tables


def shards() -> list[str]:
    """Return the data set's index and the manifest of its shards.

    Drawn faces are not among them: they are drawn again when they are needed.
    """
    return _names(paths.INDEX, paths.INDEX_MANIFEST, paths.SHARDS_MANIFEST)


def pretrained(params: Params) -> list[str]:
    """Return the models that every run starts from, with their histories if trained here."""
    codecs = [paths.codec(quality) for quality in params.codec.qualities]
    histories = [
        model.with_suffix(".csv")
        for models, section in ((codecs, params.codec), ([paths.CLASSIFIER], params.classifier))
        for model in models
        if section.weights == SCRATCH
    ]
    return _names(*_with_manifests(*codecs, paths.CLASSIFIER), *histories)


def trained(params: Params) -> list[str]:
    """Return the checkpoint and the history of every training, and all histories in one."""
    return _names(
        *_with_manifests(*(paths.checkpoint(run) for run in trained_runs(params))),
        *histories(params),
        paths.HISTORIES,
    )


def histories(params: Params) -> list[str]:
    """Return the history of every training."""
    return _names(*(paths.history(run) for run in trained_runs(params)))


def evaluated(params: Params) -> list[str]:
    """Return streams, measurements and metrics of every run."""
    runs = runs_here(params)
    return _names(
        *(file for run in runs for file in _measured(run)),
        paths.METRICS,
        paths.STATISTICS,
        paths.TIMINGS,
    )


def reported() -> list[str]:
    """Return tables, figures and page."""
    every = [*tables(), *figures("pdf"), *figures("png")]
    return [*every, *_names(paths.REPORT, paths.RATE_ACCURACY)]


def everything(params: Params) -> list[str]:
    """Return every file of a finished workflow."""
    stages = (shards(), pretrained(params), trained(params), evaluated(params), reported())
    return list(dict.fromkeys(name for stage in stages for name in stage))


def _measured(run: Run) -> list[Path]:
    streams = [*_with_manifests(paths.streams(run)), paths.encode_seconds(run)]
    learned = run.strategy == PRETRAINED or run.strategy in TRAINS_CODEC
    bits = _with_manifests(paths.bits(run)) if learned and run.strategy not in CLASSIC else []
    measured = [
        paths.decoded(run),
        paths.raw(run),
        paths.examples(run),
        paths.decode_seconds(run),
    ]
    return [*streams, *bits, *measured, paths.evaluation_manifest(run)]


def _with_manifests(*payloads: Path) -> list[Path]:
    return [file for payload in payloads for file in (payload, paths.manifest_of(payload))]


def _names(*files: Path | str) -> list[str]:
    return list(dict.fromkeys(map(str, files)))
