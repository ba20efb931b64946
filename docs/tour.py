"""One drawn face through the whole pipeline: the numbers and pictures of docs/tour.md.

    python docs/tour.py            print the numbers, step by step
    python docs/tour.py --write    put them into docs/tour.md, and its pictures into docs/images

The stages run as the workflow runs them, on 31 test pictures in a folder of its own, with the
committed weights of the demo. Picture 1 of its test set is picture 1 of the demo's.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.parquet as pq
import torch
import yaml
from matplotlib.figure import Figure
from PIL import Image
from torch import Tensor

from mien import paths
from mien.classifier.resnet18 import Classifier, load_classifier
from mien.codec.archive import read_archive
from mien.codec.container import CODEC_BYTES, Container
from mien.codec.hyperprior import ONE, hyper_synthesis
from mien.codec.stream import Latents, Loaded, load_coder
from mien.data import shards
from mien.data.faces import draw_face
from mien.data.pictures import resized, rgb
from mien.data.shard_access import read_manifest
from mien.expressions import EXPRESSIONS
from mien.metrics.temperature import probabilities
from mien.params import Params
from mien.report import style
from mien.report.bits import BitMap, Mapped, bit_maps
from mien.runs import PRETRAINED, Run
from mien.stages import decode, encode, faces, ingest, pretrain, shard
from mien.tensors import below, load_tensors
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse

ROOT = Path(__file__).resolve().parent.parent
PAGE, IMAGES = ROOT / "docs/tour.md", ROOT / "docs/images"
RUN = Run(PRETRAINED, "q3")
NUMBER, KEY = 1, "test-000001"
TEST = 31  # the fewest drawn pictures among which picture 1 has the demo's label
DPI = 150
MARKED = re.compile(r"<!-- tour: (\w+) -->\n.*?<!-- end -->", re.DOTALL)

Lines = list[tuple[str, str]]  # what is told, and the number
Picture = npt.NDArray[np.uint8]  # [H, W, 3]


@dataclass(frozen=True)
class Seen:
    """The picture, and the models that see it."""

    params: Params
    source: Path  # the JPEG
    raw: Picture  # as the shard holds it
    x: Tensor  # float32 [1, 3, H, W] in [0, 1]
    label: int
    loaded: Loaded
    classifier: Classifier
    latents: Latents


def main(argv: Sequence[str] | None = None) -> int:
    """Print the numbers, or write them where the page has its marks; return 0."""
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--write", action="store_true", help="into docs/tour.md and images")
    args = options.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        seen = followed(Path(folder))
        with chdir(folder):
            blocks = told(seen)
            if args.write:
                draw(seen, IMAGES)
    if args.write:
        PAGE.write_text(filled(PAGE.read_text(encoding="utf-8"), blocks), encoding="utf-8")
    else:
        print("\n\n".join(f"{name}\n{block}" for name, block in blocks.items()))
    return 0


def followed(folder: Path) -> Seen:
    """Run the stages in an empty folder; return the picture that is followed."""
    params = params_of(ROOT)
    with chdir(folder):
        faces.draw(params, workers=1)
        ingest.ingest(params, workers=1)
        shard.shard(params, workers=1)
        pretrain.pretrain_codec(params, 3)
        pretrain.pretrain_classifier(params)
        encode.encode(params, RUN)
        decode.decode(params, RUN)
        batch = shards.read_split(paths.SHARDS_MANIFEST, "test", limit=NUMBER + 1)
        image = batch.images[NUMBER : NUMBER + 1]
        loaded = load_coder(paths.codec_of(RUN))
        x = image.float().div(255)
        return Seen(
            params,
            folder / params.data.root / f"val_set/images/{NUMBER}.jpg",
            np.ascontiguousarray(image[0].permute(1, 2, 0).numpy()),
            x,
            int(batch.labels[NUMBER]),
            loaded,
            load_classifier(paths.classifier_of(RUN), params.classifier)[0],
            loaded.coder.analyse(x),
        )


def params_of(root: Path) -> Params:
    """Return the params of the demo's weights, less most pictures, and with its loss."""
    preset = root / "presets/demo-weights.yaml"
    tree = yaml.safe_load(preset.read_text(encoding="utf-8"))
    tree["data"] |= {"faces": {"train": 24, "test": TEST, "seed": 1}, "val_fraction": 0.12}
    tree["codec"]["weights"] = str(root / "weights/demo")
    tree["classifier"]["weights"] = str(root / "weights/demo/classifier.safetensors")
    tree["loss"]["ce"] = 0.5
    return Params.model_validate(tree)


def filled(page: str, blocks: dict[str, str]) -> str:
    """Return the page with every marked block as it is now."""
    return MARKED.sub(
        lambda mark: f"<!-- tour: {mark[1]} -->\n```text\n{blocks[mark[1]]}\n```\n<!-- end -->",
        page,
    )


def told(seen: Seen) -> dict[str, str]:
    """Return the numbers of every step as text; the folder of `followed` is the current one."""
    steps = {
        "drawn": _drawn(seen),
        "indexed": _indexed(),
        "sharded": _sharded(seen),
        "models": _models(seen),
        "latents": _latents(seen),
        "entropy": _entropy(seen),
        "bits": _bits(seen),
        "stream": _stream(seen),
        "decoded": _decoded(seen),
        "read": _read(seen),
        "row": _row(),
        "loss": _loss(seen),
    }
    return {name: _text(lines) for name, lines in steps.items()}


def _text(lines: Lines) -> str:
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:{width}}  {value}" for name, value in lines)


def _drawn(seen: Seen) -> Lines:
    face = draw_face(1, 2 * NUMBER + 1, seen.label, 224)
    units = (f"{unit}: {left:.2f}" for unit, (left, _) in sorted(face.units.items()) if left)
    return [
        ("picture", f"uint8 {list(face.image.shape)}"),
        ("expression", f"{seen.label}, {EXPRESSIONS[seen.label]}"),
        ("action units, left side", ", ".join(units)),
        ("valence, arousal", f"{face.valence:.2f}, {face.arousal:.2f}"),
        (f"val_set/images/{NUMBER}.jpg", f"{seen.source.stat().st_size:,} bytes"),
    ]


def _indexed() -> Lines:
    row = next(r for r in pq.read_table(paths.INDEX).to_pylist() if r["key"] == KEY)
    shown = ("key", "split", "label", "source", "width", "height", "valence", "crop_x")
    return [(name, _short(row[name])) for name in shown]


def _sharded(seen: Seen) -> Lines:
    (entry,) = [e for e in _manifest_shards() if e["name"].startswith("test/")]
    picture = rgb(seen.source.read_bytes(), seen.source)
    again = resized(picture, seen.params.shards.image_size, seen.params.shards.filter)
    _require((again == seen.raw).all(), "the shard holds another picture")
    buffer = io.BytesIO()
    Image.fromarray(seen.raw).save(buffer, "webp", lossless=True, method=0, quality=0)
    pixels = seen.raw.shape[0] * seen.raw.shape[1]
    return [
        (entry["name"], f"{entry['count']} samples, {entry['bytes']:,} bytes"),
        (f"{KEY}.webp", f"{len(buffer.getvalue()):,} bytes, lossless"),
        ("pixels", f"uint8 {list(seen.raw.shape)}, {pixels:,} in all"),
        ("as 8-bit RGB", f"{seen.raw.size:,} bytes"),
    ]


def _manifest_shards() -> list[dict[str, Any]]:
    manifest = read_manifest(paths.SHARDS_MANIFEST)
    return [entry for split in manifest["splits"].values() for entry in split["shards"]]


def _models(seen: Seen) -> Lines:
    tensors, record = load_tensors(paths.codec(3))
    codec = seen.loaded.coder.codec
    count = {name: _count(getattr(codec, name)) for name in ("g_a", "h_a", "h_s", "g_s")}
    table = below(tensors, "exact.table")
    rows = len(table["first"])
    n_classifier = _count(seen.classifier)
    return [
        ("N, M", f"{record['channels'][0]}, {record['channels'][1]}"),
        ("parameters of the codec", f"{_count(codec):,}"),
        *((f"  {name}", f"{n:,}") for name, n in count.items()),
        ("rows of the coding table", f"{rows}: {rows - 64} of z, 64 of y"),
        ("parameters of the classifier", f"{n_classifier:,}"),
    ]


def _latents(seen: Seen) -> Lines:
    y, z = seen.latents.y, seen.latents.z
    return [
        ("x", f"float32 {list(seen.x.shape)}, {seen.x.numel():,} numbers"),
        ("y = g_a(x)", f"float32 {list(y.shape)}, {y.numel():,} numbers"),
        ("z = h_a(y)", f"float32 {list(z.shape)}, {z.numel():,} numbers"),
        ("y, least and most", f"{y.min():.1f}, {y.max():.1f}"),
        ("z, least and most", f"{z.min():.1f}, {z.max():.1f}"),
    ]


def _entropy(seen: Seen) -> Lines:
    symbols = _symbols(seen)
    z, indexes, y = symbols["z"], symbols["indexes"], symbols["y"]
    zeros = 100 * (y == 0).float().mean().item()
    return [
        ("symbols of z", f"{z.numel()}, from {z.min()} to {z.max()}"),
        ("scale index of y", f"{indexes.min()} to {indexes.max()} of 0 to 63"),
        ("of the least scale", f"{100 * (indexes == 0).float().mean().item():.0f} %"),
        ("symbols of y", f"{y.numel():,}, from {y.min()} to {y.max()}"),
        ("of them 0", f"{zeros:.0f} %"),
    ]


def _symbols(seen: Seen) -> dict[str, Tensor]:
    """Return what `ExactEntropy.encode` codes, by the functions that it calls."""
    tensors = load_tensors(paths.codec(3))[0]
    synthesis = hyper_synthesis(below(tensors, "exact.hyper"))
    medians = (synthesis.medians / ONE).float().reshape(1, -1, 1, 1)
    z = torch.round(seen.latents.z - medians).int()
    indexes, means = synthesis(z)
    return {"z": z, "indexes": indexes, "y": torch.round(seen.latents.y - means / ONE).int()}


def _bits(seen: Seen) -> Lines:
    found = seen.loaded.coder.bit_map(seen.latents)
    y, z = found.y[0], found.z[0]
    total = seen.loaded.coder.estimated_bits(seen.latents).item()
    return [
        ("estimate", f"{total:,.0f} bits, {total / 8:.1f} bytes"),
        ("of z", f"{z:,.0f} bits"),
        ("of y", f"{y.sum():,.0f} bits over {y.shape[0]}x{y.shape[1]} places"),
        ("cheapest and dearest place", f"{y.min():.0f} and {y.max():.0f} bits"),
    ]


def _stream(seen: Seen) -> Lines:
    stream = seen.loaded.coder.encode(seen.x).streams[0]
    _require(stream == _archived(), "the archive holds another stream")
    codec = seen.loaded.codec_id[: 2 * CODEC_BYTES]
    height, width = seen.raw.shape[:2]
    n_file = len(Container(codec, width, height, stream).to_bytes())
    estimate = seen.loaded.coder.estimated_bits(seen.latents).item()
    return [
        ("stream", f"{len(stream)} bytes, {8 * len(stream) / (height * width):.4f} bit/pixel"),
        ("over the estimate", f"{100 * (8 * len(stream) / estimate - 1):.1f} %"),
        ("as a .mien file", f"{n_file} bytes"),
        ("under 8-bit RGB", f"{seen.raw.size / len(stream):.0f} times"),
    ]


def _archived() -> bytes:
    table, _ = read_archive(paths.streams(RUN))
    found: bytes = table["stream"].to_pylist()[table["key"].to_pylist().index(KEY)]
    return found


def decoded(seen: Seen) -> Picture:
    """Return x_hat as a receiver stores it, from the archive's bytes."""
    images, _ = seen.loaded.coder.decode([_archived()], *seen.raw.shape[:2])
    return np.ascontiguousarray(images[0].permute(1, 2, 0).numpy())


def _decoded(seen: Seen) -> Lines:
    off = np.abs(decoded(seen).astype(int) - seen.raw.astype(int))
    squared = float((off.astype(float) ** 2).mean())
    return [
        ("x_hat", f"uint8 {list(seen.raw.shape)}"),
        ("off by, mean and most", f"{off.mean():.1f} and {off.max()} of 255"),
        ("mean squared error", f"{squared:.1f}"),
        ("PSNR", f"{10 * np.log10(255**2 / squared):.2f} dB"),
    ]


def _read(seen: Seen) -> Lines:
    raw, from_bytes = readings(seen)
    return [
        ("", "raw    decoded"),
        *(
            (name, f"{100 * a:4.1f} %  {100 * b:4.1f} %")
            for name, a, b in zip(EXPRESSIONS, raw, from_bytes, strict=True)
        ),
    ]


@torch.inference_mode()
def readings(seen: Seen) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return the probability of each expression on the raw and on the decoded picture."""
    pictures = np.stack([seen.raw, decoded(seen)])
    x = torch.from_numpy(pictures).permute(0, 3, 1, 2).float().div(255)
    first, second = probabilities(seen.classifier(x).numpy(), temperature=1.0)
    return first, second


def _row() -> Lines:
    row = next(r for r in pq.read_table(paths.decoded(RUN)).to_pylist() if r["key"] == KEY)
    return [(name, _short(row[name])) for name in row if name != "logits"]


@torch.inference_mode()
def _loss(seen: Seen) -> Lines:
    weights = Weighting.of(seen.params.loss.at(3), seen.params.codec.lambda_of(3))
    codec, labels = seen.loaded.coder.codec, torch.tensor([seen.label])
    out = codec(seen.x)
    logits = seen.classifier(out["x_hat"].clamp(0, 1))
    terms = {
        "bpp": bits_per_pixel(out["likelihoods"], seen.x.numel() // 3),
        "mse": scaled_mse(out["x_hat"], seen.x),
        "ce": torch.nn.functional.cross_entropy(logits, labels),
    }
    factor = {"bpp": weights.bpp, "mse": weights.mse, "ce": weights.ce}
    added = weights.weighted(terms)
    return [
        *(
            (name, f"{terms[name]:.3f} x {factor[name]:g} = {added[name]:.3f}")
            for name in factor
        ),
        ("loss", f"{weights.total(terms):.3f}"),
    ]


def _count(module: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def _short(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise RuntimeError(otherwise)


def draw(seen: Seen, folder: Path) -> None:
    """Write the pictures of the page."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "tour-drawn.jpg").write_bytes(seen.source.read_bytes())
    x_hat = decoded(seen)
    off = np.clip(4 * np.abs(x_hat.astype(int) - seen.raw.astype(int)), 0, 255)
    strip = np.concatenate([seen.raw, x_hat, off.astype(np.uint8)], axis=1)
    Image.fromarray(strip).save(folder / "tour-decoded.png", optimize=True)
    for name, figure in _figures(seen):
        figure.savefig(folder / name, dpi=DPI, metadata={"Software": None})


def _figures(seen: Seen) -> Iterator[tuple[str, Figure]]:
    found = seen.loaded.coder.bit_map(seen.latents)
    mapped = BitMap(found.y[0].double().numpy(), float(found.z[0]))
    with style.applied():
        yield "tour-latents.png", _latents_figure(seen.latents)
        name = f"{RUN.strategy}/{RUN.setting}"
        yield "tour-bits.png", bit_maps([Mapped(seen.label, seen.raw, {name: mapped})])
        yield "tour-read.png", _read_figure(*readings(seen))


def _latents_figure(latents: Latents) -> Figure:
    figure = style.new_figure(style.PAGE_CM, 7.0)
    parts = figure.subfigures(1, 2, width_ratios=[8, 4.2])
    for part, latent, columns, name in (
        (parts[0], latents.y[0], 8, "y"),
        (parts[1], latents.z[0], 6, "z"),
    ):
        axes = part.subplots(1, 1)
        most = float(latent.abs().max())
        shown = axes.imshow(_tiled(latent, columns), cmap="RdBu_r", vmin=-most, vmax=most)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        channels, height, width = latent.shape
        axes.set_title(f"{name}: {channels} channels of {height}x{width}", fontsize=7.5)
        part.colorbar(shown, ax=axes, shrink=0.8)
    return figure


def _tiled(latent: Tensor, columns: int) -> npt.NDArray[np.float32]:
    """Return the channels of [C, h, w] row by row, each 8 places wide and a gap about it."""
    scale = 8 // latent.shape[1]
    tiles = np.kron(latent.numpy(), np.ones((1, scale, scale), np.float32))
    tiles = np.pad(tiles, ((0, -len(tiles) % columns), (0, 1), (0, 1)), constant_values=np.nan)
    rows = tiles.reshape(-1, columns, *tiles.shape[1:])
    return np.concatenate([np.concatenate(list(row), axis=1) for row in rows], axis=0)


def _read_figure(raw: npt.NDArray[np.float64], coded: npt.NDArray[np.float64]) -> Figure:
    figure = style.new_figure(style.COLUMN_CM, 4.5)
    axes = figure.subplots()
    at = np.arange(len(EXPRESSIONS))
    axes.bar(at - 0.2, 100 * raw, 0.38, color=style.GREY, label="raw")
    axes.bar(at + 0.2, 100 * coded, 0.38, color=style.BLUE, label="decoded")
    axes.set_xticks(at, EXPRESSIONS, rotation=40)
    axes.set_ylabel("Probability [%]")
    axes.legend()
    return figure


if __name__ == "__main__":
    sys.exit(main())
