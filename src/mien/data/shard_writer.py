"""Writing shards: tar files of losslessly coded pictures, and the manifest that lists them.

A shard is in WebDataset's format: `<key>.json` and `<key>.webp` (or `.png`) follow each other.
The same sources give the same bytes, whoever writes them, in however many processes.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import PIL
from tqdm import tqdm

from mien import files
from mien.data import pictures
from mien.data.pool import in_order
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.params import Shards


@dataclass(frozen=True)
class Source:
    """One picture to be put into a shard."""

    key: str  # without a dot: WebDataset ends a key at the first one
    label: int  # 0..7
    path: Path
    sha256: str  # of the file's bytes, as the index has it


@dataclass(frozen=True)
class Shard:
    """A tar file as the manifest lists it."""

    name: str  # relative to the manifest, with `/`
    count: int  # samples
    bytes: int  # of the whole tar file
    sha256: str


@dataclass(frozen=True)
class Plan:
    """A shard that is still to be written."""

    split: str
    name: str  # relative to the manifest, with `/`
    sources: tuple[Source, ...]


def write_shards(
    manifest: Path,
    splits: Mapping[str, Sequence[Source]],
    look: Shards,
    name: str,
    workers: int,
) -> None:
    """Write every shard below the folder of `manifest`, remove old ones, then the manifest.

    Args:
        manifest: Absent while shards are being written, so that a reader never mixes two runs.
        splits: The sources of each split, in the order they are to be read.
        look: Size, filter, format and samples per shard.
        name: What the data set is called.
        workers: Processes; each writes whole shards.

    Raises:
        DataError: If a source is missing, changed since it was indexed, or unreadable.
    """
    manifest.unlink(missing_ok=True)
    plans = [plan for split in splits for plan in _plans(split, splits[split], look)]
    shards = _write_all(plans, look, manifest.parent, workers)
    _remove_others(manifest.parent, {shard.name for shard in shards})
    facts = {
        split: {
            "count": len(sources),
            "labels": _label_counts(sources),
            "shards": [
                asdict(s) for p, s in zip(plans, shards, strict=True) if p.split == split
            ],
        }
        for split, sources in splits.items()
    }
    files.write_json(
        manifest,
        {
            "name": name,
            "image_size": look.image_size,
            "format": look.format,
            "filter": look.filter,
            "pillow": PIL.__version__,
            "splits": facts,
        },
    )


def _plans(split: str, sources: Sequence[Source], look: Shards) -> list[Plan]:
    n = look.images_per_shard
    return [
        Plan(split, f"{split}/{split}-{start // n:05d}.tar", tuple(sources[start : start + n]))
        for start in range(0, len(sources), n)
    ]


def _write_all(plans: Sequence[Plan], look: Shards, folder: Path, workers: int) -> list[Shard]:
    shards = []
    total = sum(len(plan.sources) for plan in plans)
    with tqdm(desc="shard", total=total, unit="img") as progress:
        for shard in in_order(partial(write_shard, look, folder), plans, workers):
            shards.append(shard)
            progress.update(shard.count)
    return shards


def write_shard(look: Shards, folder: Path, plan: Plan) -> Shard:
    """Write one tar file under its final name when it is whole, and describe it.

    Args:
        look: Size, filter and format of the pictures.
        folder: The manifest's.
        plan: What to write.

    Raises:
        DataError: If a source is missing, changed since it was indexed, or unreadable.
    """
    path = folder / plan.name
    with (
        files.replacing(path) as temporary,
        tarfile.open(temporary, "w", format=tarfile.USTAR_FORMAT) as tar,
    ):
        for source in plan.sources:
            label = {"label": source.label, "sha256": source.sha256}
            _add(tar, f"{source.key}.json", json.dumps(label, sort_keys=True).encode())
            _add(tar, f"{source.key}.{look.format}", _picture(source, look))
    return Shard(plan.name, len(plan.sources), path.stat().st_size, files.sha256_of(path))


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)  # time, owner and group 0, mode 644
    member.size = len(data)
    tar.addfile(member, io.BytesIO(data))


def _picture(source: Source, look: Shards) -> bytes:
    """Return the coded picture of one source, after checking that it is the indexed one."""
    try:
        data = source.path.read_bytes()
    except FileNotFoundError:
        raise DataError(
            f"{source.path}: missing, though the index lists it as {source.key}: restore it, "
            "or run `mien ingest` again"
        ) from None
    if (seen := hashlib.sha256(data).hexdigest()) != source.sha256:
        raise DataError(
            f"{source.path}: sha256 {seen[:12]} is not {source.sha256[:12]} as the index says "
            f"of {source.key}: restore it, or run `mien ingest` again"
        )
    image = pictures.rgb(pictures.decoded(data, source.path))
    return pictures.encoded(pictures.resized(image, look.image_size, look.filter), look.format)


def _remove_others(folder: Path, kept: set[str]) -> None:
    """Remove the shards of earlier runs, and what a killed one left under temporary names."""
    for path in [*folder.glob("*/*.tar"), *folder.glob("*/.*.tar.*.tmp")]:
        if path.relative_to(folder).as_posix() not in kept:
            path.unlink()


def _label_counts(sources: Sequence[Source]) -> dict[str, int]:
    seen = Counter(source.label for source in sources)
    return {expression: seen[code] for code, expression in enumerate(EXPRESSIONS)}
