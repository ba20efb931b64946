"""May bfloat16 transforms, eager or compiled, replace float32 in a fine-tuning?

    python benchmarks/precision.py [--quick] [--json FILE] [--threads N]

The demo of params.yaml on fewer faces: `mien finetune joint q3` in each precision, with the
same seeds in each. Compared is the epoch with the best loss, on `val` alone:

    val_*     history.csv: a training looks in float32, in which `mien encode` runs
    kept_*    the weights of its checkpoint, looked at again

Equal within spread: the means are no further apart than the larger of the two spreads (highest
minus lowest) over the seeds. Seconds are of whole commands, on what else the machine does.
"""

from __future__ import annotations

import contextlib
import csv
import math
import os
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import statistics

import torch
import yaml

from benchmarks import measure
from benchmarks.workspace import MIEN
from mien import paths
from mien.classifier.resnet18 import load_classifier
from mien.codec.model import load_codec
from mien.data import shards
from mien.device import placed
from mien.errors import MienError
from mien.params import load_params
from mien.runs import JOINT, Run
from mien.stages.finetune import prepared
from mien.training.codec_task import CodecTask

ROOT = Path(__file__).resolve().parent.parent
QUALITY = 3
RUN = Run(JOINT, f"q{QUALITY}")
TERMS = ("bpp", "mse", "accuracy", "loss")
COMPARED = tuple(f"{look}_{term}" for look in ("val", "kept") for term in TERMS)
REFERENCE = "float32"
MODES = {
    REFERENCE: {"precision": "float32", "compile": False},
    "bfloat16": {"precision": "bfloat16", "compile": False},
    "bfloat16_compiled": {"precision": "bfloat16", "compile": True},
}

Row = dict[str, float]  # one training, by quantity
Rows = dict[str, list[Row]]  # by mode, a row a seed


@dataclass(frozen=True)
class Extent:
    """How much to train: every mode with every seed from 0."""

    modes: tuple[str, ...]
    seeds: int
    faces: int  # a fifth of them is `val`
    epochs: int
    images_per_epoch: int


FULL = Extent(tuple(MODES), seeds=3, faces=1200, epochs=4, images_per_epoch=400)
QUICK = Extent(("float32", "bfloat16"), seeds=2, faces=300, epochs=2, images_per_epoch=120)


@dataclass(frozen=True)
class Spread:
    """One quantity over the seeds."""

    values: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.values) < 2:
            raise ValueError(f"{len(self.values)} values have no spread: at least 2 seeds")

    @property
    def mean(self) -> float:
        """Return the mean."""
        return statistics.fmean(self.values)

    @property
    def width(self) -> float:
        """Return the highest value minus the lowest."""
        return max(self.values) - min(self.values)

    def __str__(self) -> str:
        return f"{self.mean:9.5g} ({min(self.values):.5g} to {max(self.values):.5g})"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    options = measure.parser(__doc__)
    cores = len(os.sched_getaffinity(0))
    options.add_argument("--threads", type=int, default=cores, help="of the CPU")
    args = options.parse_args(argv)
    torch.set_num_threads(args.threads)
    try:
        rows = trained(QUICK if args.quick else FULL, args.threads)
        measure.write_results(args.json, compared(rows), args.threads)
    except MienError as error:
        print(f"benchmarks/precision.py: {error}", file=sys.stderr)
        return 2
    return 0


def trained(extent: Extent, threads: int) -> Rows:
    """Train every mode with every seed, the modes in turn, and return what came out."""
    rows: Rows = {mode: [] for mode in extent.modes}
    with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as name:
        folder = Path(name)
        begin(folder, extent, threads)
        for seed in range(extent.seeds):
            for mode in extent.modes:
                rows[mode].append(training(folder, extent, mode, seed, threads))
    return rows


def begin(folder: Path, extent: Extent, threads: int) -> None:
    """Draw the faces, and place them and the pretrained models where a fine-tuning looks."""
    write_params(folder, extent, REFERENCE, seed=0)
    stages = ("faces", "ingest", "shard", f"pretrain-codec {QUALITY}", "pretrain-classifier")
    for stage in stages:
        measure.run([*MIEN, *stage.split(), "--threads", str(threads)], folder)


def write_params(folder: Path, extent: Extent, mode: str, seed: int) -> None:
    """Write the params of one training: the demo's, but for what is compared and how long."""
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    changes: dict[str, dict[str, Any]] = {
        "data": {
            "faces": {"train": extent.faces, "test": 8, "seed": 1},
            "val_fraction": 0.2,
        },
        "codec": {"qualities": [QUALITY], "weights": str(ROOT / "weights/demo")},
        "classifier": {"weights": str(ROOT / "weights/demo/classifier.safetensors")},
        "sweep": {"quality": QUALITY},
        "finetune": {
            "epochs": extent.epochs,
            "images_per_epoch": extent.images_per_epoch,
            "patience": extent.epochs,  # all train equally long
            "val_images": None,
            "seed": seed,
        },
        "compute": MODES[mode],
    }
    for section, values in changes.items():
        params[section] |= values
    (folder / paths.PARAMS).write_text(yaml.safe_dump(params), encoding="utf-8")


def training(folder: Path, extent: Extent, mode: str, seed: int, threads: int) -> Row:
    """Train once, print one line, and return the start, the best epoch and the seconds."""
    write_params(folder, extent, mode, seed)
    command = [*MIEN, "finetune", RUN.strategy, RUN.setting, "--threads", str(threads)]
    environment = {  # a cache of our own, or a second run of the benchmark compiles nothing
        "OMP_NUM_THREADS": str(threads),
        "TORCHINDUCTOR_CACHE_DIR": str(folder / "compiled"),
    }
    cost = measure.run(command, folder, environment)
    row = best_row(folder / paths.run_folder(RUN) / "history.csv") | kept(folder)
    row |= {"wall_seconds": cost.wall_seconds, "cpu_seconds": cost.cpu_seconds}
    said = ", ".join(f"{name} {row[name]:.5g}" for name in (*COMPARED, "wall_seconds"))
    print(f"{mode}, seed {seed}: best epoch {row['epoch']:.0f}, {said}", flush=True)
    return row


def best_row(history: Path) -> Row:
    """Return a training's best epoch on `val`: `epoch`, `val_*`, and `start_*` of epoch 0.

    Raises:
        BenchmarkError: If the file does not name one best epoch, lacks a quantity or has one
            that is not finite, or if the best is the start: nothing was trained.
    """
    with history.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    best = [row for row in rows if row.get("best") == "1"]
    if len(best) != 1:
        raise measure.BenchmarkError(f"{history}: {len(best)} best epochs, not one")
    row = {"epoch": _number(history, best[0], "epoch")}
    if row["epoch"] == 0:
        raise measure.BenchmarkError(f"{history}: no epoch was better than the start")
    for term in TERMS:
        row[f"start_{term}"] = _number(history, rows[0], f"val_{term}")
        row[f"val_{term}"] = _number(history, best[0], f"val_{term}")
    return row


def _number(path: Path, row: Mapping[str, str], name: str) -> float:
    try:
        value = float(row[name])
    except (KeyError, TypeError, ValueError):
        value = math.nan
    if not math.isfinite(value):
        raise measure.BenchmarkError(f"{path}: {name} is {row.get(name)!r}, not a number")
    return value


def kept(folder: Path) -> Row:
    """Return what the trained weights do on `val` in float32, as `kept_*`."""
    with contextlib.chdir(folder):
        params, checkpoint = load_params(paths.PARAMS), paths.checkpoint(RUN)
        task, _ = prepared(params, RUN)
        assert isinstance(task, CodecTask)
        assert task.reader
        task.codec = placed(load_codec(checkpoint)[0])
        task.forward = task.codec
        classifier = placed(load_classifier(checkpoint, params.classifier)[0])
        task.reader = replace(task.reader, classifier=classifier)
        batches = shards.split_batches(paths.SHARDS_MANIFEST, "val", params.evaluate.batch_size)
        found = task.evaluate(batches)
    return {f"kept_{term}": found[term] for term in TERMS}


def compared(rows: Rows) -> Row:
    """Print every quantity of every mode; return the flat table."""
    table: Row = {"seeds": len(rows[REFERENCE])}
    for quantity in COMPARED:
        start = rows[REFERENCE][0][f"start_{quantity.partition('_')[2]}"]
        table[f"start_{quantity}"] = start
        print(f"{quantity:14} before training    {start:9.5g}")
        reference = spread(rows[REFERENCE], quantity)
        for mode in rows:
            found = spread(rows[mode], quantity)
            table |= _named(f"{mode}_{quantity}", found)
            verdict = ""
            if mode != REFERENCE:
                apart = Spread(differences(reference, found))
                same = equal(reference, found)
                table |= _named(f"{mode}_{quantity}_difference", apart)
                table[f"{mode}_{quantity}_equal"] = float(same)
                verdict = f", {apart.mean:+.2g} ({_range(apart)} seed by seed): "
                verdict += "equal within spread" if same else "NOT equal within spread"
            print(f"{quantity:14} {mode:18} {found}{verdict}")
    return table | _seconds(rows)


def _seconds(rows: Rows) -> Row:
    table: Row = {}
    for quantity in ("wall_seconds", "cpu_seconds"):
        for mode in rows:
            found = spread(rows[mode], quantity)
            print(f"{quantity:14} {mode:18} {found}")
            table |= _named(f"{mode}_{quantity}", found)
    return table


def spread(rows: Sequence[Row], quantity: str) -> Spread:
    """Return one quantity over the seeds."""
    return Spread(tuple(row[quantity] for row in rows))


def differences(reference: Spread, other: Spread) -> tuple[float, ...]:
    """Return `other` minus `reference`, seed by seed."""
    return tuple(b - a for a, b in zip(reference.values, other.values, strict=True))


def equal(reference: Spread, other: Spread) -> bool:
    """Return whether the means are no further apart than the larger of the two spreads."""
    return abs(other.mean - reference.mean) <= max(reference.width, other.width)


def _named(name: str, found: Spread) -> Row:
    ends = {f"{name}_min": min(found.values), f"{name}_max": max(found.values)}
    return {f"{name}_mean": found.mean} | ends


def _range(found: Spread) -> str:
    return f"{min(found.values):+.2g} to {max(found.values):+.2g}"


if __name__ == "__main__":
    sys.exit(main())
