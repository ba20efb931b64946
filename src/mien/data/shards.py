"""Reading shards: in order for evaluation, shuffled by seed and epoch for training.

WebDataset reads the same files. It is not used here because it leaves the tar files open and
refuses none of them.
"""

from __future__ import annotations

import functools
import io
import json
import random
import tarfile
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from mien import files
from mien.errors import DataError

BUFFER = 2048  # samples among which an epoch's next one is drawn: 160 MB at 256x256
DECODERS = 4  # threads: Pillow decodes outside Python's lock
AHEAD = 64  # pictures decoded before they are asked for: 13 MB at 256x256


@dataclass(frozen=True)
class Batch:
    """Some samples of one split."""

    keys: list[str]
    labels: torch.Tensor  # int64 [B], expression codes
    images: torch.Tensor  # uint8 [B, 3, H, W], RGB


@dataclass(frozen=True)
class Coded:
    """A sample as the tar file holds it: the picture is the bytes of an image file."""

    key: str
    label: int
    picture: bytes


def count(manifest: Path, split: str) -> int:
    """Return the number of samples in a split, 0 included."""
    return int(_split(manifest, split)["count"])


def labels_of(manifest: Path, split: str) -> npt.NDArray[np.int64]:
    """Return the label of every sample of a split, in shard order, without decoding pictures.

    Raises:
        DataError: If the split is empty, or a shard is missing or not what the manifest says.
    """
    labels = [
        sample.label
        for shard in _shards(manifest, split)
        for sample in _members(_checked(manifest, shard), pictures=False)
    ]
    return np.array(labels, dtype=np.int64)


def read_split(manifest: Path, split: str, limit: int | None = None) -> Batch:
    """Return the first `limit` samples of a split (null: all), in shard order, in memory.

    A picture of 256x256 takes 197 kB.

    Raises:
        DataError: If the split is empty, or a shard is missing or not what the manifest says.
    """
    shards = _shards(manifest, split)
    n_images = _available(manifest, split, limit)
    return _batch(_decoded_ahead(islice(_samples(manifest, shards), n_images)), n_images)


def split_batches(
    manifest: Path, split: str, batch_size: int, limit: int | None = None
) -> Iterator[Batch]:
    """Return the first `limit` samples of a split (null: all) in batches, in shard order.

    The last batch may be short. Pictures are decoded when their batch is asked for and not
    before, so that a caller can time its own work.

    Raises:
        DataError: If the split is empty (at once), or a shard is missing or not what the
            manifest says (when it is reached).
    """
    samples = islice(_samples(manifest, _shards(manifest, split)), limit)
    return _batches(map(_decode, samples), batch_size)


def training_batches(
    manifest: Path, split: str, batch_size: int, seed: int, epoch: int, limit: int | None
) -> Iterator[Batch]:
    """Return one epoch in shuffled full batches, the same for the same seed and epoch.

    The shards are shuffled, then the samples within a moving buffer of BUFFER of them, so the
    memory does not grow with the data set.

    Args:
        manifest: The shards' manifest.
        split: Usually `train`.
        batch_size: Images per batch; what does not fill the last batch is left out.
        seed: Another seed makes another order.
        epoch: Another epoch makes another order, and with `limit` another choice.
        limit: Images per epoch at most, null for the whole split.

    Raises:
        DataError: If no batch can be filled (at once), or a shard is missing or not what the
            manifest says (when it is reached).
    """
    shards = _shards(manifest, split)
    n_images = _available(manifest, split, limit)
    if n_images < batch_size:
        raise DataError(
            f"{manifest}: an epoch of {n_images} images of split {split} fills no batch of "
            f"{batch_size}: lower the batch size"
        )
    rng = random.Random(f"{seed}/{epoch}")
    rng.shuffle(shards)
    shuffled = _shuffled(_samples(manifest, shards), rng)
    samples = islice(shuffled, n_images - n_images % batch_size)
    return _batches(_decoded_ahead(samples), batch_size)


def _split(manifest: Path, split: str) -> dict[str, Any]:
    """Return what the manifest says of one split."""
    if not manifest.is_file():
        raise DataError(f"{manifest}: no such file: run `mien shard`, which writes it last")
    try:
        splits: dict[str, Any] = json.loads(manifest.read_text(encoding="utf-8"))["splits"]
    except (ValueError, TypeError, KeyError):
        raise DataError(f"{manifest}: lists no shards: run `mien shard` again") from None
    if split not in splits:
        raise DataError(f"{manifest}: has no split {split!r}, only {', '.join(splits)}")
    of_split: dict[str, Any] = splits[split]
    return of_split


def _available(manifest: Path, split: str, limit: int | None) -> int:
    n_images = count(manifest, split)
    return n_images if limit is None else min(limit, n_images)


def _shards(manifest: Path, split: str) -> list[dict[str, Any]]:
    """Return the entries of a split's shards, at least one."""
    shards: list[dict[str, Any]] = _split(manifest, split)["shards"]
    if not shards:
        raise DataError(f"{manifest}: split {split} has no images")
    return shards


def _checked(manifest: Path, shard: dict[str, Any]) -> Path:
    """Return the path of a shard whose bytes are those that the manifest lists."""
    path: Path = manifest.parent / shard["name"]
    if not path.is_file():
        raise DataError(f"{path}: missing, though {manifest} lists it: run `mien shard` again")
    status = path.stat()
    if status.st_size != shard["bytes"]:
        raise DataError(
            f"{path}: {status.st_size} bytes are not {shard['bytes']} as {manifest} says: run "
            "`mien shard` again"
        )
    if (seen := _digest(path.resolve(), status.st_mtime_ns)) != shard["sha256"]:
        raise DataError(
            f"{path}: sha256 {seen[:12]} is not {shard['sha256'][:12]} as {manifest} says: run "
            "`mien shard` again"
        )
    return path


@functools.cache  # a shard is read every epoch, but digested only once in a process
def _digest(path: Path, modified_ns: int) -> str:  # noqa: ARG001 - a part of the cache's key
    return files.sha256_of(path)


def _members(path: Path, *, pictures: bool = True) -> Iterator[Coded]:
    """Yield the samples of one shard, without reading their pictures if so told."""
    with tarfile.open(path, "r:") as tar:
        while facts := tar.next():
            label = int(json.loads(_content(tar, facts))["label"])
            picture = tar.next()
            assert picture is not None, f"{path}: {facts.name} has no picture"
            coded = _content(tar, picture) if pictures else b""
            yield Coded(facts.name.removesuffix(".json"), label, coded)


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes:
    file = tar.extractfile(member)
    assert file is not None, f"{member.name} is not a regular file"
    return file.read()


def _samples(manifest: Path, shards: Iterable[dict[str, Any]]) -> Iterator[Coded]:
    for shard in shards:
        yield from _members(_checked(manifest, shard))


def _shuffled(samples: Iterable[Coded], rng: random.Random) -> Iterator[Coded]:
    """Yield every sample once, drawn from BUFFER that were read but not yet yielded."""
    buffer: list[Coded] = []
    for sample in samples:
        buffer.append(sample)
        if len(buffer) > BUFFER:
            drawn = rng.randrange(len(buffer))
            buffer[drawn], buffer[-1] = buffer[-1], buffer[drawn]
            yield buffer.pop()
    rng.shuffle(buffer)
    yield from buffer


Picture = tuple[str, int, npt.NDArray[np.uint8]]  # key, label, RGB [3, H, W]


def _decode(sample: Coded) -> Picture:
    with Image.open(io.BytesIO(sample.picture)) as image:
        return sample.key, sample.label, np.asarray(image).transpose(2, 0, 1).copy()


def _decoded_ahead(samples: Iterable[Coded]) -> Iterator[Picture]:
    """Yield the samples decoded, in order, AHEAD of them in work while the caller computes."""
    waiting: deque[Future[Picture]] = deque()
    with ThreadPoolExecutor(DECODERS) as pool:
        for sample in samples:
            waiting.append(pool.submit(_decode, sample))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _batches(pictures: Iterator[Picture], batch_size: int) -> Iterator[Batch]:
    while chosen := list(islice(pictures, batch_size)):
        yield _batch(chosen, len(chosen))


def _batch(pictures: Iterable[Picture], n: int) -> Batch:
    """Return `n` pictures of one size, at least one, as a batch that is allocated once."""
    pictures = iter(pictures)
    first = next(pictures)
    batch = Batch(
        [],
        torch.empty(n, dtype=torch.int64),
        torch.empty(n, *first[2].shape, dtype=torch.uint8),
    )
    for row, (key, label, picture) in enumerate(chain([first], pictures)):
        batch.keys.append(key)
        batch.labels[row] = label
        batch.images[row] = torch.from_numpy(picture)
    return batch
