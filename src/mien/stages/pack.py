"""Stage pack: pretrained models as small files that can be committed and handed on.

Half precision. Of a codec only the parameters: its entropy tables are made anew from them, and
its constants (bounds such as 1e-9) would be 0 in half precision.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.codec.model import new_codec
from mien.errors import CheckpointError
from mien.tensors import load_tensors, save_tensors, under


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
        pack_one(source, target)


def pack_one(source: Path, target: Path) -> None:
    """Write one file of weights in half precision; of a codec, its parameters alone."""
    tensors, record = load_tensors(source)
    kept = _parameters(tensors, record) if "channels" in record else tensors
    record.pop("codec_id", None)  # it has another in half precision
    save_tensors(target, {name: _halved(tensor) for name, tensor in kept.items()}, record)


def _parameters(tensors: dict[str, Tensor], record: dict[str, Any]) -> dict[str, Tensor]:
    N, M = record["channels"]
    names = under(dict(new_codec((N, M)).named_parameters()), "codec")
    return {name: tensors[name] for name in names}


def _halved(tensor: Tensor) -> Tensor:
    return tensor.to(torch.float16) if tensor.is_floating_point() else tensor
