"""Which files a name stands for: a run such as `joint/q3`, a weights file, a folder."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mien import paths
from mien.errors import CheckpointError, StreamError
from mien.runs import CONTROLS, PRETRAINED, SETTING, TRAINS_CLASSIFIER, TRAINS_CODEC, Run

CODEC_FILE = "codec.safetensors"  # of an exported folder
CLASSIFIER_FILE = "classifier.safetensors"
STRATEGIES = tuple(dict.fromkeys((PRETRAINED, *TRAINS_CODEC, *TRAINS_CLASSIFIER, *CONTROLS)))


@dataclass(frozen=True)
class Named:
    """The models that a name stands for.

    Attributes:
        codec: A file with `codec.*`; it need not exist.
        classifier: A file with `classifier.*`; it need not exist.
    """

    codec: Path
    classifier: Path


def named(name: str) -> Named:
    """Return the models of a run, of a weights file or of an exported folder.

    Args:
        name: `<strategy>/<setting>` of the workflow in this folder, the path of a
            `.safetensors` file, or a folder that `mien export` wrote.

    Raises:
        CheckpointError: If it is none of them.
    """
    path = Path(name)
    if path.suffix == ".safetensors":
        return Named(path, path)
    if (path / CODEC_FILE).is_file():
        return Named(path / CODEC_FILE, path / CLASSIFIER_FILE)
    return _of_run(run_named(name))


def run_named(name: str) -> Run:
    """Return the run that `<strategy>/<setting>` names, finished or not.

    Raises:
        CheckpointError: If it has another form.
    """
    strategy, _, setting = name.removeprefix("results/").rstrip("/").partition("/")
    if strategy not in STRATEGIES or not re.fullmatch(SETTING, setting):
        raise CheckpointError(
            f"{name}: neither a run such as joint/q3 (strategies: {', '.join(STRATEGIES)}), "
            "nor a .safetensors file, nor a folder that `mien export` wrote"
        )
    return Run(strategy, setting)


def wrote(codec: str) -> Named:
    """Return the models of the codec whose id starts with these digits, from this folder.

    Raises:
        StreamError: If no run and no pretrained codec here has that id.
    """
    for manifest in _manifests():
        record = json.loads(manifest.read_text(encoding="utf-8")).get("record", {})
        if str(record.get("codec_id", "")).startswith(codec):
            return _at(manifest.with_suffix(".safetensors"))
    raise StreamError(
        f"written by codec {codec}.., which is neither in {paths.MODELS}/codec nor in results/ "
        "here: name it with --codec"
    )


def _manifests() -> Iterator[Path]:
    yield from sorted((paths.MODELS / "codec").glob("q?.json"))
    yield from sorted(Path("results").glob("*/*/checkpoint.json"))


def _at(checkpoint: Path) -> Named:
    if checkpoint.parent.parent == paths.MODELS:
        return Named(checkpoint, paths.CLASSIFIER)
    return _of_run(Run(checkpoint.parent.parent.name, checkpoint.parent.name))


def _of_run(run: Run) -> Named:
    return Named(paths.codec_of(run), paths.classifier_of(run))
