"""`mien classify`: which expression a face shows, and how sure that is."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from tqdm import tqdm

from mien import paths
from mien.classifier.resnet18 import Classifier, recorded_classifier
from mien.codec.container import MAGIC, parse
from mien.codec.picture import Picture
from mien.data.pictures import rgb
from mien.device import device, placed
from mien.errors import StreamError
from mien.expressions import EXPRESSIONS
from mien.metrics.temperature import probabilities
from mien.verbs.coding import decoded
from mien.verbs.named import named, wrote
from mien.verbs.places import PICTURE_SUFFIXES, STREAM_SUFFIX, listed


@dataclass(frozen=True)
class Judge:
    """A classifier and how sure it may be.

    Attributes:
        classifier: In eval mode, on the device.
        temperature: By which its logits are divided.
    """

    classifier: Classifier
    temperature: float


def classify(
    names: Sequence[str], codec: str | None, classifier: str | None, *, as_json: bool
) -> None:
    """Print the expression of every face and its calibrated probability.

    The probability of another kind of pictures than the classifier was calibrated on (`mien
    info` tells) is less sure than it says.

    Args:
        names: Pictures and `.mien` files, folders of them, patterns; a picture is one face.
        codec: Who wrote the `.mien` files: see `named`; None: each says.
        classifier: Who reads: see `named`; None: the one of the run that wrote the file, and
            of pictures the pretrained one.
        as_json: A JSON object a line, with the probability of every expression.

    Raises:
        DataError: If a picture cannot be read.
        StreamError: If a file is damaged or its codec is not there.
    """
    sources = listed(names, PICTURE_SUFFIXES | {STREAM_SUFFIX})
    for source in tqdm(sources, desc="classify", unit="img", disable=None):
        data = source.path.read_bytes()
        coded = data.startswith(MAGIC)
        picture = decoded(source.path, codec) if coded else rgb(data, source.path)
        reader = _reader(source.path, data if coded else None, codec, classifier)
        tqdm.write(_line(source.path, judged(_judge(reader), picture), as_json))


def _reader(path: Path, coded: bytes | None, codec: str | None, name: str | None) -> Path:
    """Return the file of the classifier that reads a picture or a `.mien` file."""
    if name is not None:
        return named(name).classifier
    if coded is None:
        return paths.CLASSIFIER if codec is None else named(codec).classifier
    if codec is not None:
        return named(codec).classifier
    try:
        return wrote(parse(coded).codec).classifier
    except StreamError as error:
        raise StreamError(f"{path}: {error}") from None


@cache
def _judge(path: Path) -> Judge:
    classifier, record = recorded_classifier(path)
    if "calibration" not in record:
        print(f"{path}: not calibrated: it is surer than it should be", file=sys.stderr)
    temperature = record.get("calibration", {}).get("temperature", 1.0)
    return Judge(placed(classifier), temperature)


@torch.inference_mode()
def judged(judge: Judge, picture: Picture) -> npt.NDArray[np.float64]:
    """Return the probability of each expression, [8], of a picture, uint8 [H, W, 3]."""
    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None]
    logits = judge.classifier(x.to(device()).float().div(255))
    (p,) = probabilities(logits.float().cpu().numpy(), judge.temperature)
    return np.asarray(p)


def _line(path: Path, p: npt.NDArray[np.float64], as_json: bool) -> str:
    best = int(p.argmax())
    if not as_json:
        return f"{path}: {EXPRESSIONS[best]} {100 * p[best]:.1f} %"
    by_name = dict(zip(EXPRESSIONS, np.round(p, 6).tolist(), strict=True))
    return json.dumps(
        {"file": str(path), "expression": EXPRESSIONS[best], "probabilities": by_name}
    )
