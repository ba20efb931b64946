"""Pretrained classifiers: LibreFace's ResNet-18 file, or one of ours."""

from __future__ import annotations

import hashlib
import pickle
import sys
from pathlib import Path

import torch

from mien.classifier.resnet18 import Classifier, load_classifier, load_state, new_classifier
from mien.errors import CheckpointError
from mien.params import Classifier as Section

# `checkpoints_fm_resnet/AffectNet/resnet.pt` of the LibreFace repository. Newer releases put a
# RepVGG under the same name.
LIBREFACE_BLOB = "bfcc31ba14f8bbf3ab7825fc0c6db6ee13d193eb"
LICENCE = "LibreFace's weights are licensed for research and non-profit use only"


def pretrained_classifier(section: Section) -> Classifier:
    """Return the classifier that `classifier.weights` names.

    Raises:
        CheckpointError: If the file is missing, damaged or of another architecture.
    """
    path = Path(section.weights)
    if path.suffix == ".safetensors":
        return load_classifier(path, section)[0]
    return libreface_classifier(path, section)


def libreface_classifier(path: Path, section: Section) -> Classifier:
    """Return LibreFace's ResNet-18 from its `resnet.pt`, verified by its git blob hash."""
    if not path.is_file():
        raise CheckpointError(
            f"{path}: no such file: classifier.weights is `scratch`, a .safetensors file or "
            "Facial_Expression_Recognition/checkpoints_fm_resnet/AffectNet/resnet.pt of "
            "the LibreFace repository"
        )
    if (seen := git_blob_hash(path)) != LIBREFACE_BLOB:
        raise CheckpointError(
            f"{path}: git blob {seen[:12]} is not LibreFace's ResNet-18 ({LIBREFACE_BLOB[:12]})"
        )
    print(f"{path}: {LICENCE}", file=sys.stderr)
    return classifier_from_libreface(path, section)


def classifier_from_libreface(path: Path, section: Section) -> Classifier:
    """Return a classifier from a file in LibreFace's format: tensors at `model`."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)["model"]
    except (RuntimeError, EOFError, KeyError, TypeError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: not a weights file of LibreFace: {error}") from None
    classifier = new_classifier(section)
    load_state(classifier, state, path)
    return classifier.eval()


def git_blob_hash(path: Path) -> str:
    """Return the SHA-1 by which git names a file's content."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
