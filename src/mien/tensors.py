"""Weights on disk: safetensors with one JSON record, and nothing that could be executed."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from mien.errors import CheckpointError
from mien.files import replacing, write_manifest

SCHEMA_VERSION = 1
_RECORD = "mien"  # one metadata key: several would be written in random order


def save_tensors(path: Path, tensors: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write `path` and, last, its manifest `<name>.json`; equal input gives equal bytes.

    Args:
        path: A `.safetensors` file.
        tensors: By name; moved to the CPU and made contiguous.
        record: What a reader must know: JSON values. `schema` is added.
    """
    text = json.dumps({**record, "schema": SCHEMA_VERSION}, sort_keys=True)
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with replacing(path) as temporary:
        temporary.write_bytes(save(plain, metadata={_RECORD: text}))
    write_manifest(path.with_suffix(".json"), [path], record=json.loads(text))


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Return the tensors and the record of a file that `save_tensors` wrote.

    Raises:
        CheckpointError: If the file is missing, damaged, or not one of ours.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: no such weights file")
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise CheckpointError(f"{path}: not a whole safetensors file: {error}") from None
    if _RECORD not in metadata:
        raise CheckpointError(f"{path}: has no `{_RECORD}` record: not written by mien")
    record: dict[str, Any] = json.loads(metadata[_RECORD])
    if record["schema"] != SCHEMA_VERSION:
        raise CheckpointError(
            f"{path}: schema version {record['schema']}, this mien reads {SCHEMA_VERSION}"
        )
    return tensors, record


def below(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors whose names start with `prefix` and a dot, without it."""
    start = f"{prefix}."
    return {
        name.removeprefix(start): tensor
        for name, tensor in tensors.items()
        if name.startswith(start)
    }


def under(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the tensors with `prefix` and a dot before their names."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def fingerprint(tensors: Mapping[str, Tensor]) -> str:
    """Return 16 hexadecimal digits that depend on every name, shape, type and value."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        tensor = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}{tuple(tensor.shape)}{tensor.dtype}".encode())
        digest.update(tensor.view(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]
