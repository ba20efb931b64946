"""Stage pack: pretrained models as small files that can be committed and handed on.

Half precision, without entropy tables: whoever loads them makes the tables anew.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from mien.codec.model import TABLES
from mien.errors import CheckpointError
from mien.tensors import load_tensors, save_tensors


def pack(models: Path, folder: Path) -> None:
    """Write `codec-q<quality>.safetensors` and `classifier.safetensors` to `folder`.

    Args:
        models: The `models` folder of a finished run.
        folder: What `codec.weights` can then name.

    Raises:
        CheckpointError: If `models` holds no codec, or a file in it is damaged.
    """
    codecs = sorted((models / "codec").glob("q?.safetensors"))
    if not codecs:
        raise CheckpointError(f"{models}: holds no codec/q<quality>.safetensors")
    targets = {path: folder / f"codec-{path.name}" for path in codecs}
    targets[models / "classifier.safetensors"] = folder / "classifier.safetensors"
    for source, target in targets.items():
        tensors, record = load_tensors(source)
        save_tensors(target, _halved(tensors), record)


def _halved(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {
        name: tensor.to(torch.float16) if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
        if not name.endswith(TABLES)
    }
