"""What the Snakefile asks for: files by rule, the params each depends on, digests of code."""

from __future__ import annotations

import ast
import hashlib
from functools import cache
from pathlib import Path
from typing import Any

from mien import paths
from mien.errors import DataError
from mien.params import SCRATCH, ZOO, Params
from mien.runs import JOINT, Run, all_runs, setting_named

SOURCE = Path(__file__).parent
# What these do to a result shows in the values a rule depends on, or not at all.
PLUMBING = {"errors", "files", "params", "paths", "provenance", "runs"}


@cache
def code(stage: str) -> str:
    """Return a digest of the source that one stage runs: all that it imports, however far down.

    It is a parameter of a rule, not an input: Snakemake compares parameters by value, but looks
    at an input only when it is newer than the output, which after a checkout nothing is.

    Args:
        stage: A module of `mien.stages`, such as `finetune`.
    """
    modules = _reached(f"mien.stages.{stage}")
    digest = hashlib.sha256()
    for file in sorted(_sources(modules)):
        digest.update(file.relative_to(SOURCE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def check_data_root(params: Params) -> None:
    """Refuse a data root that is not there, before any job starts.

    Raises:
        DataError: If `data.root` is missing and is not drawn by the workflow.
    """
    if params.data.faces is None and not Path(params.data.root).is_dir():
        raise DataError(
            f"params.yaml: data.root: {params.data.root}: no such folder: put the data set, or "
            "a link to it, there"
        )


def drawn_faces(params: Params) -> list[str]:
    """Return what `ingest` waits for: the manifest of the drawn faces, if they are drawn."""
    return [] if params.data.faces is None else [str(paths.FACES_MANIFEST)]


def pretrain_config(params: Params, section: str) -> dict[str, Any]:
    """Return the values that a pretrained `codec` or `classifier` depends on."""
    own: dict[str, Any] = getattr(params, section).model_dump(mode="json")
    if own["weights"] != SCRATCH:
        return own
    return own | params.pretrain.model_dump(mode="json")


def run_config(params: Params, strategy: str, setting: str) -> dict[str, Any]:
    """Return the values that one training depends on."""
    return {
        "weights": setting_named(params, setting).weights.model_dump(),
        "finetune": params.finetune.model_dump(mode="json"),
        "classifier": params.classifier.model_dump(mode="json"),
        "evaluate": params.evaluate.batch_size,
        "strategy": strategy,
    }


def higher_codec(params: Params, quality: int) -> list[str]:
    """Return the codec that the training of `quality` starts from, if it is trained here."""
    higher = [q for q in params.codec.qualities if q > quality]
    trained = params.codec.weights == SCRATCH and params.pretrain.codec.start is None
    return [str(paths.manifest_of(paths.codec(higher[0])))] if trained and higher else []


def weights_files(params: Params, quality: int) -> list[str]:
    """Return the file that the codec of `quality` is read from, if it is in a folder."""
    trained = params.codec.weights == SCRATCH
    folder = params.pretrain.codec.start if trained else params.codec.weights
    return [] if folder in (None, ZOO) else [f"{folder}/codec-q{quality}.safetensors"]


def classifier_files(params: Params) -> list[str]:
    """Return the weights file that the classifier is read from, if there is one."""
    return [] if params.classifier.weights == SCRATCH else [params.classifier.weights]


def checkpoint_manifest(strategy: str, setting: str) -> str:
    """Return the manifest of the codec that encodes a run."""
    return str(paths.manifest_of(paths.checkpoint(Run(strategy, setting))))


def classifier_manifest(strategy: str, setting: str) -> str:
    """Return the manifest of the classifier that reads a run's decoded pictures."""
    run = Run(strategy, setting)
    return str(
        paths.manifest_of(paths.checkpoint(run) if strategy == JOINT else paths.CLASSIFIER)
    )


def evaluations(params: Params) -> list[str]:
    """Return the manifests of all that was measured."""
    return [str(paths.evaluation_manifest(run)) for run in all_runs(params)]


def archives(params: Params) -> list[str]:
    """Return the manifests of all streams."""
    return [str(paths.manifest_of(paths.streams(run))) for run in all_runs(params)]


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
        "evaluate": params.evaluate.model_dump(mode="json"),
        "loss": params.loss.model_dump(),
        "sweep": params.sweep.model_dump(mode="json"),
        "seed": params.finetune.seed,
    }


def tables() -> list[str]:
    """Return the files of all tables."""
    kinds = ("md", "tex", "csv")
    return [str(paths.TABLES / f"{n}.{kind}") for n in paths.TABLE_NAMES for kind in kinds]


def figures(suffix: str) -> list[str]:
    """Return the files of all figures of one kind, `pdf` or `png`."""
    return [str(paths.FIGURES / f"{name}.{suffix}") for name in paths.FIGURE_NAMES]


def everything(params: Params) -> list[str]:
    """Return every file that the whole workflow makes and nothing else is made from."""
    return [
        str(paths.METRICS),
        str(paths.REPORT),
        *tables(),
        *figures("pdf"),
        *figures("png"),
        *evaluations(params),
        *archives(params),
    ]


def _reached(start: str) -> set[str]:
    """Return `start` and every module of mien that it imports, directly or not."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module not in reached and module.split(".")[1] not in PLUMBING:
            reached.add(module)
            waiting += _imported(_file(module))
    return reached


def _imported(file: Path) -> list[str]:
    """Return the modules of mien that a file's import statements name."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        elif isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
    return [name for name in names if name.startswith("mien.") and _file(name).is_file()]


def _file(module: str) -> Path:
    place = SOURCE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _sources(modules: set[str]) -> set[Path]:
    """Return the files of modules, and the style sheets and the like that lie beside them."""
    files = {_file(module) for module in modules}
    beside = {
        other
        for file in files
        for other in file.parent.iterdir()
        if other.is_file() and other.suffix not in (".py", ".pyc", ".typed")
    }
    return files | beside
