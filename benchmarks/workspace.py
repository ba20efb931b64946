"""A folder in which `mien ingest` and `mien shard` run, and the drawn faces they work on."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from PIL import Image

from benchmarks.measure import Cost, run

MIEN = (sys.executable, "-m", "mien.cli")
PRESET = Path(__file__).parent.parent / "presets/diffusionfer.yaml"
KINDS = ("exp", "val", "aro", "lnd")
SHARDS = {
    "image_size": 256,
    "format": "webp",
    "quality": None,
    "filter": "bicubic",
    "images_per_shard": 1000,
}


@dataclass(frozen=True)
class Workspace:
    """A working directory of `mien`; `faces` is a data set in AffectNet's layout."""

    folder: Path
    faces: Path

    @property
    def shards(self) -> Path:
        """Return where `shard` writes."""
        return self.folder / "data/shards"

    @property
    def index(self) -> Path:
        """Return what `ingest` writes."""
        return self.folder / "data/index.parquet"

    def ingest(self, threads: int, *, watch_memory: bool = False) -> Cost:
        """List and check the faces."""
        return self._mien("ingest", threads, {}, watch_memory)

    def shard(self, threads: int, look: dict[str, Any], *, watch_memory: bool = False) -> Cost:
        """Write the shards from nothing: a second run would find them finished.

        Args:
            threads: Processes that write.
            look: What differs from SHARDS.
            watch_memory: Whether the cost is to have a peak.
        """
        shutil.rmtree(self.shards, ignore_errors=True)
        return self._mien("shard", threads, look, watch_memory)

    def keep_shards(self, name: str) -> Path:
        """Move the shards to a folder of this workspace, in place of what is there."""
        kept = self.folder / name
        shutil.rmtree(kept, ignore_errors=True)
        return self.shards.rename(kept)

    def _mien(self, stage: str, threads: int, look: dict[str, Any], watch_memory: bool) -> Cost:
        params = yaml.safe_load(PRESET.read_text(encoding="utf-8"))
        params["data"] |= {
            "name": "copied faces",
            "root": str(self.faces.absolute()),
            "val_fraction": 0.2,
        }
        params["shards"] = SHARDS | look
        path = self.folder / "params.yaml"
        path.write_text(yaml.safe_dump(params), encoding="utf-8")
        command = [*MIEN, stage, "--params", path.name, "--threads", str(threads)]
        return run(command, self.folder, watch_memory=watch_memory)


def draw(faces: Path, train: int, test: int, as_drawn: bool = False) -> None:
    """Draw a data set of 224x224 JPEGs on all cores, of the kind most JPEGs are.

    `mien faces` writes quality 95 and 4:4:4, which few do; here they have quality 90 and the
    4:2:0 that is libjpeg's default, unless they are wanted `as_drawn`.
    """
    counts = ["--train", str(train), "--test", str(test), "--seed", "17"]
    run([*MIEN, "faces", faces.absolute(), *counts], faces.parent)
    for path in [] if as_drawn else sources(faces):
        with Image.open(path) as image:
            image.load()
        image.save(path, "JPEG", quality=90)


def of_copies(folder: Path, drawn: Path, train: int, test: int) -> Workspace:
    """Make a workspace on so many faces, each file with bytes of its own.

    Drawing takes 27 ms a face; a copy with a JPEG comment decodes to the same pixels, and
    neither the content hashes nor the file system can tell it from another face.
    """
    faces = folder / "faces"
    for part, count in (("train_set", train), ("val_set", test)):
        for name in ("images", "annotations"):
            (faces / part / name).mkdir(parents=True)
        n_drawn = len(list((drawn / part / "images").iterdir()))
        for number in range(count):
            _copy(drawn / part, number % n_drawn, faces / part, number)
    return Workspace(folder, faces)


def _copy(source: Path, drawn: int, target: Path, number: int) -> None:
    image = (source / f"images/{drawn}.jpg").read_bytes()
    (target / f"images/{number}.jpg").write_bytes(commented(image, f"copy {number}".encode()))
    for kind in KINDS:
        annotation = source / f"annotations/{drawn}_{kind}.npy"
        os.link(annotation, target / f"annotations/{number}_{kind}.npy")


def commented(jpeg: bytes, comment: bytes) -> bytes:
    """Return a JFIF file with a comment (COM) after its first segment."""
    end = 4 + int.from_bytes(jpeg[4:6], "big")
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2, "big") + comment
    return jpeg[:end] + segment + jpeg[end:]


def sources(faces: Path) -> list[Path]:
    """Return every image, train_set first, by number."""
    return [
        path
        for part in ("train_set", "val_set")
        for path in sorted((faces / part / "images").iterdir(), key=lambda p: int(p.stem))
    ]
