"""Weights on disk: safetensors with one JSON record, and what others wrote by `torch.save`.

Nothing that a file holds is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import pickle
import re
import struct
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
# What torch.load raises on a file cut anywhere, in its format of today and that before 1.6.
DAMAGE = (
    RuntimeError,
    EOFError,
    LookupError,
    ValueError,
    struct.error,
    pickle.UnpicklingError,
)


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


def tensors_in(path: Path, key: str | None = None) -> dict[str, Tensor]:
    """Return the tensors of a file that `torch.save` wrote, by name.

    Args:
        path: The file.
        key: Where in it the state dict is; null: it is all there is.

    Raises:
        CheckpointError: If the file is damaged or holds anything but tensors by name.
    """
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except DAMAGE as error:
        raise CheckpointError(f"{path}: {_why_not_read(error)}") from None
    state = content if key is None else _at(content, key)
    if not isinstance(state, Mapping) or not all(map(torch.is_tensor, state.values())):
        where = "" if key is None else f" at `{key}`"
        raise CheckpointError(
            f"{path}: no state dict{where}, which is tensors by name: not the published file"
        )
    return dict(state)


def check_names(
    path: Path, seen: Mapping[str, Tensor], expected: Mapping[str, Tensor], what: str
) -> None:
    """Refuse a state dict in which a tensor is missing, unknown or of another shape.

    Args:
        path: Where `seen` comes from.
        seen: The file's tensors.
        expected: The model's.
        what: The model, for the message.

    Raises:
        CheckpointError: It names the first such tensor and counts the others.
    """
    wrong = [f"`{name}` is missing" for name in expected if name not in seen]
    wrong += [f"`{name}` is unknown" for name in seen if name not in expected]
    wrong += [
        f"`{name}` has shape {list(seen[name].shape)}, not {list(tensor.shape)}"
        for name, tensor in expected.items()
        if name in seen and seen[name].shape != tensor.shape
    ]
    if wrong:
        more = f" (and {len(wrong) - 1} more)" if len(wrong) > 1 else ""
        raise CheckpointError(
            f"{path}: not {what}: {wrong[0]}{more}: use the published file, or weights "
            "trained here"
        )


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


def _at(content: Any, key: str) -> Any:
    return content.get(key) if isinstance(content, Mapping) else None


def _why_not_read(error: Exception) -> str:
    if refused := re.search(r"(?:Unsupported global:|unsupported) GLOBAL ([\w.]+)", str(error)):
        return (
            f"holds a {refused[1]} beside tensors, or is cut short: it is not unpickled, "
            "which could run any code: use the published file"
        )
    kind = type(error).__name__
    return f"cut short or not a file of torch.save ({kind}): delete it and fetch it again"
