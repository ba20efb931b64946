"""Writing shards: tar files of coded pictures, their indexes, and the manifest of them all.

The same sources give the same bytes, whoever writes them, in however many processes. A shard
appears under its final name when it is whole; a run that is killed, or whose sources changed,
is continued by the next one, which writes only the shards that are not already right.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, partial
from itertools import islice, zip_longest
from pathlib import Path
from typing import NamedTuple

from tqdm import tqdm

from mien import files
from mien.data import pictures, shard_index, tars
from mien.data.packed import pack, unpack
from mien.data.pool import in_order
from mien.data.shard_index import ShardIndex
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.params import Shards


class Source(NamedTuple):  # pickles faster than a dataclass with slots
    """One picture to be put into a shard."""

    key: str  # without a dot: WebDataset ends a key at the first one
    label: int  # 0..7
    path: str  # of the file, below the data set's root
    sha256: str  # of the file's bytes, as the index has it
    crop: pictures.Box | None  # null: the whole picture


@dataclass(frozen=True, slots=True)
class Shard:
    """A tar file as the manifest lists it."""

    name: str  # relative to the manifest, with `/`
    count: int  # samples
    bytes: int  # of the whole tar file
    sha256: str  # of the tar file
    samples_sha256: str  # of what the index beside it says of the samples


@dataclass(frozen=True, slots=True)
class Plan:
    """A shard that is to be there in the end."""

    split: str
    name: str  # relative to the manifest, with `/`
    count: int
    sources: bytes  # packed: all plans of a data set are held at once


def write_shards(
    manifest: Path,
    root: Path,
    splits: Mapping[str, Collection[Source]],
    look: Shards,
    name: str,
    workers: int,
) -> None:
    """Write every shard below the folder of `manifest`, remove old ones, then the manifest.

    Args:
        manifest: Absent while shards are being written, so that a reader never mixes two runs.
        root: The folder below which the sources lie.
        splits: The sources of each split, in the order they are to be read.
        look: Size, filter, format and samples per shard.
        name: What the data set is called.
        workers: Processes; each writes whole shards.

    Raises:
        DataError: If a source is missing, changed since it was indexed, or unreadable, or
            another process is writing the same shards.
    """
    folder = manifest.parent
    plans = plans_of(splits, look)
    with _held(folder):
        manifest.unlink(missing_ok=True)
        _remove_temporary(folder)
        shards = _write_all(plans, look, root, folder, workers)
        _finish(manifest, plans, shards, splits, look, name)


def write_some(
    manifest: Path, root: Path, plans: Sequence[Plan], look: Shards, workers: int
) -> list[Shard]:
    """Write some of the shards, beside others who write others, and return what they are.

    The manifest goes first, as always; `list_shards` writes it again.

    Raises:
        DataError: As `write_shards`.
    """
    folder = manifest.parent
    with _held(folder, shared=True):
        manifest.unlink(missing_ok=True)
        _remove_temporary(folder, plans)
        return _write_all(plans, look, root, folder, workers)


def list_shards(
    manifest: Path,
    shards: Sequence[Shard],
    splits: Mapping[str, Collection[Source]],
    look: Shards,
    name: str,
) -> None:
    """Write the manifest of shards that were written in parts, and remove old ones.

    Args:
        manifest: In the folder of the shards.
        shards: All of them, as `write_some` returned them.
        splits: As for `write_shards`.
        look: Likewise.
        name: Likewise.

    Raises:
        DataError: If they are not the shards of these sources, or a tar file is missing.
    """
    plans = plans_of(splits, look)
    with _held(manifest.parent):
        _remove_temporary(manifest.parent)
        for plan, shard in zip_longest(plans, shards):
            _require_written(manifest.parent, plan, shard)
        _finish(manifest, plans, shards, splits, look, name)


def _require_written(folder: Path, plan: Plan | None, shard: Shard | None) -> None:
    wanted = None if plan is None else (plan.name, plan.count)
    seen = None if shard is None else (shard.name, shard.count)
    if shard is None or seen != wanted:
        raise DataError(f"{folder}: the parts wrote {seen} where {wanted} belongs: shard again")
    path = folder / shard.name
    if not path.is_file() or path.stat().st_size != shard.bytes:
        raise DataError(f"{path}: not the {shard.bytes} bytes a part wrote: shard again")


def _finish(
    manifest: Path,
    plans: Sequence[Plan],
    shards: Sequence[Shard],
    splits: Mapping[str, Collection[Source]],
    look: Shards,
    name: str,
) -> None:
    _remove_others(manifest.parent, plans)
    facts = {
        split: {
            "count": len(sources),
            "labels": _label_counts(sources),
            "shards": [
                {field: getattr(shard, field) for field in Shard.__slots__}
                for plan, shard in zip(plans, shards, strict=True)
                if plan.split == split
            ],
        }
        for split, sources in splits.items()
    }
    description = look.model_dump(mode="json", exclude={"images_per_shard"})
    description |= {"name": name, "libraries": pictures.LIBRARIES, "splits": facts}
    files.write_json(manifest, description)


@contextmanager
def _held(folder: Path, shared: bool = False) -> Iterator[None]:
    """Hold the folder's lock, alone or beside other parts; the kernel gives it back."""
    folder.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise DataError(
            f"{folder}: another process is writing shards there: wait for it, or stop it"
        ) from None
    finally:
        os.close(descriptor)


def plans_of(splits: Mapping[str, Iterable[Source]], look: Shards) -> list[Plan]:
    """Return every shard that is to be there in the end, split by split."""
    return [plan for split in splits for plan in _plans(split, splits[split], look)]


def _plans(split: str, sources: Iterable[Source], look: Shards) -> list[Plan]:
    plans: list[Plan] = []
    rest = iter(sources)
    while chosen := list(islice(rest, look.images_per_shard)):
        name = f"{split}/{split}-{len(plans):05d}.tar"
        plans.append(Plan(split, name, len(chosen), pack(chosen)))
    return plans


def _write_all(
    plans: Sequence[Plan], look: Shards, root: Path, folder: Path, workers: int
) -> list[Shard]:
    shards = []
    total = sum(plan.count for plan in plans)
    with tqdm(desc="shard", total=total, unit="img") as progress:
        for shard in in_order(partial(write_shard, look, root, folder), plans, workers):
            shards.append(shard)
            progress.update(shard.count)
    return shards


def write_shard(look: Shards, root: Path, folder: Path, plan: Plan) -> Shard:
    """Write one tar file and its index, unless they are there already, and describe it.

    Args:
        look: Size, filter and format of the pictures.
        root: The folder below which the sources lie.
        folder: The manifest's.
        plan: What to write.

    Raises:
        DataError: If a source is missing, changed since it was indexed, or unreadable.
    """
    path = folder / plan.name
    sources: list[Source] = unpack(plan.sources)
    made_from = _made_from(look, sources)
    index = _finished(path, made_from)
    if index is None:
        index = _written(path, made_from, look, root, sources)
        shard_index.write(path, index)
    return Shard(plan.name, plan.count, index.bytes, index.sha256, index.samples_sha256())


def _made_from(look: Shards, sources: Sequence[Source]) -> str:
    """Return a digest of everything that decides the bytes of a shard."""
    shape = look.model_dump(mode="json", exclude={"images_per_shard"})
    digest = hashlib.sha256()
    for part in (shape, pictures.LIBRARIES, _code(), list(sources)):
        digest.update(json.dumps(part, sort_keys=True).encode())
    return digest.hexdigest()


@cache
def _code() -> list[str]:
    """Return digests of the source files that turn a picture into bytes."""
    makers = (__file__, pictures.__file__, tars.__file__, shard_index.__file__)
    return [files.sha256_of(Path(str(file))) for file in makers]


def _finished(path: Path, made_from: str) -> ShardIndex | None:
    """Return the index of a shard that an earlier run left exactly as this one would."""
    try:
        index = shard_index.read(path)
    except DataError:
        return None
    if index.made_from != made_from or not path.is_file():
        return None
    return index if files.sha256_of(path) == index.sha256 else None


def _written(
    path: Path, made_from: str, look: Shards, root: Path, sources: Sequence[Source]
) -> ShardIndex:
    """Write a tar file under its final name when it is whole, and return its index."""
    total = hashlib.sha256()
    sizes, digests = [], []
    with files.replacing(path) as temporary, temporary.open("wb") as file:
        for source in sources:
            region = sample(source, look, root)
            sizes.append(len(region))
            digests.append(hashlib.sha256(region).hexdigest())
            total.update(region)
            file.write(region)
        end = tars.end_mark(sum(sizes))
        total.update(end)
        file.write(end)
    return ShardIndex(
        made_from,
        sum(sizes) + len(end),
        total.hexdigest(),
        [source.key for source in sources],
        [source.label for source in sources],
        sizes,
        digests,
    )


def sample(source: Source, look: Shards, root: Path) -> bytes:
    """Return one sample as it stands in a tar file.

    Raises:
        DataError: If the source is missing, changed since it was indexed, or unreadable.
    """
    path = root / source.path
    picture = pictures.rgb(_indexed_bytes(source, path), path)
    if source.crop is not None:
        picture = pictures.cropped(picture, source.crop)
    picture = pictures.resized(picture, look.image_size, look.filter)
    coded = pictures.encoded(picture, look.format, look.quality)
    facts = {"label": source.label, "sha256": source.sha256}
    return tars.region(source.key, facts, pictures.SUFFIXES[look.format], coded)


def _indexed_bytes(source: Source, path: Path) -> bytes:
    """Return the bytes of one source, after checking that they are the indexed ones."""
    try:
        with path.open("rb", buffering=0) as file:
            data = file.read()
    except FileNotFoundError:
        raise DataError(
            f"{path}: missing, though the index lists it as {source.key}: restore it, or run "
            "`mien ingest` again"
        ) from None
    if (seen := hashlib.sha256(data).hexdigest()) != source.sha256:
        raise DataError(
            f"{path}: sha256 {seen[:12]} is not {source.sha256[:12]} as the index says of "
            f"{source.key}: restore it, or run `mien ingest` again"
        )
    return data


def _remove_temporary(folder: Path, plans: Sequence[Plan] | None = None) -> None:
    """Remove what a killed run left under temporary names, of these shards or of all."""
    stems = {plan.name.removesuffix(".tar") for plan in plans or ()}
    for path in folder.glob("*/.*.tmp"):
        stem = path.name.removeprefix(".").partition(".")[0]
        if plans is None or f"{path.parent.name}/{stem}" in stems:
            path.unlink()


def _remove_others(folder: Path, plans: Sequence[Plan]) -> None:
    """Remove the shards of earlier runs."""
    tar_files = [folder / plan.name for plan in plans]
    kept = {*tar_files, *map(shard_index.path_of, tar_files)}
    for path in [*folder.glob("*/*.tar"), *folder.glob("*/*.index.json")]:
        if path not in kept:
            path.unlink()


def _label_counts(sources: Iterable[Source]) -> dict[str, int]:
    seen = Counter(source.label for source in sources)
    return {expression: seen[code] for code, expression in enumerate(EXPRESSIONS)}
