"""`mien export`: a run as one folder that needs nothing else to be used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mien import paths
from mien.classifier.resnet18 import recorded_classifier
from mien.codec.model import load_codec
from mien.errors import DataError
from mien.files import sha256_of, write_json, write_text
from mien.params import Params, load_params
from mien.report.statistics import Statistics, read_statistics
from mien.runs import Run, all_runs
from mien.tensors import below, load_tensors, save_tensors, under
from mien.verbs.card import card
from mien.verbs.named import CLASSIFIER_FILE, CODEC_FILE, named, run_named
from mien.verbs.networks import Written, networks, write_networks

MANIFEST = "export.json"


def export(name: str, folder: Path, *, onnx: bool, force: bool) -> None:
    """Write the models of a finished run, as safetensors and ONNX, with a model card.

    Args:
        name: `<strategy>/<setting>`, evaluated in this folder.
        folder: To write; what `--codec` and `--classifier` then take.
        onnx: Whether to write the networks as ONNX too.
        force: Whether a folder that `export` wrote may be replaced.

    Raises:
        MienError: If the run is not finished or the folder is not ours to replace.
    """
    _require_free(folder, force=force)
    run = run_named(name)
    params = load_params(paths.PARAMS)
    statistics = _statistics(params, run)
    models = named(name)
    with _replacing_folder(folder) as temporary:
        _copy(models.codec, temporary / CODEC_FILE, ("codec", "exact"))
        _copy(models.classifier, temporary / CLASSIFIER_FILE, ("classifier",))
        written: list[Written] = []
        if onnx:
            codec = load_codec(temporary / CODEC_FILE)[0]
            classifier = recorded_classifier(temporary / CLASSIFIER_FILE)[0]
            written = write_networks(networks(codec, classifier), temporary / "onnx")
        text = card(run, statistics, temporary, written, params)
        write_text(temporary / "README.md", text)
        files = [path for path in sorted(temporary.rglob("*")) if path.is_file()]
        digests = {str(path.relative_to(temporary)): sha256_of(path) for path in files}
        write_json(temporary / MANIFEST, {"run": name, "files": digests})


def _statistics(params: Params, run: Run) -> Statistics:
    runs = all_runs(params)
    if run not in runs:
        raise DataError(
            f"{run.strategy}/{run.setting}: not a run of {paths.PARAMS}: nothing was measured"
        )
    return read_statistics(paths.STATISTICS, runs)


def _copy(source: Path, target: Path, kinds: tuple[str, ...]) -> None:
    """Write some of a checkpoint's tensors, with its record."""
    tensors, record = load_tensors(source)
    kept = {k: v for kind in kinds for k, v in under(below(tensors, kind), kind).items()}
    save_tensors(target, kept, record)


def _require_free(folder: Path, *, force: bool) -> None:
    if not folder.exists():
        return
    ours = (folder / MANIFEST).is_file()
    if not (force and ours):
        mend = "--force replaces it" if ours else "name another: it is not one of mien's"
        raise DataError(f"{folder}: is there already: {mend}")


@contextmanager
def _replacing_folder(folder: Path) -> Iterator[Path]:
    """Yield a new folder beside `folder` that gets its name when the block succeeds."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        if folder.exists():
            shutil.rmtree(folder)
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
