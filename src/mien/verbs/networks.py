"""The networks as ONNX, for programs without PyTorch, each compared with what it came from."""

from __future__ import annotations

import contextlib
import io
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from mien.classifier.resnet18 import Classifier
from mien.codec.model import Codec
from mien.errors import MienError

MOST_OFF = 1e-3  # of a network's largest output: more is another network
OPSET = 18


class ExportError(MienError):
    """Something that cannot be exported here."""


@dataclass(frozen=True)
class Network:
    """One network to write.

    Attributes:
        name: Of the file, without its suffix.
        module: In eval mode, on the CPU.
        inputs: Pictures of two batch sizes, and of two sizes where `sides` says so.
        takes: What goes in, for people.
        gives: What comes out.
        sides: Whether height and width may vary.
    """

    name: str
    module: nn.Module
    inputs: tuple[Tensor, Tensor]
    takes: str
    gives: str
    sides: bool


@dataclass(frozen=True)
class Written:
    """A network that was written, and how far it is from PyTorch's."""

    name: str
    takes: str
    gives: str
    largest_difference: float  # of any output
    largest_output: float


class _Read(nn.Module):
    """The classifier behind its resizing, which ONNX runtimes do in different ways."""

    def __init__(self, classifier: Classifier) -> None:
        super().__init__()
        self.classifier = classifier

    def forward(self, x: Tensor) -> Tensor:
        features = self.classifier.encoder((x - self.classifier.mean) / self.classifier.std)
        logits: Tensor = self.classifier.classifier(features.flatten(1))
        return logits


@torch.no_grad()
def networks(codec: Codec, classifier: Classifier) -> list[Network]:
    """Return g_a, h_a, g_s and the classifier; h_s is integers and stays in the codec."""
    random = torch.Generator().manual_seed(0)
    first, second = torch.rand(1, 3, 128, 192, generator=random), torch.rand(2, 3, 64, 64)
    y = codec.g_a(first), codec.g_a(second)
    side = classifier.input_size
    faces = torch.rand(1, 3, side, side, generator=random), torch.rand(2, 3, side, side)
    square = f"float32 [B, 3, {side}, {side}] in [0, 1], bicubic and antialiased"
    return [
        Network(
            "g_a",
            codec.g_a,
            (first, second),
            "x, float32 [B, 3, H, W] in [0, 1], sides multiples of 64",
            "y [B, M, H/16, W/16]",
            True,
        ),
        Network("h_a", codec.h_a, y, "y", "z [B, N, H/64, W/64]", True),
        Network("g_s", codec.g_s, y, "y_hat", "x_hat [B, 3, H, W], to be cut to [0, 1]", True),
        Network("classifier", _Read(classifier), faces, square, "logits [B, 8]", False),
    ]


def write_networks(found: list[Network], folder: Path) -> list[Written]:
    """Write `<name>.onnx` for each, run it, and return how far it is from PyTorch's.

    Raises:
        ExportError: If the packages are missing, or a network does not compute the same.
    """
    try:
        import onnxruntime
    except ImportError:
        raise ExportError(
            "onnxruntime is not installed: pip install 'mien[export]', or leave the networks "
            "out with --no-onnx"
        ) from None
    folder.mkdir(parents=True)
    written = []
    for network in found:
        path = folder / f"{network.name}.onnx"
        _write(network, path)
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        written.append(_compared(network, session))
    return written


def _write(network: Network, path: Path) -> None:
    axes = (0, 2, 3) if network.sides else (0,)
    dynamic = dict.fromkeys(axes, torch.export.Dim.DYNAMIC)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")  # the exporter's, about its own parts
        torch.onnx.export(
            network.module.eval(),
            (network.inputs[1],),
            path,
            input_names=["input"],
            output_names=["output"],
            opset_version=OPSET,
            dynamic_shapes=(dynamic,),
            dynamo=True,
            external_data=False,
        )


@torch.no_grad()
def _compared(network: Network, session: object) -> Written:
    off, largest = 0.0, 0.0
    for x in network.inputs:
        expected = network.module(x).numpy()
        (seen,) = session.run(None, {"input": x.numpy()})  # type: ignore[attr-defined]
        if seen.shape != expected.shape:
            raise ExportError(f"{network.name}.onnx gives {seen.shape}, not {expected.shape}")
        off = max(off, float(np.abs(seen - expected).max()))
        largest = max(largest, float(np.abs(expected).max()))
    if off > MOST_OFF * largest:
        raise ExportError(f"{network.name}.onnx is off by {off:.3g} of {largest:.3g}")
    return Written(network.name, network.takes, network.gives, off, largest)
