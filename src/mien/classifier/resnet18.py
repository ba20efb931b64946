"""LibreFace's expression classifier: a ResNet-18 encoder and a small head, same tensor names.

Source: LibreFace, `Facial_Expression_Recognition/models/resnet18.py`. There the head ends in
a sigmoid, and the cross entropy sees it; here `forward` returns logits, `scores` applies it.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torchvision.models.resnet import BasicBlock, conv1x1

from mien.errors import CheckpointError
from mien.expressions import EXPRESSIONS, N_EXPRESSIONS
from mien.params import Classifier as Section
from mien.tensors import below, check_names, load_tensors

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


class Classifier(nn.Module):
    """Expression logits of pictures.

    Args:
        width: Channels of the first stage; 64 is ResNet-18 (11,243,464 parameters in all).
        input_size: Side in pixels that pictures are resized to.
        dropout: In the head.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int, input_size: int, dropout: float) -> None:
        super().__init__()
        self.width = width
        self.input_size = input_size
        self.encoder = _encoder(width)
        self.classifier = nn.Sequential(
            nn.Linear(8 * width, 128),
            nn.ReLU(inplace=True),
            nn.BatchNorm1d(128),
            nn.Dropout(dropout),
            nn.Linear(128, N_EXPRESSIONS),
        )
        # Facts, not weights: kept out of the state dict, whose names are LibreFace's.
        self.register_buffer("mean", _per_channel(IMAGENET_MEAN), persistent=False)
        self.register_buffer("std", _per_channel(IMAGENET_STD), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return logits, float32 [B, 8], of pictures float32 [B, 3, H, W] in [0, 1]."""
        features = self.encoder((self.resized(x) - self.mean) / self.std)
        logits: Tensor = self.classifier(features.flatten(1))
        return logits

    def resized(self, x: Tensor) -> Tensor:
        """Resize as `PIL.Image.resize` does (bicubic, antialiased), but do not round.

        As two matrix products, since PyTorch's own kernel is slow backwards on a CPU.
        """
        height, width = x.shape[-2:]
        if height == width == self.input_size:
            return x
        with torch.autocast(x.device.type, enabled=False):
            rows = _resampling(height, self.input_size, x.device)
            columns = _resampling(width, self.input_size, x.device)
            return (rows @ x @ columns.T).clamp(0, 1)


def scores(logits: Tensor, output: str) -> Tensor:
    """Return what the cross entropy sees: the logits, or as in LibreFace their sigmoid."""
    return torch.sigmoid(logits) if output == "sigmoid" else logits


def new_classifier(section: Section) -> Classifier:
    """Return a classifier with random weights (from torch's global generator)."""
    return Classifier(section.width, section.input_size, section.dropout)


def load_classifier(
    path: Path, section: Section, *, to_train: bool = False
) -> tuple[Classifier, dict[str, Any]]:
    """Return a checkpoint's classifier (tensors `classifier.*`), in eval mode, and its record.

    Args:
        path: Of the checkpoint.
        section: What params say of the classifier.
        to_train: It is a start, which training brings to another input or output.

    Raises:
        CheckpointError: If the file holds another architecture than params ask for, or classes
            in another order, or if what is not to be trained was made for another input size or
            output.
    """
    tensors, record = load_tensors(path)
    _require_labels(record, path)
    if not to_train:
        _require_use(record, section, path)
    classifier = new_classifier(section)
    load_state(classifier, _state(tensors), path)
    return classifier.eval(), record


def recorded_classifier(path: Path) -> tuple[Classifier, dict[str, Any]]:
    """Return a checkpoint's classifier as its own record describes it, and the record.

    Raises:
        CheckpointError: If the file is missing, damaged, or holds no classifier, or one of
            classes in another order.
    """
    tensors, record = load_tensors(path)
    state = _state(tensors)
    if not state or "classifier" not in record:
        raise CheckpointError(f"{path}: holds no classifier (no tensors `classifier.*`)")
    _require_labels(record, path)
    described = record["classifier"]
    classifier = Classifier(described["width"], described["input_size"], dropout=0.0)
    load_state(classifier, state, path)
    return classifier.eval(), record


def load_state(classifier: Classifier, state: dict[str, Tensor], source: Path) -> None:
    """Load tensors by LibreFace's names; a missing, unknown or misshapen one is an error."""
    what = f"a ResNet-18 of classifier.width {classifier.width}"
    check_names(source, state, classifier.state_dict(), what)
    classifier.load_state_dict(state)


def record_of(section: Section) -> dict[str, Any]:
    """Return what a checkpoint must say about its classifier."""
    return {
        "width": section.width,
        "input_size": section.input_size,
        "output": section.output,
        "labels": list(EXPRESSIONS),
    }


@lru_cache(maxsize=16)
@torch.inference_mode(False)
def _resampling(old: int, new: int, device: torch.device) -> Tensor:
    """Return float32 [new, old]: what resizing does to a column of pixels."""
    columns = torch.eye(old, device=device)[None, None]
    return F.interpolate(columns, size=(new, old), mode="bicubic", antialias=True)[0, 0]


def _encoder(width: int) -> nn.Sequential:
    """Return torchvision's resnet18 less its last layer, `width` channels in the first stage.

    The children keep torchvision's order, so that names and weights at width 64 are its own.
    """
    stem = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
    encoder = nn.Sequential(
        stem,
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
        _stage(width, width, stride=1),
        _stage(width, 2 * width, stride=2),
        _stage(2 * width, 4 * width, stride=2),
        _stage(4 * width, 8 * width, stride=2),
        nn.AdaptiveAvgPool2d(1),
    )
    for module in encoder.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return encoder


def _stage(inputs: int, outputs: int, stride: int) -> nn.Sequential:
    shortcut = None
    if stride != 1:
        shortcut = nn.Sequential(conv1x1(inputs, outputs, stride), nn.BatchNorm2d(outputs))
    return nn.Sequential(
        BasicBlock(inputs, outputs, stride, shortcut), BasicBlock(outputs, outputs)
    )


def _require_labels(record: Mapping[str, Any], path: Path) -> None:
    """Refuse classes in another order, where the record says which they are."""
    labels = record.get("classifier", {}).get("labels", list(EXPRESSIONS))
    if labels != list(EXPRESSIONS):
        raise CheckpointError(
            f"{path}: its record's classifier.labels are {', '.join(labels)}, not "
            f"{', '.join(EXPRESSIONS)}: put the rows of its last layer into that order"
        )


def _require_use(record: Mapping[str, Any], section: Section, path: Path) -> None:
    """Refuse another input size or output, where the record says which they were."""
    for key, asked in (("input_size", section.input_size), ("output", section.output)):
        made = record.get("classifier", {}).get(key, asked)
        if made != asked:
            raise CheckpointError(
                f"{path}: its record's classifier.{key} is {made}, params ask for {asked}: set "
                f"classifier.{key} to {made}, or train it on, by classifier.weights `scratch` "
                "and pretrain.classifier.start"
            )


def _per_channel(values: tuple[float, ...]) -> Tensor:
    return torch.tensor(values).reshape(1, -1, 1, 1)


def _state(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the classifier's tensors of a checkpoint, in single precision."""
    return {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in below(tensors, "classifier").items()
    }
