"""What one picture costs in every stage: what `mien plan` and docs/scale.md count with.

    python benchmarks/costs.py [--quick] [--json FILE] [--speeds FILE] [--only PREFIX]

CPU seconds of one thread, user and system, which a busy machine changes less than wall seconds;
on a GPU wall seconds of the networks alone. The least of the rounds: what disturbs only adds.
Pictures of 256x256, the zoo's two shapes of codec with random weights, ResNet-18 at 224x224,
float32, uncompiled. `--speeds benchmarks/speeds.csv` puts the numbers into that file, each with
this machine, commit and command, in place of the same keys of the same device.
"""

from __future__ import annotations

import csv
import hashlib
import math
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import numpy as np
import torch

from benchmarks import measure, steps, workspace
from benchmarks.start import QUICK
from benchmarks.train import machine
from mien.classifier.resnet18 import Classifier
from mien.codec import classic
from mien.codec.model import Codec, make_tables, new_codec
from mien.codec.stream import coder_of
from mien.data.shards import Batch
from mien.device import device, placed, seconds
from mien.errors import MienError
from mien.files import replacing
from mien.metrics.distortion import psnr
from mien.metrics.similarity import ms_ssim
from mien.provenance import source_commit
from mien.runs import CLASSIC
from mien.tensors import save_tensors, under
from mien.training import inputs, optimizers
from mien.training.classifier_task import ClassifierTask
from mien.training.reader import Reader

SIZE = 256
CHANNELS = ((128, 192), (192, 320))
CLASSIC_QUALITY = 30
BATCH = 4
FIELDS = ("key", "value", "unit", "device", "machine", "commit", "command")
FEW, DRAWN = 16, 512  # pictures: a start less or more is little beside so many
STARTS = 3
UNITS = {"bytes": "B", "gigabyte": "s/GB", "start": "s/job"}  # by the key's last word
Work = Callable[[], object]  # on BATCH pictures


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    options = measure.parser(__doc__)
    options.add_argument("--speeds", type=Path, metavar="FILE", help="put the numbers there")
    options.add_argument("--only", default="", metavar="PREFIX", help="of the keys")
    args = options.parse_args(argv)
    torch.set_num_threads(1)
    print(f"{machine()}; load {os.getloadavg()[0]:.1f} before the start", flush=True)
    try:
        rounds, images = (2, 1500) if args.quick else (5, 5000)
        table = numbers(rounds, images, args.only)
        measure.write_results(args.json, table, threads=1)
        if args.speeds:
            quick = " --quick" if args.quick else ""
            put_into(args.speeds, table, f"python benchmarks/costs.py{quick}")
    except MienError as error:
        print(f"benchmarks/costs.py: {error}", file=sys.stderr)
        return 2
    return 0


def numbers(rounds: int, images: int, only: str = "") -> dict[str, float]:
    """Return seconds a picture by key, and bytes by keys that end in `_bytes`."""
    table: dict[str, float] = {}
    for key, work in works():
        if not key.startswith(only):
            continue
        work()  # what is loaded or compiled once
        table[key] = min(_taken(work) for _ in range(rounds)) / BATCH
        print(f"{key:28} {1000 * table[key]:10.2f} ms a picture", flush=True)
    if device().type == "cuda":
        return table  # the rest is the CPU's work
    parts: dict[str, Callable[[Path], dict[str, float]]] = {
        "md5_gigabyte": _hashes,
        "codec_": _files,
        "draw": partial(_data, images=images),
    }
    with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as name:
        for prefix, part in parts.items():
            if prefix.startswith(only):
                table |= part(Path(name))
    return table


def works() -> Iterator[tuple[str, Work]]:
    """Yield what is timed, each made when its turn comes."""
    faces = steps.drawn(BATCH, SIZE)
    batch = Batch([f"face-{i}" for i in range(BATCH)], torch.arange(BATCH) % 8, faces)
    for N, M in CHANNELS:
        work = steps.Work((N, M), faces)
        for kind in (None, "frozen", "joint"):
            step = steps.ours(work, steps.Variant(classifier=kind))
            yield f"train_{kind or 'rate'}_n{N}", partial(step, 1)
        codec = _codec((N, M))
        yield (
            f"train_read_n{N}",
            partial(_classifier_task(inputs.decoded(codec)).step, batch, 1),
        )
        task = steps._task(work, steps.Variant(classifier="frozen"))
        yield f"look_codec_n{N}", partial(task.evaluate, [batch])
        yield from _coding(codec, faces, N)
    task_alone = _classifier_task(inputs.raw)
    yield "train_classifier", partial(task_alone.step, batch, 1)
    yield "classify", partial(task_alone.evaluate, [batch])
    if device().type == "cpu":
        yield "distortion", partial(_distortion, faces)
        yield from _classic(faces)


def _coding(codec: Codec, faces: torch.Tensor, N: int) -> Iterator[tuple[str, Work]]:
    make_tables(codec.cpu())
    coder = coder_of(placed(codec))
    x = inputs.raw(faces)
    coded = coder.write(coder.analyse(x))

    def encode() -> object:
        latents = coder.analyse(x)
        return coder.write(latents), coder.estimated_bits(latents)

    yield f"encode_n{N}", encode
    yield f"decode_n{N}", partial(coder.decode, coded.streams, SIZE, SIZE)


def _classic(faces: torch.Tensor) -> Iterator[tuple[str, Work]]:
    pictures = [np.ascontiguousarray(face.permute(1, 2, 0).numpy()) for face in faces]
    for codec in CLASSIC:
        if classic.missing([codec]):
            print(f"{codec}: its library is not installed: not measured")
            continue
        files = [classic.encode(codec, picture, CLASSIC_QUALITY) for picture in pictures]
        name = codec.replace("-", "_")
        yield (
            f"encode_{name}",
            lambda codec=codec: [classic.encode(codec, p, CLASSIC_QUALITY) for p in pictures],
        )
        yield (
            f"decode_{name}",
            lambda codec=codec, files=files: [
                classic.decode(codec, data, SIZE, SIZE) for data in files
            ],
        )


def _codec(channels: tuple[int, int]) -> Codec:
    torch.manual_seed(0)
    codec: Codec = placed(new_codec(channels))
    return codec.eval()


def _classifier_task(shown: inputs.Shown) -> ClassifierTask:
    network = placed(Classifier(width=64, input_size=224, dropout=0.1))
    reader = Reader(network, "logits", trained=True, update_batch_norm=False)
    groups = optimizers.classifier_groups(network, 3e-5, 1e-2)
    optimizer = optimizers.main_optimizer(groups)
    return ClassifierTask(reader, optimizer, 0.1, lambda images, _: images, shown)


def _distortion(faces: torch.Tensor) -> object:
    other = faces ^ 1
    pairs = zip(faces.numpy(), other.numpy(), strict=True)
    return ms_ssim(faces, other), [psnr(a, b) for a, b in pairs]


def _taken(work: Work) -> float:
    """Return CPU seconds of this process, or seconds of the GPU."""
    clock = time.process_time if device().type == "cpu" else seconds
    start = clock()
    work()
    return clock() - start


def _hashes(_folder: Path) -> dict[str, float]:
    """Return the seconds of a gigabyte's MD5, which DVC knows files by."""
    block = bytes(2**20)
    start = time.process_time()
    digest = hashlib.md5(usedforsecurity=False)
    for _ in range(200):
        digest.update(block)
    table = {"md5_gigabyte": (time.process_time() - start) * 1e9 / (200 * len(block))}
    print(f"{'md5_gigabyte':28} {table['md5_gigabyte']:10.2f} s")
    return table


def _files(folder: Path) -> dict[str, float]:
    """Return the bytes of the models' files."""
    networks = {f"codec_n{N}": new_codec((N, M)) for N, M in CHANNELS}
    networks["classifier"] = Classifier(width=64, input_size=224, dropout=0.1)
    sizes = {}
    for name, network in networks.items():
        path = folder / f"{name}.safetensors"
        save_tensors(path, under(network.state_dict(), name), {})
        sizes[f"{name}_bytes"] = path.stat().st_size
    return sizes


def _data(folder: Path, images: int) -> dict[str, float]:
    """Return what drawing, ingest and shard cost a picture, their start taken off."""
    drawn = [_drawn(folder, count) for count in (FEW, DRAWN)]
    few, many = (
        workspace.of_copies(folder / f"{count}", folder / f"drawn-{DRAWN}", count, FEW)
        for count in (FEW, images)
    )
    costs = {"draw": measure.net_seconds(drawn[1], DRAWN, drawn[0], FEW)}
    for stage, run in {
        "ingest": lambda made: made.ingest(1),
        "shard": lambda made: made.shard(1, {}),
    }.items():
        costs[stage] = measure.net_seconds(run(many), images + FEW, run(few), 2 * FEW)
    shards = (path.stat().st_size for path in many.shards.rglob("*") if path.is_file())
    costs["shard_bytes"] = sum(shards) / (images + FEW)
    costs["index_bytes"] = many.index.stat().st_size / (images + FEW)
    started = [sys.executable, "-W", "ignore", "-c", QUICK]  # as a job's command starts
    costs["start"] = min(measure.run(started, folder).cpu_seconds for _ in range(STARTS))
    for key, value in costs.items():
        print(f"{key:28} {value:10.4f} {UNITS.get(key.rpartition('_')[2], 's/picture')}")
    return costs


def _drawn(folder: Path, count: int) -> measure.Cost:
    """Draw so many faces to train with, and FEW to test with."""
    command = [*workspace.MIEN, "faces", folder / f"drawn-{count}", "--threads", "1"]
    return measure.run([*command, "--train", str(count), "--test", str(FEW)], folder)


def put_into(path: Path, table: dict[str, float], command: str) -> None:
    """Put numbers into a file of speeds, in place of those of the same device."""
    kind = "gpu" if device().type == "cuda" else "cpu"
    kept = []
    if path.is_file():
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        kept = [
            row for row in rows if (row["device"], row["key"]) not in {(kind, k) for k in table}
        ]
    facts = {
        "device": kind,
        "machine": f"{machine()}, load {os.getloadavg()[0]:.1f}",
        "commit": source_commit(),
        "command": command,
    }
    for key, value in table.items():
        unit = UNITS.get(key.rpartition("_")[2], "s/picture")
        kept.append({"key": key, "value": _rounded(value), "unit": unit, **facts})
    with (
        replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.DictWriter(file, FIELDS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)


def _rounded(value: float) -> str:
    """Return four significant digits."""
    return f"{value:.{max(0, 3 - math.floor(math.log10(value)))}f}" if value > 0 else "0"


if __name__ == "__main__":
    sys.exit(main())
