"""CompressAI's own training loop: its `examples/train.py`, as its wheel installs it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import math
from argparse import Namespace
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import compressai
import torch
from compressai.losses import RateDistortionLoss
from compressai.models import MeanScaleHyperprior
from torch import Tensor

from benchmarks.measure import BenchmarkError

RATES = Namespace(learning_rate=1e-4, aux_learning_rate=1e-3)  # its defaults
CLIP_NORM = 1.0  # its default


class Batches(list[Tensor]):
    """Batches in memory where the loop expects a DataLoader: it also asks for the pictures."""

    @property
    def dataset(self) -> Tensor:
        """Return every picture; the loop prints how many there are."""
        return torch.cat(list(self))


def epochs(
    codec: MeanScaleHyperprior, x: Tensor, lmbda: float, *, tf32: bool = True
) -> Callable[[int], float]:
    """Return what trains `codec` for an epoch of so many steps, on the same pictures each.

    It returns the loss of the last step that the loop printed: the first, then every tenth.

    Args:
        codec: As CompressAI makes it, on its device.
        x: A batch on the CPU, float32 [B, 3, H, W] in [0, 1]; each step moves it.
        lmbda: Of the loss.
        tf32: PyTorch's default for convolutions; it moves a GPU alone.

    Raises:
        BenchmarkError: If CompressAI is installed without its examples.
    """
    loop = _loop()
    optimizer, auxiliary = loop.configure_optimizers(codec, RATES)
    criterion = RateDistortionLoss(lmbda=lmbda)

    def epoch(steps: int) -> float:
        with _tf32(tf32), contextlib.redirect_stdout(io.StringIO()) as said:
            loop.train_one_epoch(
                codec, criterion, Batches([x] * steps), optimizer, auxiliary, 0, CLIP_NORM
            )
        loss = float(said.getvalue().rpartition("\tLoss:")[2].partition("|")[0])
        if not math.isfinite(loss):
            raise BenchmarkError(f"CompressAI's loop diverged: {said.getvalue().strip()}")
        return loss

    return epoch


def _loop() -> ModuleType:
    path = Path(compressai.__file__).parent.parent / "examples/train.py"
    if not path.is_file():
        raise BenchmarkError(
            f"{path}: CompressAI {compressai.__version__} is here without its training loop: "
            "install it from its wheel, which has `examples`"
        )
    spec = importlib.util.spec_from_file_location("compressai_examples_train", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextlib.contextmanager
def _tf32(allowed: bool) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = allowed
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before
