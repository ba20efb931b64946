"""Drawn faces: a data set in AffectNet's layout that nobody has to apply for.

Who is drawn, how they pose, the light and the background are random; the expression is a set of
FACS action units, weak ones included. Picture `index` of `seed` is the same picture however
many are drawn, in whatever order and by however many processes.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from tqdm import tqdm

from mien.data.pool import in_order
from mien.data.portrait.landmarks import Points
from mien.data.portrait.light import sample_light
from mien.data.portrait.looks import sample_looks
from mien.data.portrait.picture import Portrait, paint
from mien.data.portrait.shape import sample_head, sample_pose
from mien.data.portrait.units import Units, sample_act
from mien.errors import DataError
from mien.expressions import EXPRESSIONS, N_EXPRESSIONS
from mien.files import sha256_of, write_json

VERSION = 1  # of the renderer: counts up whenever a picture changes
SIZE = 224  # pixels; AffectNet's npy release
JPEG = {"quality": 95, "subsampling": 0}  # 4:4:4
SPLITS = ("train_set", "val_set")

# Share of each expression in train_set, by AffectNet's codes: its order of frequencies (0.26,
# 0.47, 0.09, 0.05, 0.02, 0.01, 0.09, 0.01) drawn towards balance, so that a few hundred images
# hold enough of the rarest. val_set is balanced, as AffectNet's is.
TRAIN_SHARES = (0.18, 0.22, 0.12, 0.11, 0.09, 0.08, 0.12, 0.08)
TEST_SHARES = (1 / N_EXPRESSIONS,) * N_EXPRESSIONS


@dataclass(frozen=True)
class DrawnFace:
    """A picture and everything an annotator would say about it."""

    image: NDArray[np.uint8]  # [size, size, 3] RGB
    valence: float  # [-1, 1]
    arousal: float  # [-1, 1]
    units: Units  # intensity of every action unit, left and right of the picture
    landmarks: Points  # [68, 2] x and y in pixels, iBUG 300-W order


def draw_face(seed: int, index: int, label: int, size: int) -> DrawnFace:
    """Draw one face.

    Args:
        seed: Of the data set.
        index: Of the picture in the data set; person, pose, light and place depend on it and
            on the seed alone, so another label is another face of the same person.
        label: The expression, AffectNet's code 0..7.
        size: Side of the picture, pixels. Another size shows the same person and pose; the
            background and the noise are others.

    Raises:
        ValueError: If the label is not 0..7 or the size is under 32.
    """
    if not 0 <= label < N_EXPRESSIONS or size < 32:
        raise ValueError(f"label {label} is not 0..7 or size {size} is under 32")
    streams = np.random.SeedSequence([seed, index]).spawn(7)
    head, looks, act, pose, light, strokes, camera = map(np.random.default_rng, streams)
    shown = sample_act(label, act)
    portrait = Portrait(
        sample_head(head),
        sample_looks(looks),
        shown.units,
        sample_pose(pose),
        sample_light(light),
    )
    image = paint(portrait, size, strokes, camera)
    return DrawnFace(image, shown.valence, shown.arousal, shown.units, portrait.landmarks(size))


def write_affectnet(root: Path, train: int, test: int, seed: int, workers: int = 1) -> None:
    """Draw a data set in the layout of AffectNet's 8-label npy release.

    `root` appears when it is whole; until then the files are in a hidden folder beside it. A
    root that holds this very data set is left as it is. `root/manifest.json` says what was
    asked for, how many of each class there are, and the sha256 over all files.

    Args:
        root: The folder to make.
        train: Images in train_set.
        test: Images in val_set, drawn from other random streams than train_set.
        workers: Processes; the bytes do not depend on it.

    Raises:
        DataError: If `root` exists and is not this data set. It is never deleted here.
    """
    request = request_for(train, test, seed)
    if _is_there(root, request):
        return
    with _folder_replacing(root) as folder:
        labels = dict(zip(SPLITS, _labels(train, test, seed), strict=True))
        for split in SPLITS:
            (folder / split / "images").mkdir(parents=True)
            (folder / split / "annotations").mkdir()
        jobs = [(s, n, int(label)) for s in SPLITS for n, label in enumerate(labels[s])]
        _draw_all(folder, seed, jobs, workers)
        counts = {split: _counts(labels[split]) for split in SPLITS}
        digest = _digest(folder)
        write_json(folder / "manifest.json", {**request, "counts": counts, "sha256": digest})


def drawn_request(root: Path) -> dict[str, Any] | None:
    """Return what was asked for when `root` was drawn; None when it holds no drawn faces."""
    try:
        manifest: Any = json.loads((root / "manifest.json").read_text(encoding="utf-8"))
        return {key: manifest[key] for key in ("renderer", "seed", "train", "test")}
    except (OSError, ValueError, TypeError, KeyError):
        return None


def request_for(train: int, test: int, seed: int) -> dict[str, Any]:
    """Return what `root/manifest.json` says of such a data set."""
    return {"renderer": VERSION, "seed": seed, "train": train, "test": test}


def _is_there(root: Path, request: dict[str, Any]) -> bool:
    """Return whether `root` is the data set asked for; False when nothing is there."""
    if not root.exists() or (root.is_dir() and not any(root.iterdir())):
        return False
    there = drawn_request(root)
    if there == request:
        return True
    seen = "no manifest of drawn faces" if there is None else f"{_spelt(there)}"
    raise DataError(
        f"{root}: exists with {seen}, not {_spelt(request)}: delete it, or set data.root to "
        "another folder"
    )


def _spelt(request: dict[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in request.items())


@contextmanager
def _folder_replacing(root: Path) -> Iterator[Path]:
    """Yield a new folder beside `root`; rename it to `root` when the block succeeds."""
    root.parent.mkdir(parents=True, exist_ok=True)
    temporary = root.with_name(f".{root.name}.{os.getpid()}.tmp")
    temporary.mkdir()
    try:
        yield temporary
        temporary.replace(root)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _labels(train: int, test: int, seed: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the label of every image of both splits: exact class counts, shuffled."""
    shuffle_train, shuffle_test = (
        np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(split,)))
        for split in range(2)
    )
    return (
        shuffle_train.permutation(np.repeat(np.arange(8), _apportioned(train, TRAIN_SHARES))),
        shuffle_test.permutation(np.repeat(np.arange(8), _apportioned(test, TEST_SHARES))),
    )


def _apportioned(count: int, shares: Sequence[float]) -> NDArray[np.int64]:
    """Return whole numbers in the proportion of `shares` that add up to `count`.

    Largest remainders; among equal ones the lower code wins.
    """
    quotas = np.asarray(shares) * count
    whole = np.floor(quotas + 1e-9).astype(np.int64)
    order = np.argsort(-(quotas - whole).round(9), kind="stable")
    whole[order[: count - whole.sum()]] += 1
    return np.asarray(whole)


def _counts(labels: NDArray[np.int64]) -> dict[str, int]:
    return {name: int(np.sum(labels == code)) for code, name in enumerate(EXPRESSIONS)}


def _draw_all(folder: Path, seed: int, jobs: list[tuple[str, int, int]], workers: int) -> None:
    draw = partial(_write_sample, folder, seed)
    with tqdm(total=len(jobs), desc="drawing faces", unit="img", disable=None) as bar:
        for _ in in_order(draw, jobs, workers, chunksize=8):
            bar.update()


def _write_sample(folder: Path, seed: int, job: tuple[str, int, int]) -> None:
    """Write picture and annotations of image `number` of a split."""
    split, number, label = job
    # Even indexes are train_set's, odd ones val_set's: no picture can be in both.
    face = draw_face(seed, 2 * number + SPLITS.index(split), label, SIZE)
    picture = folder / split / "images" / f"{number}.jpg"
    Image.fromarray(face.image).save(picture, format="JPEG", **JPEG)
    for kind, value in (
        ("exp", np.array(str(label))),  # AffectNet's numbers are 0-d arrays of text
        ("val", np.array(f"{face.valence:.6f}")),
        ("aro", np.array(f"{face.arousal:.6f}")),
        ("lnd", face.landmarks.ravel()),
    ):
        np.save(folder / split / "annotations" / f"{number}_{kind}.npy", value)


def _digest(folder: Path) -> str:
    """Return one sha256 over the names and bytes of all files, in sorted order."""
    files = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.*"))
    total = hashlib.sha256()
    for name in files:
        total.update(f"{sha256_of(folder / name)}  {name}\n".encode())
    return total.hexdigest()
