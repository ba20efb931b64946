"""Reading what `mien shard` wrote: the manifest, a shard's index, one sample's bytes."""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.data import shard_index
from mien.data.shard_index import ShardIndex
from mien.errors import DataError


def read_manifest(manifest: Path) -> dict[str, Any]:
    """Return what the manifest says.

    Raises:
        DataError: If there is none, or it is something else, or of an older mien.
    """
    if not manifest.is_file():
        raise DataError(f"{manifest}: no such file: run `mien shard`, which writes it last")
    try:
        facts: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))
        for of_split in facts["splits"].values():
            for shard in of_split["shards"]:
                shard["name"], shard["bytes"], shard["sha256"], shard["samples_sha256"]
    except (ValueError, TypeError, KeyError, AttributeError):
        raise DataError(f"{manifest}: lists no shards: run `mien shard` again") from None
    return facts


@dataclass(frozen=True)
class OpenShard:
    """A tar file whose size, index and end mark are those that the manifest lists."""

    path: Path
    index: ShardIndex

    def region(self, row: int) -> bytes:
        """Return a sample's bytes, which are those that the index lists.

        Raises:
            DataError: If they are not.
        """
        start, size = self.index.starts[row], self.index.sizes[row]
        try:
            with self.path.open("rb", buffering=0) as file:
                file.seek(start)
                region = file.read(size)
        except FileNotFoundError:
            raise _missing(self.path) from None
        seen = hashlib.sha256(region).hexdigest()
        if seen != self.index.digests[row]:
            raise DataError(
                f"{self.path}: sample {self.index.keys[row]}, bytes {start} to {start + size}: "
                f"sha256 {seen[:12]} is not {self.index.digests[row][:12]} as its index says: "
                "run `mien shard` again"
            )
        return region


@functools.lru_cache(maxsize=64)  # a few neighbours are in use at a time
def opened(manifest: Path, name: str, n_bytes: int, samples_sha256: str) -> OpenShard:
    """Return a shard after comparing it with its manifest, sample by sample later.

    Args:
        manifest: The manifest, in the folder that `name` starts from.
        name: Of the tar file.
        n_bytes: Its size, as the manifest says.
        samples_sha256: Digest of its samples' list, as the manifest says.

    Raises:
        DataError: If the shard or its index is missing or something else.
    """
    path = manifest.parent / name
    if not path.is_file():
        raise _missing(path)
    if (seen := path.stat().st_size) != n_bytes:
        raise DataError(
            f"{path}: {seen} bytes are not {n_bytes} as {manifest} says: run `mien shard` again"
        )
    index = shard_index.read(path)
    if index.samples_sha256() != samples_sha256:
        raise DataError(
            f"{shard_index.path_of(path)}: lists other samples than {manifest} says: run "
            "`mien shard` again"
        )
    with path.open("rb") as file:
        if hasattr(os, "posix_fadvise"):  # read ahead: its samples are about to be asked for
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_WILLNEED)
        file.seek(index.starts[-1])
        if file.read().strip(b"\0"):
            raise DataError(f"{path}: its end mark is damaged: run `mien shard` again")
    return OpenShard(path, index)


def _missing(path: Path) -> DataError:
    return DataError(
        f"{path}: missing, though the manifest beside it lists it: run `mien shard` again"
    )
