"""The index beside a shard: which samples it holds, where, and their sha256.

`train-00017.tar` has `train-00017.index.json`. It makes a sample readable without the ones
before it, names the sample in which a damaged byte lies, and tells a later run whether the
shard is the one that it would write.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import accumulate
from pathlib import Path

from mien import files
from mien.errors import DataError


@dataclass(frozen=True)
class ShardIndex:
    """A shard's samples in their order; the regions follow each other from byte 0."""

    made_from: str  # digest of all that decides the shard's bytes
    bytes: int  # of the whole tar file, its end mark included
    sha256: str  # of the whole tar file
    keys: list[str]
    labels: list[int]  # 0..7
    sizes: list[int]  # bytes of each region
    digests: list[str]  # sha256 of each region

    @cached_property
    def starts(self) -> list[int]:
        """Return the first byte of each region, and of the end mark."""
        return list(accumulate(self.sizes, initial=0))

    def samples_sha256(self) -> str:
        """Return a digest of all that is said of the samples, which `made_from` is no part of.

        So a manifest stays as it is when other code, or code that was only tidied, made the
        same shards, and nothing that was trained on them is out of date.
        """
        columns = json.dumps([self.keys, self.labels, self.sizes, self.digests])
        return hashlib.sha256(columns.encode()).hexdigest()

    def samples(self) -> Iterator[tuple[str, int, int, str]]:
        """Yield key, first byte, size and sha256 of each region."""
        return zip(self.keys, self.starts, self.sizes, self.digests, strict=False)


def path_of(tar: Path) -> Path:
    """Return the path of the index that belongs to a tar file."""
    return tar.with_suffix(".index.json")


def write(tar: Path, index: ShardIndex) -> None:
    """Write the index of a tar file that is already there."""
    text = json.dumps(asdict(index), sort_keys=True, separators=(",", ":"))
    files.write_text(path_of(tar), text + "\n")


def read(tar: Path) -> ShardIndex:
    """Return the index of a tar file.

    Raises:
        DataError: If there is no such file, or it is not the index of a shard.
    """
    path = path_of(tar)
    try:
        return ShardIndex(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise DataError(f"{path}: missing: run `mien shard` again") from None
    except (ValueError, TypeError):
        raise DataError(f"{path}: not the index of a shard: run `mien shard` again") from None
