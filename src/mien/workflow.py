"""What the Snakefile asks for: files by rule, the params each depends on, digests of code."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from mien import paths
from mien.codec import classic
from mien.errors import DataError
from mien.params import IMAGENET, LIBREFACE, SCRATCH, ZOO, Params
from mien.part import all_parts
from mien.raw import drawn_note
from mien.report.captions import intervals, source
from mien.report.statistics import middle_of, read_statistics
from mien.runs import (
    PRETRAINED,
    Run,
    all_runs,
    classic_codecs,
    classic_runs,
    reference_settings,
)


def check_data_root(params: Params) -> None:
    """Refuse a data root that is not there, before any job starts.

    Where the index is there already (by `dvc pull`), nobody may ever ask for the pictures.

    Raises:
        DataError: If `data.root` is missing, is not drawn by the workflow, and is not indexed.
    """
    needed = params.data.faces is None and not paths.INDEX_MANIFEST.is_file()
    if needed and not Path(params.data.root).is_dir():
        raise DataError(
            f"params.yaml: data.root: {params.data.root}: no such folder: put the data set, or "
            "a link to it, there"
        )


def drawn_faces(params: Params) -> list[str]:
    """Return what `ingest` and `shard` wait for: the note of drawn faces, if they are."""
    note = drawn_note(params.data)
    return [] if note is None else [str(note)]


def pretrain_config(params: Params, section: str) -> dict[str, Any]:
    """Return the values that a pretrained `codec` or `classifier` depends on."""
    own: dict[str, Any] = getattr(params, section).model_dump(mode="json", exclude={"entropy"})
    if own["weights"] != SCRATCH:
        return own
    compute = {"max_skipped"} | ({"precision", "compile"} if section == "codec" else set())
    own["compute"] = params.compute.model_dump(mode="json", include=compute)
    return own | params.pretrain.model_dump(mode="json")


def higher_codec(params: Params, quality: int) -> list[str]:
    """Return the codec that the training of `quality` starts from, if it is trained here."""
    higher = [q for q in params.codec.qualities if q > quality]
    trained = params.codec.weights == SCRATCH and params.pretrain.codec.start is None
    return [str(paths.manifest_of(paths.codec(higher[0])))] if trained and higher else []


def weights_files(params: Params, quality: int) -> list[str]:
    """Return the file that the codec of `quality` is read from, if it is in a folder."""
    trained = params.codec.weights == SCRATCH
    folder = params.pretrain.codec.start if trained else params.codec.weights
    if folder in (None, ZOO):
        return []
    ours = Path(str(folder)) / f"codec-q{quality}.safetensors"
    theirs = sorted(ours.parent.glob(f"mbt2018-mean-{quality}-*.pth.tar"))  # the zoo's own name
    return [str(ours if ours.exists() or not theirs else theirs[0])]


def classifier_files(params: Params) -> list[str]:
    """Return the weights file that the classifier is read from, if there is one."""
    trained = params.classifier.weights == SCRATCH
    weights = params.pretrain.classifier.start if trained else params.classifier.weights
    return [] if weights in (None, IMAGENET, LIBREFACE) else [str(weights)]


def read_by_finetune(params: Params, strategy: str, setting: str) -> list[str]:
    """Return the manifests of the models that a training reads."""
    models = paths.read_by_training(params, Run(strategy, setting))
    return [str(paths.manifest_of(model)) for model in models]


def codec_manifest(strategy: str, setting: str) -> str:
    """Return the manifest of the codec that encodes a run."""
    return str(paths.manifest_of(paths.codec_of(Run(strategy, setting))))


def classifier_manifest(strategy: str, setting: str) -> str:
    """Return the manifest of the classifier that reads a run's decoded pictures."""
    return str(paths.manifest_of(paths.classifier_of(Run(strategy, setting))))


def streams_manifest(strategy: str, setting: str) -> str:
    """Return the manifest of the streams that a run's pictures are decoded from."""
    return str(paths.manifest_of(paths.streams(Run(strategy, setting))))


def read_by_decode(strategy: str, setting: str) -> list[str]:
    """Return what `decode` reads of a run."""
    return [streams_manifest(strategy, setting), classifier_manifest(strategy, setting)]


def read_by_pretrain(params: Params, quality: int) -> list[str]:
    """Return what the codec of a quality starts from."""
    return weights_files(params, quality) + higher_codec(params, quality)


def read_by_summarise(params: Params) -> list[str]:
    """Return what `summarise` reads."""
    return archives(params) + evaluations(params) + classifiers(params)


def read_by_figures(params: Params) -> list[str]:
    """Return what `figures` reads beside the statistics."""
    return evaluations(params) + bit_maps(params)


def missing(params: Params) -> dict[str, str]:
    """Return the classic codecs whose library is not here, with the command that brings it."""
    return classic.missing(classic_codecs(params))


def classic_settings(params: Params) -> dict[str, list[str]]:
    """Return the settings of every classic codec that can be run here."""
    lacking = missing(params)
    settings: dict[str, list[str]] = {}
    for run in classic_runs(params):
        if run.strategy not in lacking:
            settings.setdefault(run.strategy, []).append(run.setting)
    return settings


def runs_here(params: Params) -> list[Run]:
    """Return every run but those of classic codecs whose library is not here."""
    lacking = missing(params)
    return [run for run in all_runs(params) if run.strategy not in lacking]


def evaluations(params: Params) -> list[str]:
    """Return the manifests of all that was measured."""
    return [str(paths.evaluation_manifest(run)) for run in runs_here(params)]


def times(params: Params) -> list[str]:
    """Return the files of how long everything took."""
    every = [
        f(run)
        for run in runs_here(params)
        for f in (paths.encode_seconds, paths.decode_seconds)
    ]
    return [str(path) for path in dict.fromkeys(every)]


def classifiers(params: Params) -> list[str]:
    """Return the manifests of all classifiers, whose records hold their temperatures."""
    every = [str(paths.manifest_of(paths.classifier_of(run))) for run in all_runs(params)]
    return list(dict.fromkeys(every))


def archives(params: Params) -> list[str]:
    """Return the manifests of all streams."""
    every = [str(paths.manifest_of(paths.streams(run))) for run in runs_here(params)]
    return list(
        dict.fromkeys(every)
    )  # a classifier's own training leaves the streams as they are


def bit_maps(params: Params) -> list[str]:
    """Return the manifests of where the bits of the middle rate point go, for each codec."""
    middle = middle_of([setting.name for setting in reference_settings(params)])
    every = [Run(strategy, middle) for strategy in (PRETRAINED, *params.strategies)]
    return list(dict.fromkeys(str(paths.manifest_of(paths.bits(run))) for run in every))


def parts(params: Params, pattern: str) -> list[str]:
    """Return the files of all parts that a stage is joined from; none where it is one job.

    Args:
        params: How many.
        pattern: Of their paths, with `{part}`.
    """
    n = params.compute.parts
    return [pattern.replace("{part}", str(p)) for p in all_parts(n)] if n > 1 else []


def models(params: Params) -> list[str]:
    """Return the manifests of all pretrained models."""
    codecs = [str(paths.manifest_of(paths.codec(q))) for q in params.codec.qualities]
    return [*codecs, str(paths.manifest_of(paths.CLASSIFIER))]


def summary_config(params: Params) -> dict[str, Any]:
    """Return the values that the statistics depend on."""
    return {
        "data": params.data.name,
        "image_size": params.shards.image_size,
        "qualities": list(params.codec.qualities),
        "strategies": list(params.strategies),
        "classic": [f"{run.strategy}/{run.setting}" for run in classic_runs(params)],
        "missing": missing(params),
        "evaluate": params.evaluate.model_dump(mode="json"),
        "loss": params.loss.model_dump(mode="json"),
        "sweep": params.sweep.model_dump(mode="json"),
        "repeat": params.repeat.model_dump(mode="json"),
        "start": params.finetune.start,
        "seed": params.finetune.seed,
    }


def tables() -> list[str]:
    """Return the files of all tables."""
    kinds = ("md", "tex", "csv")
    return [
        *(str(paths.TABLES / f"{n}.{kind}") for n in paths.TABLE_NAMES for kind in kinds),
        str(paths.TIMINGS_TABLE),
    ]


def figures(suffix: str) -> list[str]:
    """Return the files of all figures of one kind, `pdf` or `png`."""
    return [str(paths.FIGURES / f"{name}.{suffix}") for name in paths.FIGURE_NAMES]


def rests_on(params: Params) -> str:
    """Return what a caption of Snakemake's report ends with, as reStructuredText.

    Data set, number of images, seeds, commit and how the intervals were made, as
    statistics.json has them; before there is one, that there is none.
    """
    try:
        statistics = read_statistics(paths.STATISTICS, all_runs(params))
    except DataError:
        return f"No {paths.STATISTICS} of these params yet."
    text = f"{source(statistics)} Every interval is a {intervals(statistics)}."
    return re.sub(r"([\\*`|_])", r"\\\1", text)
