"""224x224 JPEGs to shards of 256x256: img2dataset, one worker process, against `mien shard`.

CPU seconds of the process tree, net of start-up on both sides: what so many images cost above
what FEW cost, in the same round.
"""

from __future__ import annotations

import io
import json
import statistics
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks import floor, workspace
from benchmarks.measure import BenchmarkError, net_seconds, ratio
from benchmarks.peers import img2dataset
from benchmarks.peers.img2dataset import Coding
from benchmarks.workspace import Workspace

FEW = (
    64  # images by which `mien shard` estimates its cost: so that is start-up, as it should be
)
UNIT = "img/CPU s"

OURS: dict[str, dict[str, Any]] = {
    "webp": {"format": "webp", "filter": "opencv-bicubic"},  # the peer's own filter
    "webp_bicubic": {"format": "webp", "filter": "bicubic"},
    "jpg": {"format": "jpg", "quality": 95, "filter": "opencv-bicubic"},
    "jpg_bicubic": {"format": "jpg", "quality": 95, "filter": "bicubic"},
}
PEERS = {"png6": Coding("png", 6), "png1": Coding("png", 1), "jpg95": Coding("jpg", 95)}
# In each round, so that what is compared runs close together on a machine that others use too.
ORDER = (
    *("ingest", "png6", "webp", "png1", "webp_bicubic"),
    *("jpg", "jpg95", "jpg_floor", "jpg_bicubic"),
)
RATIOS = {  # key: ours, the peer's
    "shard_webp_over_img2dataset": ("webp", "png6"),
    "shard_webp_over_img2dataset_png1": ("webp", "png1"),
    "shard_webp_bicubic_over_img2dataset": ("webp_bicubic", "png6"),
    "shard_webp_bicubic_over_img2dataset_png1": ("webp_bicubic", "png1"),
    "shard_jpg_over_img2dataset": ("jpg", "jpg95"),
    "shard_jpg_bound_over_img2dataset": ("jpg_floor", "jpg95"),
    "shard_jpg_bicubic_over_img2dataset": ("jpg_bicubic", "jpg95"),
}


@dataclass(frozen=True)
class Size:
    """How much is measured."""

    rounds: int
    ours: int  # images that `mien shard` writes, more than FEW
    peers: Mapping[str, int]  # images of each peer: no more than ours, the same ones


FULL = Size(5, 2000, {"png6": 2000, "png1": 2000, "jpg95": 2000})
QUICK = Size(3, 1200, {"png6": 200, "png1": 400, "jpg95": 1200})


def measure(scratch: Path, drawn: Path, size: Size) -> dict[str, float]:
    """Return the flat table of ratios and print it.

    Args:
        scratch: A folder for all that is written here.
        drawn: Drawn faces in AffectNet's layout.
        size: How much.

    Raises:
        BenchmarkError: If img2dataset cannot be installed, a command fails, or the two did not
            write the same pictures.
    """
    program = img2dataset.installed()  # first: it may be refused
    few = workspace.of_copies(scratch / "few", drawn, FEW * 4 // 5, FEW - FEW * 4 // 5)
    many = workspace.of_copies(scratch / "many", drawn, size.ours * 4 // 5, size.ours // 5)
    seconds: dict[str, list[float]] = {name: [] for name in ORDER}
    for number in range(size.rounds):
        print(f"sharding, round {number + 1} of {size.rounds}", flush=True)
        for name in ORDER:
            if name in PEERS:
                used = _peer_seconds(program, many, name, size.peers[name])
            else:
                used = _our_seconds(many, few, name, size.ours)
            seconds[name].append(used)
    table = {
        key: ratio(key, f"img2dataset {peer:5}", seconds[peer], seconds[ours], UNIT)
        for key, (ours, peer) in RATIOS.items()
    }
    rate = 1 / statistics.median(seconds["ingest"])
    print(f"`mien ingest`, which runs before and is in no ratio: {rate:.1f} {UNIT}")
    return {**table, "ingest_images_per_cpu_second": rate, **compared(scratch / "many", size)}


def _peer_seconds(program: Path, many: Workspace, name: str, count: int) -> float:
    images, output = workspace.sources(many.faces), many.folder / name
    few = img2dataset.shard(program, images[:FEW], output, PEERS[name])
    all_of_them = img2dataset.shard(program, images[:count], output, PEERS[name])
    return net_seconds(all_of_them, count, few, FEW)


def _our_seconds(many: Workspace, few: Workspace, name: str, count: int) -> float:
    if name == "jpg_floor":
        few_cost, many_cost = floor.cost(many.faces, FEW), floor.cost(many.faces, count)
        return net_seconds(many_cost, count, few_cost, FEW)
    if name == "ingest":
        return net_seconds(many.ingest(1), count, few.ingest(1), FEW)
    start_up, all_of_them = few.shard(1, OURS[name]), many.shard(1, OURS[name])
    many.keep_shards(name)
    return net_seconds(all_of_them, count, start_up, FEW)


def compared(folder: Path, size: Size) -> dict[str, float]:
    """Return mean bytes of every kind of picture, and how many of ours are not the peer's.

    Args:
        folder: Holds a folder of shards for every name of OURS and PEERS.
        size: How many images each has to hold.

    Raises:
        BenchmarkError: If a number of images is another.
    """
    coded = {name: pictures(folder / name) for name in (*OURS, *PEERS)}
    for name, found in coded.items():
        if len(found) != (wanted := size.peers.get(name, size.ours)):
            raise BenchmarkError(f"{name}: {len(found)} pictures were written, not {wanted}")
    common = set[str].intersection(*(set(found) for found in coded.values()))
    table = {
        f"{name}_bytes_per_image": statistics.fmean(len(found[source]) for source in common)
        for name, found in coded.items()
    }
    listed = ", ".join(
        f"{name} {value:.0f}" for name, value in zip(coded, table.values(), strict=True)
    )
    print(f"bytes a picture, of the same {len(common)}: {listed}")
    other, n_peer = unlike(coded["webp"], coded["png6"]), len(coded["png6"])
    print(f"lossless pictures whose pixels are not img2dataset's: {other} of {n_peer}")
    return {**table, "webp_pictures_unlike_img2dataset": other}


def pictures(folder: Path) -> dict[str, bytes]:
    """Return the coded pictures in the tars below a folder, by the sha256 of their sources."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*.tar")):
        facts: dict[str, str] = {}
        coded: dict[str, bytes] = {}
        with tarfile.open(path) as tar:
            for member in tar:
                key, _, suffix = member.name.partition(".")
                file = tar.extractfile(member)
                assert file is not None, f"{path}: {member.name} is not a file"
                if suffix == "json":
                    facts[key] = json.load(file)["sha256"]
                else:
                    coded[key] = file.read()
        found |= {facts[key]: picture for key, picture in coded.items()}
    return found


def unlike(ours: Mapping[str, bytes], peers: Mapping[str, bytes]) -> int:
    """Count the sources of the peer whose picture of ours has other pixels, or is not there."""
    return sum(
        source not in ours or not np.array_equal(_pixels(ours[source]), _pixels(picture))
        for source, picture in peers.items()
    )


def _pixels(coded: bytes) -> npt.NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(coded)).convert("RGB"))
