"""Pretrained classifiers: LibreFace's ResNet-18, ImageNet's as a start, or one of ours."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

from torch import Tensor
from torchvision.models import ResNet18_Weights

from mien.classifier.resnet18 import Classifier, load_classifier, load_state, new_classifier
from mien.download import (
    cache_folder,
    check,
    fetch,
    named_by_git,
    named_by_sha256,
)
from mien.errors import CheckpointError
from mien.params import LIBREFACE
from mien.params import Classifier as Section
from mien.tensors import check_names, tensors_in

# Not reachable when this was written. `/raw/` leads to the content of a file in git LFS too,
# as the repository has kept some. Newer releases put a RepVGG under the name `resnet.pt`.
LIBREFACE_URL = (
    "https://github.com/ihp-lab/LibreFace/raw/main/"
    "Facial_Expression_Recognition/checkpoints_fm_resnet/AffectNet/resnet.pt"
)
LIBREFACE_BLOB = "bfcc31ba14f8bbf3ab7825fc0c6db6ee13d193eb"
LICENCE = "LibreFace's weights are licensed for research and non-profit use only"
IMAGENET_URL: str = ResNet18_Weights.IMAGENET1K_V1.url
WIDTH = 64  # of ResNet-18, and so of every file that others publish

# torchvision's names of what LibreFace numbers; `fc`, the 1000 classes, has no counterpart.
PLACES = {"conv1": 0, "bn1": 1, "layer1": 4, "layer2": 5, "layer3": 6, "layer4": 7}


def pretrained_classifier(section: Section, *, to_train: bool = False) -> Classifier:
    """Return the classifier that `classifier.weights` names.

    Args:
        section: What params say of the classifier.
        to_train: It is a start, which training brings to another input size or output.

    Raises:
        CheckpointError: If the file is missing, damaged or of another architecture, or was made
            for another input size or output and is not to be trained.
    """
    if section.weights == LIBREFACE:
        _check_width(section)
        path = cache_folder() / "libreface" / "resnet.pt"
        fetch(LIBREFACE_URL, path, named_by_git(LIBREFACE_BLOB))
        _say_once(LICENCE)
        return classifier_from_libreface(path, section)
    path = Path(section.weights)
    if path.suffix == ".safetensors":
        return load_classifier(path, section, to_train=to_train)[0]
    return libreface_classifier(path, section)


def libreface_classifier(path: Path, section: Section) -> Classifier:
    """Return LibreFace's ResNet-18 from the user's copy, verified by its git blob hash."""
    _check_width(section)
    if not path.is_file():
        raise CheckpointError(
            f"classifier.weights {path}: no such file: put {LIBREFACE_URL} there, or say "
            f"`{LIBREFACE}`, `scratch` or a .safetensors file"
        )
    check(path, named_by_git(LIBREFACE_BLOB), f"replace it with {LIBREFACE_URL}")
    _say_once(LICENCE)
    return classifier_from_libreface(path, section)


def classifier_from_libreface(path: Path, section: Section) -> Classifier:
    """Return a classifier from a file in LibreFace's format: tensors at `model`."""
    classifier = new_classifier(section)
    load_state(classifier, tensors_in(path, "model"), path)
    return classifier.eval()


def imagenet_classifier(section: Section) -> Classifier:
    """Return a new classifier to train: torchvision's ImageNet encoder under a random head.

    The head comes from torch's global generator.

    Raises:
        CheckpointError: If the file cannot be had, or params ask for another width.
    """
    _check_width(section)
    path = cache_folder() / "torchvision" / IMAGENET_URL.rsplit("/", 1)[-1]
    fetch(IMAGENET_URL, path, named_by_sha256)
    return classifier_from_imagenet(path, section)


def classifier_from_imagenet(path: Path, section: Section) -> Classifier:
    """Return a new classifier with the encoder of a file in torchvision's format."""
    classifier = new_classifier(section)
    expected = classifier.encoder.state_dict()
    # Counters that only older files lack; at a fixed momentum nothing reads them.
    counters = {n: t for n, t in expected.items() if n.endswith("num_batches_tracked")}
    state = counters | _numbered(tensors_in(path))
    check_names(path, state, expected, _described(section))
    classifier.encoder.load_state_dict(state)
    return classifier


def _numbered(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return torchvision's tensors by LibreFace's names: `layer1.0.*` is `4.0.*`."""
    parts = {name: name.partition(".") for name in state if not name.startswith("fc.")}
    return {
        f"{PLACES.get(first, first)}{dot}{rest}": state[name]
        for name, (first, dot, rest) in parts.items()
    }


def _check_width(section: Section) -> None:
    if section.width != WIDTH:
        raise CheckpointError(
            f"classifier.width {section.width}: published weights are a ResNet-18's, {WIDTH}: "
            f"set classifier.width to {WIDTH}, or train from `scratch`"
        )


def _described(section: Section) -> str:
    return f"a ResNet-18 of classifier.width {section.width}"


@cache
def _say_once(notice: str) -> None:
    print(notice, file=sys.stderr)
