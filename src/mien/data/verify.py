"""Every shard against the manifest, every sample against its sha256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from tqdm import tqdm

from mien.data import shard_index
from mien.data.shard_access import read_manifest
from mien.data.shard_index import ShardIndex
from mien.errors import DataError

MANIFEST = "manifest.json"
NAMED = 20  # problems that are told one by one


@dataclass(frozen=True)
class Found:
    """What was seen of one shard."""

    n_samples: int
    n_bytes: int
    problems: list[str]  # none of them: it is whole


def verify(folder: Path, workers: int) -> str:
    """Read every byte of a folder of shards; return the verdict when all of them are right.

    Args:
        folder: Holds manifest.json.
        workers: Threads; hashing is outside Python's lock.

    Raises:
        DataError: If anything is missing, damaged or not listed: one line for each problem,
            with the shard and, where its index is whole, the sample.
    """
    splits = read_manifest(folder / MANIFEST)["splits"]
    entries = [entry for of_split in splits.values() for entry in of_split["shards"]]
    problems = _unlisted(folder, entries)
    n_samples = n_bytes = 0
    with (
        ThreadPoolExecutor(workers) as pool,
        tqdm(
            desc="verify", total=sum(e["bytes"] for e in entries), unit="B", unit_scale=True
        ) as progress,
    ):
        for found in pool.map(partial(check, folder), entries):
            problems += found.problems
            n_samples += found.n_samples
            n_bytes += found.n_bytes
            progress.update(found.n_bytes)
    if problems:
        raise DataError(_told(folder, problems))
    return (
        f"{folder}: whole: {len(entries)} shards, {n_samples} samples, {n_bytes} bytes in "
        f"splits {', '.join(splits)}"
    )


def _told(folder: Path, problems: list[str]) -> str:
    more = len(problems) - NAMED
    lines = problems[:NAMED] + ([f"and {more} more"] if more > 0 else [])
    return "\n  ".join(
        [f"{folder}: NOT whole: {len(problems)} problems: run `mien shard` again", *lines]
    )


def _unlisted(folder: Path, entries: list[dict[str, Any]]) -> list[str]:
    listed = {folder / entry["name"] for entry in entries}
    extra = sorted(set(folder.glob("*/*.tar")) - listed)
    return [f"{path}: not listed in {MANIFEST}" for path in extra]


def check(folder: Path, entry: dict[str, Any]) -> Found:
    """Compare one shard, its index and its samples with the manifest.

    Args:
        folder: The manifest's.
        entry: What the manifest says of the shard.
    """
    path: Path = folder / entry["name"]
    try:
        index = shard_index.read(path)
    except DataError as error:
        return Found(0, 0, [str(error), *_whole_file(path, entry)])
    if index.samples_sha256() != entry["samples_sha256"]:
        unknown = f"{shard_index.path_of(path)}: lists other samples than {MANIFEST} says"
        return Found(0, 0, [unknown, *_whole_file(path, entry)])
    return Found(entry["count"], entry["bytes"], list(_damaged(path, entry, index)))


def _whole_file(path: Path, entry: dict[str, Any]) -> list[str]:
    """Return what is wrong with a tar file whose samples are not known."""
    if not path.is_file():
        return [f"{path}: missing"]
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    return [] if seen == entry["sha256"] else [_other(f"{path}", seen, entry["sha256"])]


def _damaged(path: Path, entry: dict[str, Any], index: ShardIndex) -> Iterator[str]:
    if not path.is_file():
        yield f"{path}: missing"
        return
    if (n_bytes := path.stat().st_size) != entry["bytes"]:
        yield f"{path}: {n_bytes} bytes are not {entry['bytes']}"
    total = hashlib.sha256()
    named = False
    with path.open("rb") as file:
        for key, start, size, digest in index.samples():
            region = file.read(size)
            total.update(region)
            if (seen := hashlib.sha256(region).hexdigest()) != digest:
                named = True
                yield _other(
                    f"{path}: sample {key}, bytes {start} to {start + size}", seen, digest
                )
        total.update(file.read())
    if not named and total.hexdigest() != entry["sha256"]:
        yield _other(f"{path}: behind its last sample", total.hexdigest(), entry["sha256"])


def _other(what: str, seen: str, expected: str) -> str:
    return f"{what}: sha256 {seen[:12]} is not {expected[:12]}"
