"""The codecs that benchmarks/streams.py measures, made anew: about an hour on one core.

    python benchmarks/codecs.py [--folder work/bench-codecs]

mbt2018-mean of half the zoo's width, trained on 2,400 drawn faces of 256x256 for rate and MSE
until their streams are about 0.04, 0.1 and 0.3 bit/pixel; benchmarks/codecs.yaml is the whole
recipe. The first two are committed, in half precision, as weights/bench.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import shutil
import subprocess

import torch
import yaml

from mien.codec.model import Codec, make_tables, new_codec
from mien.stages.pack import pack_one

ROOT = Path(__file__).resolve().parent.parent
RECIPE = ROOT / "benchmarks/codecs.yaml"
WEIGHTS = ROOT / "weights/bench"
SETTINGS = {"low": "q1-mse0.4", "mid": "q2", "high": "q2-mse6"}
HIGH = {"quality": 2, "bpp": [1.0], "mse": [6.0], "ce": [0.0]}  # the sweep `high` belongs to
COMMITTED = ("low", "mid")


def trained(folder: Path) -> None:
    """Train the codecs in a folder; what is finished there is not made again."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(RECIPE, folder / "params.yaml")
    recipe = yaml.safe_load(RECIPE.read_text())
    (folder / "high.yaml").write_text(yaml.safe_dump(recipe | {"sweep": HIGH}))
    shutil.copytree(ROOT / "weights", folder / "weights", dirs_exist_ok=True)
    stages = [["faces"], ["ingest"], ["shard"], ["pretrain-classifier"]]
    stages += [["pretrain-codec", quality] for quality in ("2", "1")]
    for name, setting in SETTINGS.items():
        params = "high.yaml" if name == "high" else "params.yaml"
        stages.append(["finetune", "compression-only", setting, "--params", params])
    for stage in stages:
        subprocess.run([sys.executable, "-m", "mien.cli", *stage], cwd=folder, check=True)


def widened(codec: Codec, channels: tuple[int, int]) -> Codec:
    """Return a wider codec that computes the same: it costs what the zoo's does.

    The further channels of y are 0 and those of z sit at a median: dead channels, of which
    trained codecs of low rates have many.
    """
    wide = new_codec(channels)
    with torch.no_grad():
        for (name, small), large in zip(
            codec.named_parameters(), wide.parameters(), strict=True
        ):
            if name.startswith("entropy_bottleneck"):
                surest = _surest_channel(codec)
                large.copy_(small[surest : surest + 1].expand_as(large))
            elif not name.endswith(("beta", "gamma")):  # those of GDN start as a diagonal
                large.zero_()
            halves = 2 if name.startswith("h_s.4.") else 1  # scales, means
            for half in range(halves):
                part = small.chunk(halves)[half]
                place = large.chunk(halves)[half]
                place[tuple(slice(n) for n in part.shape)].copy_(part)
        bias = wide.h_a[-1].bias
        surest = _surest_channel(codec)
        bias[codec.N :] = codec.entropy_bottleneck.quantiles[surest, 0, 1]
    make_tables(wide)
    return wide.eval()


def _surest_channel(codec: Codec) -> int:
    """Return the channel of z whose median is likeliest."""
    bottleneck = codec.entropy_bottleneck
    return int(bottleneck._likelihood(bottleneck.quantiles[:, :, 1:2])[0].argmax().item())


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    options.add_argument("--folder", type=Path, default=Path("work/bench-codecs"))
    folder: Path = options.parse_args().folder
    trained(folder)
    for name in COMMITTED:
        run = folder / "results/compression-only" / SETTINGS[name]
        pack_one(run / "checkpoint.safetensors", WEIGHTS / f"{name}.safetensors")


if __name__ == "__main__":
    main()
