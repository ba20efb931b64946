"""Files that are whole or absent, and the small manifests that stand for large ones.

A manifest is a JSON file with the sha256 of each payload beside it. Snakemake compares it by
content; whoever reads a payload checks it against its manifest first.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mien.errors import DataError


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block succeeds.

    A block that raises leaves neither the temporary file nor a half-written `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield temporary
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 text file under its final name only when it is whole."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write sorted, indented JSON, so that equal values give equal bytes."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def sha256_of(path: Path) -> str:
    """Return the hexadecimal sha256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_manifest(path: Path, payloads: list[Path], **facts: Any) -> None:
    """Write the manifest of `payloads`, which lie in the manifest's own folder, last of all."""
    digests = {payload.name: sha256_of(payload) for payload in payloads}
    write_json(path, {"files": digests, **facts})


def read_manifest(path: Path) -> dict[str, Any]:
    """Return a manifest after checking every payload it names.

    Raises:
        DataError: If the manifest or a payload is missing or damaged.
    """
    manifest = manifest_facts(path)
    for name, expected in manifest["files"].items():
        payload = path.parent / name
        if not payload.is_file():
            raise DataError(
                f"{payload}: missing, though {path} lists it: delete {path} and re-run"
            )
        if (seen := sha256_of(payload)) != expected:
            raise DataError(
                f"{payload}: sha256 {seen[:12]} is not {expected[:12]} as {path} says: "
                f"delete {payload} and re-run"
            )
    return manifest


def manifest_facts(path: Path) -> dict[str, Any]:
    """Return what a manifest says, its payloads unread.

    Raises:
        DataError: If the manifest is missing or is none.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such file: run the stage that writes it (`snakemake {path}`)"
        )
    try:
        manifest = json.loads(path.read_text(encoding="utf-8"))
    except ValueError:  # no JSON, or no UTF-8
        manifest = None
    if not isinstance(manifest, dict) or not isinstance(manifest.get("files"), dict):
        raise DataError(
            f"{path}: not a manifest: delete it and re-run the stage that writes it"
        )
    return manifest
