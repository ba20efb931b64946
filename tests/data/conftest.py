"""Small folders in AffectNet's layout, a complete params file, and shards of either."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from mien.data.shard_writer import Source, write_shards
from mien.params import Params, Shards, load_params

PARAMS = """
data:
  {name: noise, root: raw, faces: null, layout: auto, folders: null, counts: null,
   strict: false, max_unusable: 0.001, max_duplicates: 0.001, val_fraction: 0.25, seed: 0}
shards: {image_size: 64, format: webp, quality: null, filter: bicubic, images_per_shard: 5}
codec: {qualities: [1], lambdas: null, channels: [8, 12], weights: scratch, entropy: exact}
classic: {}
classifier: {width: 8, input_size: 64, output: logits, dropout: 0.1, weights: scratch}
strategies: [joint]
loss: {bpp: 1.0, mse: 1.0, ce: 0.1}
sweep: {quality: 1, bpp: [], mse: [], ce: []}
repeat: {qualities: [], seeds: []}
pretrain:
  seed: 0
  evaluations: 1
  val_images: null
  codec:
    {start: null,
     first_steps: 1, next_steps: 1, batch_size: 2, crop: 64, lr: 1.0e-4, aux_lr: 1.0e-3,
     clip_norm: 1.0}
  classifier:
    {start: null, steps: 1, batch_size: 2, lr: 1.0e-3, weight_decay: 0.0,
     label_smoothing: 0.0}
finetune:
  {start: pretrained, epochs: 1, images_per_epoch: null, batch_size: 2, lr: 1.0e-4,
   aux_lr: 1.0e-3,
   classifier_lr: 1.0e-4, weight_decay: 0.01, clip_norm: 1.0, flip: true, shift: 0,
   quantization: noise, rate_warm_up: 0,
   update_batch_norm: false,
   schedule: plateau, lr_factor: 0.5, lr_patience: 1, patience: 2, val_images: null,
   seed: 0}
compute:
  {precision: float32, compile: false, max_skipped: 0, save_seconds: 300, devices: 1,
   tensorboard: false, parts: 1}
evaluate: {batch_size: 4, precision: float32, examples: 2, resamples: 10, seed: 0}
"""

TRAIN_LABELS = [0] * 8 + [1] * 8 + [2] * 4 + [3] * 4  # codes 4..7 occur in val_set or nowhere
TEST_LABELS = [0, 1, 2, 3, 4, 5, 6]  # no contempt anywhere


def load(folder: Path, **changes: dict[str, Any]) -> Params:
    """Return PARAMS with some sections' keys changed, as read from a file in `folder`."""
    tree = yaml.safe_load(PARAMS)
    for section, keys in changes.items():
        tree[section] |= keys
    path = folder / "params.yaml"
    path.write_text(yaml.safe_dump(tree))
    return load_params(path)


def noise(seed: int, size: tuple[int, int] = (23, 17), mode: str = "RGB") -> Image.Image:
    """Return a picture of `size` (width, height) in which every pixel differs."""
    width, height = size
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    return Image.fromarray(pixels).convert(mode)


def save(path: Path, seed: int, **options: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    noise(seed).save(path, **options)
    return path


def annotate(folder: Path, number: int, **values: Any) -> None:
    """Write `<number>_<kind>.npy` for each kind, 0-d arrays of whatever type the value has."""
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    for kind, value in values.items():
        np.save(folder / "annotations" / f"{number}_{kind}.npy", np.array(value))


def add(folder: Path, number: int, label: Any, seed: int, name: str | None = None) -> None:
    """Add one image with its annotations to the folder of a part."""
    save(folder / "images" / (name or f"{number}.jpg"), seed)
    annotate(folder, number, exp=label, val="0.25", aro="-0.5")


def affectnet_folder(root: Path) -> Path:
    """Make both parts: numbers with gaps, not written in their order, both starting at 0."""
    for part, labels, seed in (("train_set", TRAIN_LABELS, 0), ("val_set", TEST_LABELS, 1000)):
        for place, label in reversed(list(enumerate(labels))):
            add(root / part, 3 * place, str(label), seed + place)
    return root


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return affectnet_folder(tmp_path / "raw")


LABELS = [place % 7 for place in range(23)]
LOOK = Shards(image_size=64, format="webp", quality=None, filter="bicubic", images_per_shard=4)


def sources(folder: Path, split: str, labels: list[int], seed: int) -> list[Source]:
    """Make one picture per label and return them as they would come out of an index."""
    made = []
    for i, label in enumerate(labels):
        path = save(folder / f"{split}{i}.png", seed + i)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        made.append(Source(f"{split}-{i:06d}", label, path.name, digest, crop=None))
    return made


def noise_splits(folder: Path) -> dict[str, list[Source]]:
    """Return 23 training pictures, 6 for validation and no test picture at all."""
    return {
        "train": sources(folder, "train", LABELS, 0),
        "val": sources(folder, "val", [0, 1, 2, 3, 4, 5], 500),
        "test": [],
    }


@pytest.fixture
def manifest(tmp_path: Path) -> Path:
    """Shards of `noise_splits`, at most four samples each."""
    path = tmp_path / "shards" / "manifest.json"
    pictures = tmp_path / "pictures"
    write_shards(path, pictures, noise_splits(pictures), LOOK, "noise", workers=1)
    return path
