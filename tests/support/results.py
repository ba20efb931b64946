"""A results folder as the encode and decode stages leave it, made up instead of measured.

Accuracies follow plausible curves: the baseline falls off at low rates, `compression-only`
less, `joint` least. Each face has one difficulty in all runs, as real faces do, so that paired
intervals are narrower than unpaired ones.
"""

from __future__ import annotations

import io
import zlib
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import yaml
from PIL import Image, ImageDraw, ImageFilter

from mien import paths
from mien.files import write_manifest
from mien.params import Params
from mien.runs import CLASSIC, Run, all_runs, classic_quality, setting_named

PARAMS = """
data:
  {name: drawn faces, root: data/raw, faces: null, layout: auto, folders: null, counts: null,
   strict: false, max_unusable: 0.001, max_duplicates: 0.001, val_fraction: 0.1, seed: 0}
shards: {image_size: 64, format: webp, quality: null, filter: bicubic, images_per_shard: 100}
codec: {qualities: [1, 3, 5, 8], lambdas: null, channels: [24, 36], weights: scratch,
    entropy: exact}
classic: {}
classifier: {width: 16, input_size: 64, output: logits, dropout: 0.1, weights: scratch}
strategies: [compression-only, joint]
loss: {bpp: 1.0, mse: 1.0, ce: 0.5}
sweep: {quality: 3, bpp: [0.5, 2.0], mse: [0.0, 4.0], ce: [0.0, 0.1, 2.0]}
repeat: {qualities: [3], seeds: [1, 2]}
pretrain:
  seed: 0
  evaluations: 2
  val_images: null
  codec:
    {start: null,
     first_steps: 1, next_steps: 1, batch_size: 2, crop: 64, lr: 1.0e-4, aux_lr: 1.0e-3,
     clip_norm: 1.0}
  classifier:
    {start: null, steps: 1, batch_size: 2, lr: 1.0e-3, weight_decay: 0.01,
     label_smoothing: 0.05}
finetune:
  start: pretrained
  epochs: 1
  images_per_epoch: null
  batch_size: 2
  lr: 3.0e-5
  aux_lr: 3.0e-5
  classifier_lr: 3.0e-5
  weight_decay: 0.01
  clip_norm: 0.1
  flip: true
  shift: 0
  quantization: noise
  rate_warm_up: 0
  update_batch_norm: false
  schedule: plateau
  lr_factor: 0.5
  lr_patience: 1
  patience: 3
  val_images: null
  seed: 5
compute:
  {precision: float32, compile: false, max_skipped: 0, save_seconds: 300, devices: 1,
   tensorboard: false, parts: 1}
evaluate: {batch_size: 8, precision: float32, examples: 4, resamples: 200, seed: 7}
"""

# Strategy: accuracy at infinite rate, loss at rate 0, rate scale of the loss, rate factor
CURVES = {
    "pretrained": (0.70, 0.40, 0.16, 1.0),
    "compression-only": (0.71, 0.30, 0.12, 0.9),
    "joint": (0.75, 0.20, 0.08, 0.8),
    "codec-rd": (0.70, 0.37, 0.15, 0.95),
    "classifier-raw": (0.71, 0.40, 0.16, 1.0),
    "classifier-decoded": (0.72, 0.25, 0.12, 1.0),
}


def params_of(**changes: object) -> Params:
    """Return the params above; a change is `section=value` or `section={key: value}`."""
    tree = yaml.safe_load(PARAMS)
    for section, value in changes.items():
        tree[section] = {**tree[section], **value} if isinstance(value, dict) else value
    return Params.model_validate(tree)


def write_results(params: Params, n: int = 150, absent: int = 7) -> None:
    """Write every run's files below the working directory.

    Args:
        params: Which runs.
        n: Test images.
        absent: The class without a test image; -1 for none.
    """
    generator = np.random.default_rng(11)
    classes = [code for code in range(8) if code != absent]
    labels = generator.choice(classes, size=n)
    labels[: len(classes)] = classes
    difficulty = generator.random(n)
    keys = [f"test-{i:06d}" for i in generator.permutation(n)]  # rows are in no order
    for run in all_runs(params):
        write_run(params, run, keys, labels, difficulty)


def write_run(
    params: Params, run: Run, keys: list[str], labels: np.ndarray, difficulty: np.ndarray
) -> None:
    generator = np.random.default_rng(zlib.crc32(repr(run).encode()))
    folder = paths.run_folder(run)
    folder.mkdir(parents=True)
    bpp, accuracy, raw_accuracy = expected(params, run)
    pixels = params.shards.image_size**2
    spread = generator.lognormal(0.0, 0.25, len(keys))
    n_bytes = np.maximum(1, np.round(bpp * pixels / 8 * spread)).astype(np.int64)
    shares = paths.streams(run).parent != folder  # the baseline's streams, written before
    if shares:
        n_bytes = np.array(pc.binary_length(pq.read_table(paths.streams(run))["stream"]))
    guess = (generator.permutation(8)[None] + labels[:, None]) % 8

    def rows(share: float, noise: np.random.Generator) -> dict[str, object]:
        right = difficulty + noise.normal(0, 0.03, len(keys)) < share
        wrong = np.where(guess[:, 0] == labels, guess[:, 1], guess[:, 0])
        prediction = np.where(right, labels, wrong)
        logits = noise.normal(0, 1, (len(keys), 8))
        logits[np.arange(len(keys)), prediction] = logits.max(1) + noise.exponential(
            2, len(keys)
        )
        logits = logits.astype(np.float32)
        fixed = pa.FixedSizeListArray.from_arrays(pa.array(logits.ravel()), 8)
        return {"key": keys, "label": labels, "logits": fixed, "prediction": prediction}

    large = params.shards.image_size > 160
    decoded = {
        **rows(accuracy, generator),
        "n_bytes": n_bytes,
        "bpp": 8 * n_bytes / pixels,
        "psnr": 30 + 6 * np.log10(bpp) + generator.normal(0, 1, len(keys)),
        "ms_ssim": pa.array(
            1 - 0.02 / np.sqrt(bpp * spread) if large else [None] * len(keys), pa.float64()
        ),
    }
    write_table(paths.decoded(run), decoded)
    seconds = np.random.default_rng(1).random(len(keys))
    write_table(paths.decode_seconds(run), {"key": keys, "seconds": seconds})
    # All runs but the joint ones have the same classifier, which reads the same raw images.
    same = np.random.default_rng(0) if run.strategy != "joint" else generator
    write_table(paths.raw(run), rows(raw_accuracy, same))
    write_table(paths.examples(run), example_rows(params, keys, labels, bpp))
    if not shares:
        streams = {
            "key": keys,
            "stream": [generator.bytes(int(length)) for length in n_bytes],
            "estimated_bits": 8 * n_bytes * 0.98,
        }
        seconds = generator.random(len(keys))
        write_table(paths.encode_seconds(run), {"key": keys, "seconds": seconds})
        if run.strategy in CLASSIC:
            streams["estimated_bits"] = pa.nulls(len(keys), pa.float64())
        else:
            bits = streams["estimated_bits"]
            write_table(paths.bits(run), bit_rows(params, keys, bits, generator))
        write_table(paths.streams(run), streams)
    calibration = {"temperature": 1.25, "pictures": "raw", "split": "val", "n": 40}
    path = paths.manifest_of(paths.classifier_of(run))
    path.parent.mkdir(parents=True, exist_ok=True)
    write_manifest(path, [], record={"calibration": calibration})
    seal(run)


def seal(run: Run) -> None:
    """Write the manifests of a run over what is there now."""
    measured = [paths.decoded(run), paths.raw(run), paths.examples(run)]
    write_manifest(paths.run_folder(run) / "evaluation.json", measured)
    facts = {"library": f"lib{run.strategy} 1.0"} if run.strategy in CLASSIC else {}
    manifest = paths.manifest_of(paths.streams(run))
    write_manifest(manifest, [paths.streams(run)], **facts)
    if run.strategy not in CLASSIC:
        write_manifest(paths.manifest_of(paths.bits(run)), [paths.bits(run)])


def change_rows(path: Path, run: Run, **columns: object) -> None:
    """Replace whole columns of one of a run's tables and make its manifest fit again."""
    table = pq.read_table(path)
    for name, values in columns.items():
        index = table.schema.get_field_index(name)
        table = table.set_column(index, name, pa.array(values, table.schema.field(name).type))
    pq.write_table(table, path)
    seal(run)


def write_table(path: Path, columns: dict[str, object]) -> None:
    pq.write_table(pa.table(columns), path)


def expected(params: Params, run: Run) -> tuple[float, float, float]:
    """Return rate, accuracy and raw accuracy that a made-up run aims at."""
    if run.strategy in CLASSIC:
        bpp = 0.01 * classic_quality(params, run) ** 0.8
        return bpp, 0.70 - 0.6 * float(np.exp(-bpp / 0.16)), 0.70
    setting = setting_named(params, run.setting)
    best, loss, scale, factor = CURVES[run.strategy]
    share = (setting.quality - 0.5) / 8
    weights = setting.weights
    shift = (0.3 + weights.mse) / (0.8 * weights.bpp + weights.ce)
    reference = (0.3 + params.loss.mse) / (0.8 * params.loss.bpp + params.loss.ce)
    bpp = factor * 0.03 * 40**share * (shift / reference) ** 0.5
    raw = 0.70 if run.strategy != "joint" else best - 0.01
    return bpp, best - loss * float(np.exp(-bpp / scale)), raw


def example_rows(
    params: Params, keys: list[str], labels: np.ndarray, bpp: float
) -> dict[str, object]:
    chosen = np.argsort(keys)[: params.evaluate.examples]
    raw = [face(int(labels[i]), params.shards.image_size, seed=int(i)) for i in chosen]
    blurred = [
        picture.filter(ImageFilter.GaussianBlur(0.6 * params.shards.image_size / 64 / bpp**0.5))
        for picture in raw
    ]
    return {
        "key": [keys[i] for i in chosen],
        "label": labels[chosen],
        "png": [png(picture) for picture in blurred],
        "raw_png": [png(picture) for picture in raw],
    }


def bit_rows(
    params: Params, keys: list[str], estimated_bits: np.ndarray, generator: np.random.Generator
) -> dict[str, object]:
    """Return maps with most bits in the middle, which add up to the estimate."""
    chosen = np.argsort(keys)[: params.evaluate.examples]
    across = np.linspace(-1, 1, params.shards.image_size // 16)
    shape = np.exp(-2 * (across[:, None] ** 2 + across**2))
    maps = [shape * generator.uniform(0.5, 1.5, shape.shape) for _ in chosen]
    return {
        "key": [keys[i] for i in chosen],
        "y_bits": pa.array(
            [
                (0.9 * estimated_bits[i] * m / m.sum()).tolist()
                for i, m in zip(chosen, maps, strict=True)
            ],
            pa.list_(pa.list_(pa.float32())),
        ),
        "z_bits": pa.array([0.1 * estimated_bits[i] for i in chosen], pa.float32()),
    }


def face(label: int, size: int, seed: int) -> Image.Image:
    """Draw a round face whose mouth bends with the label."""
    generator = np.random.default_rng(seed)
    skin = tuple(int(value) for value in generator.integers(150, 240, 3))
    picture = Image.new("RGB", (size, size), (60, 70, 90))
    draw = ImageDraw.Draw(picture)
    draw.ellipse((size * 0.1, size * 0.05, size * 0.9, size * 0.95), fill=skin)
    for x in (0.35, 0.65):
        eye = (size * (x - 0.06), size * 0.35, size * (x + 0.06), size * 0.45)
        draw.ellipse(eye, fill=(30, 30, 40))
    bend = (label - 3.5) / 20
    box = (size * 0.3, size * (0.6 - abs(bend)), size * 0.7, size * (0.8 + abs(bend)))
    draw.arc(box, *((0, 180) if bend > 0 else (180, 360)), fill=(120, 20, 30), width=size // 24)
    return picture


def png(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "PNG")
    return buffer.getvalue()
