"""Reading shards: in order for evaluation, shuffled by seed and epoch for training.

Every sample that is given out was checked against its sha256. WebDataset reads the same files;
it is not used here because it checks nothing, leaves the files open, and can continue an epoch
only by decoding it from its start.
"""

from __future__ import annotations

import os
import random
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

from mien.data import pictures, tars
from mien.data.shard_access import OpenShard, opened, read_manifest
from mien.errors import DataError
from mien.part import WHOLE, Part
from mien.share import WHOLE as WHOLE_BATCH
from mien.share import Share

BUFFER = 2048  # samples among which an epoch's next one is drawn
DECODERS = min(16, os.cpu_count() or 1)  # threads: decoding is outside Python's lock
AHEAD = 64  # pictures decoded before they are asked for: 13 MB at 256x256


@dataclass(frozen=True)
class Batch:
    """Some samples of one split."""

    keys: list[str]
    labels: torch.Tensor  # int64 [B], expression codes
    images: torch.Tensor  # uint8 [B, 3, H, W], RGB, channels last in memory


@dataclass(frozen=True)
class Reader:
    """The shards of one split, in the order of the manifest."""

    manifest: Path
    format: pictures.Format
    count: int  # samples
    shards: list[dict[str, Any]]

    def shard(self, number: int) -> OpenShard:
        """Return one shard, opened and compared with the manifest.

        Raises:
            DataError: If it is missing or not what the manifest says.
        """
        entry = self.shards[number]
        return opened(self.manifest, entry["name"], entry["bytes"], entry["samples_sha256"])


Place = tuple[int, int]  # of a sample: its shard's number in the split, its row in the shard


def count(manifest: Path, split: str) -> int:
    """Return the number of samples in a split, 0 included."""
    return int(_split(manifest, split)[0]["count"])


def labels_of(manifest: Path, split: str) -> npt.NDArray[np.int64]:
    """Return the label of every sample of a split, in shard order, from the indexes alone.

    Raises:
        DataError: If the split is empty, or a shard or its index is not what the manifest says.
    """
    reader = _reader(manifest, split)
    labels = [reader.shard(n).index.labels for n in range(len(reader.shards))]
    return np.array(list(chain.from_iterable(labels)), dtype=np.int64)


def read_split(manifest: Path, split: str, limit: int | None = None) -> Batch:
    """Return the first `limit` samples of a split (null: all), in shard order, in memory.

    A picture of 256x256 takes 197 kB.

    Raises:
        DataError: If the split is empty, or a sample is missing or not what the manifest says.
    """
    reader = _reader(manifest, split)
    n_images = _available(reader, limit)
    return _batch(_ahead(reader, islice(_in_order(reader), n_images)), n_images)


def split_batches(
    manifest: Path, split: str, batch_size: int, limit: int | None = None, part: Part = WHOLE
) -> Iterator[Batch]:
    """Return the first `limit` samples of a split (null: all) in batches, in shard order.

    The last batch may be short. Pictures are decoded when their batch is asked for and not
    before, so that a caller can time its own work. Each batch is in one part, as it is in the
    whole.

    Raises:
        DataError: If the split is empty (at once), or a sample is missing or not what the
            manifest says (when it is reached).
    """
    reader = _reader(manifest, split)
    n_images = _available(reader, limit)
    own = batches_of(n_images, batch_size, part)
    stop = min(n_images, own.stop * batch_size)
    places = islice(_in_order(reader), own.start * batch_size, stop)
    return _batches((_read(reader, place) for place in places), batch_size)


def batches_of(n_images: int, batch_size: int, part: Part) -> range:
    """Return which of a split's batches are a part's."""
    return part.of(-(-n_images // batch_size))


def training_batches(
    manifest: Path,
    split: str,
    batch_size: int,
    seed: int,
    epoch: int,
    limit: int | None,
    start: int = 0,
    share: Share = WHOLE_BATCH,
) -> Iterator[Batch]:
    """Return one epoch in shuffled full batches, the same for the same seed and epoch.

    The shards are shuffled, then the samples within a moving buffer of BUFFER of them, so that
    the disk is read nearly in order.

    Args:
        manifest: The shards' manifest.
        split: Usually `train`.
        batch_size: Images per batch; what does not fill the last batch is left out.
        seed: Another seed makes another order.
        epoch: Another epoch makes another order, and with `limit` another choice.
        limit: Images per epoch at most, null for the whole split.
        start: Samples of this epoch that were seen before: it goes on behind them. They are
            neither read nor decoded.
        share: Of each batch: its other samples are neither read nor decoded. It has to divide
            `batch_size`.

    Raises:
        DataError: If no batch can be filled (at once), or a sample is missing or not what the
            manifest says (when it is reached).
        ValueError: If `start` is not a position in the epoch.
    """
    reader = _reader(manifest, split)
    n_images = _available(reader, limit)
    if n_images < batch_size:
        raise DataError(
            f"{manifest}: an epoch of {n_images} images of split {split} fills no batch of "
            f"{batch_size}: lower the batch size"
        )
    if not 0 <= start <= n_images:
        raise ValueError(f"start {start} is not within an epoch of {n_images} images")
    counts = [shard["count"] for shard in reader.shards]
    stop = n_images - (n_images - start) % batch_size
    places = islice(epoch_order(counts, seed, epoch), start, stop)
    own = range(batch_size)[share.part(batch_size)]
    shared = (place for n, place in enumerate(places) if n % batch_size in own)
    return _batches(_ahead(reader, shared), len(own))


def epoch_order(counts: list[int], seed: int, epoch: int) -> Iterator[Place]:
    """Yield every sample's place once, in the order of one epoch, without reading anything.

    Args:
        counts: Samples in each shard.
        seed: Another seed makes another order.
        epoch: Another epoch makes another order.
    """
    rng = random.Random(f"{seed}/{epoch}")
    shards = list(range(len(counts)))
    rng.shuffle(shards)
    places = ((shard, row) for shard in shards for row in range(counts[shard]))
    buffer: list[Place] = []
    for place in places:
        buffer.append(place)
        if len(buffer) > BUFFER:
            drawn = rng.randrange(len(buffer))
            buffer[drawn], buffer[-1] = buffer[-1], buffer[drawn]
            yield buffer.pop()
    rng.shuffle(buffer)
    yield from buffer


def _split(manifest: Path, split: str) -> tuple[dict[str, Any], pictures.Format]:
    """Return what the manifest says of one split, and the pictures' format."""
    facts = read_manifest(manifest)
    if split not in facts["splits"]:
        known = ", ".join(facts["splits"])
        raise DataError(f"{manifest}: has no split {split!r}, only {known}")
    return facts["splits"][split], facts["format"]


def _available(reader: Reader, limit: int | None) -> int:
    return reader.count if limit is None else min(limit, reader.count)


def _reader(manifest: Path, split: str) -> Reader:
    of_split, format = _split(manifest, split)
    if not of_split["shards"]:
        raise DataError(f"{manifest}: split {split} has no images")
    return Reader(manifest, format, of_split["count"], of_split["shards"])


def _in_order(reader: Reader) -> Iterator[Place]:
    return (
        (number, row)
        for number, shard in enumerate(reader.shards)
        for row in range(shard["count"])
    )


Sample = tuple[str, int, pictures.Picture]  # key, label, RGB [H, W, 3]


def _read(reader: Reader, place: Place) -> Sample:
    number, row = place
    shard = reader.shard(number)
    picture = pictures.decoded(tars.picture_of(shard.region(row)), reader.format)
    return shard.index.keys[row], shard.index.labels[row], picture


def _ahead(reader: Reader, places: Iterable[Place]) -> Iterator[Sample]:
    """Yield the samples in order, AHEAD of them in work while the caller computes."""
    waiting: deque[Future[Sample]] = deque()
    with ThreadPoolExecutor(DECODERS) as pool:
        for place in places:
            waiting.append(pool.submit(_read, reader, place))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _batches(samples: Iterator[Sample], batch_size: int) -> Iterator[Batch]:
    while chosen := list(islice(samples, batch_size)):
        yield _batch(chosen, len(chosen))


def _batch(samples: Iterable[Sample], n: int) -> Batch:
    """Return `n` pictures of one size, at least one, as a batch that is allocated once."""
    samples = iter(samples)
    first = next(samples)
    images = torch.empty(n, *first[2].shape, dtype=torch.uint8)
    batch = Batch([], torch.empty(n, dtype=torch.int64), images.permute(0, 3, 1, 2))
    for row, (key, label, picture) in enumerate(chain([first], samples)):
        batch.keys.append(key)
        batch.labels[row] = label
        images[row] = torch.from_numpy(picture)
    return batch
