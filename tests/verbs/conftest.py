"""A folder as a finished workflow leaves it: two codecs, two classifiers, measured runs."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from mien import paths
from mien.classifier.resnet18 import new_classifier, record_of
from mien.codec.integers import codec_id, exported
from mien.params import load_params
from mien.runs import Run
from mien.stages.summarise import summarise
from mien.tensors import save_tensors, under
from tests.support.results import PARAMS, write_results

CALIBRATION = {
    "temperature": 2.5,
    "pictures": "decoded",
    "split": "val",
    "n": 40,
    "cross_entropy": 1.5,
    "cross_entropy_calibrated": 1.2,
}


def tensors_of(codec) -> dict[str, torch.Tensor]:
    return under(codec.state_dict(), "codec") | under(exported(codec), "exact")


def codec_record(codec, **more: Any) -> dict[str, Any]:
    name = codec_id(codec, exported(codec))
    return {"channels": [16, 24], "quality": 3, "lambda": 0.0067, "codec_id": name} | more


@pytest.fixture(scope="session")
def finished_once(trained_codec, faces, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("finished")
    back = Path.cwd()
    os.chdir(folder)
    try:
        paths.PARAMS.write_text(PARAMS)
        params = load_params(paths.PARAMS)
        write_results(params, n=60)
        summarise(params)
        torch.manual_seed(1)
        mine = new_classifier(params.classifier)
        theirs = new_classifier(params.classifier)
        described = {"classifier": record_of(params.classifier)}
        save_tensors(
            paths.CLASSIFIER,
            under(theirs.state_dict(), "classifier"),
            described | {"calibration": CALIBRATION | {"temperature": 1.5, "pictures": "raw"}},
        )
        save_tensors(paths.codec(3), tensors_of(trained_codec), codec_record(trained_codec))
        joint = _moved(trained_codec)
        run = {"strategy": "joint", "setting": "q3", "loss": {"bpp": 1, "mse": 1, "ce": 1}}
        save_tensors(
            paths.checkpoint(Run("joint", "q3")),
            tensors_of(joint) | under(mine.state_dict(), "classifier"),
            codec_record(joint, **run) | described | {"calibration": CALIBRATION},
        )
        pictures = folder / "photos"
        (pictures / "more").mkdir(parents=True)
        for index, (name, size) in enumerate(
            [("a.png", (70, 100)), ("b.jpg", (128, 128)), ("more/c.webp", (33, 65))]
        ):
            image = Image.fromarray(faces[index].permute(1, 2, 0).numpy()).resize(size)
            image.save(pictures / name)
        (pictures / "notes.txt").write_text("not a picture")
    finally:
        os.chdir(back)
    return folder


def _moved(codec):
    """Return a codec that is another one."""
    import copy

    other = copy.deepcopy(codec)
    with torch.no_grad():
        other.h_s[4].bias[24:] += 0.01
    return other


@pytest.fixture
def finished(finished_once, tmp_path, monkeypatch) -> Path:
    """Return such a folder, the working directory."""
    shutil.copytree(finished_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def pixels(path: Path | str) -> np.ndarray:
    return np.asarray(Image.open(path).convert("RGB"))
