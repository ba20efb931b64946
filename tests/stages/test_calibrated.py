"""The temperature of a checkpoint is that of what its classifier reads on `val`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.optimize import minimize_scalar
from torch.nn import functional as F

from mien import paths
from mien.classifier.resnet18 import recorded_classifier
from mien.codec.model import load_codec
from mien.data import shards
from mien.runs import TRAINS_CLASSIFIER, Run
from mien.stages.finetune import finetune
from mien.tensors import load_tensors
from tests.support.trainings import RUNS


def val():
    batches = list(shards.split_batches(paths.SHARDS_MANIFEST, "val", 3))
    images = torch.cat([batch.images for batch in batches]).float().div(255)
    return images, torch.cat([batch.labels for batch in batches])


def temperature_of(classifier, pictures, labels):
    """Minimise what the module documents, by torch, without its code."""
    with torch.inference_mode():
        logits = classifier(pictures).double()

    def cost(log_t):
        nats = F.cross_entropy(logits / np.exp(log_t), labels, reduction="sum").item()
        return nats + log_t**2 / 2

    return float(np.exp(minimize_scalar(cost, bounds=(-2.9, 2.9), method="bounded").x))


def decoded(codec, pictures):
    with torch.inference_mode():
        return codec(pictures)["x_hat"].clamp(0, 1).mul(255).round().div(255)


@pytest.mark.parametrize("strategy", [s for s in RUNS if s in TRAINS_CLASSIFIER])
def test_a_run_that_trains_a_classifier_calibrates_it(params, strategy):
    run = RUNS[strategy]
    finetune(params, run)
    path = paths.checkpoint(run)
    classifier, record = recorded_classifier(path)
    pictures, labels = val()
    seen = {
        "joint": lambda: decoded(load_codec(path)[0], pictures),
        "classifier-decoded": lambda: decoded(load_codec(paths.codec(1))[0], pictures),
        "classifier-raw": lambda: pictures,
    }[strategy]()
    found = record["calibration"]
    expected = temperature_of(classifier, seen, labels)
    assert found["temperature"] == pytest.approx(expected, rel=2e-3)
    assert found["n"] == len(labels) > 2
    assert found["pictures"] == ("raw" if strategy == "classifier-raw" else "decoded")
    assert found["cross_entropy_calibrated"] <= found["cross_entropy"] + 0.01


@pytest.mark.usefixtures("params")
def test_the_pretrained_classifier_is_calibrated_on_raw_pictures():
    classifier, record = recorded_classifier(paths.CLASSIFIER)
    found = record["calibration"]
    expected = temperature_of(classifier, *val())
    assert found["temperature"] == pytest.approx(expected, rel=2e-3)
    assert found["pictures"] == "raw"


def test_a_codec_alone_has_nothing_to_calibrate(params):
    finetune(params, RUNS["codec-rd"])
    assert "calibration" not in load_tensors(paths.checkpoint(Run("codec-rd", "q1")))[1]
