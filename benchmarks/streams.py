"""Bitstreams against CompressAI's own: their bytes, and how long they take.

    python benchmarks/streams.py [--quick] [--json FILE] [--high CHECKPOINT]

Bytes: the committed codecs of benchmarks/codecs.py on drawn faces they were not trained on; the
peer is the sum of the strings of CompressAI's `compress`. Measures are added one by one, and a
share is what the streams shrink by when that one comes to those before it.

Speed: the low codec widened to N, M = 128, 192, so that the networks cost what the zoo's do.
The peer is `inference` of CompressAI's `eval_model`, which codes one picture at a time, by its
own clock; `coder_chain` is all between y, z and y_hat, h_s included. Both sides with the same
threads, in turn; `fast` is `evaluate.precision: fast`, whose streams and pictures are compared
with those of float32, too. A ratio is our throughput over the peer's, the median of the rounds
with the lowest and the highest: more is better. Ratios of bytes: less is better.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import copy
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from compressai.entropy_models import EntropyModel

from benchmarks.codecs import COMMITTED, WEIGHTS, widened
from benchmarks.measure import parser, ratio, write_results
from mien.codec import rans
from mien.codec.exact import ExactEntropy
from mien.codec.model import Codec, load_codec
from mien.codec.stream import Latents, StreamCoder, coder_of
from mien.codec.tables import Table
from mien.data.faces import draw_face
from mien.device import placed

BATCH = 16
SIZE = 256
SEED = 11  # of the faces; no codec was trained on them
ZOO = (128, 192)


def pictures(count: int, size: int) -> torch.Tensor:
    """Return drawn faces, float32 [count, 3, size, size] in [0, 1]."""
    faces = [draw_face(SEED, index, index % 8, size).image for index in range(count)]
    return torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float().div(255)


@dataclass(frozen=True)
class Sizes:
    """Bytes of all pictures together, measure by measure; each has those before it."""

    estimate: float
    compressai: int
    one_stream: int  # z and y in one stream, small state, trimmed
    nearest: int  # the nearest scale, not the next larger one
    tables: int  # rows as long as the tails of latents
    integers: int  # the exact hyper-synthesis: what mien writes
    fast: int  # the same, with g_a and h_a in the fast mode
    psnr: tuple[float, float, float]  # CompressAI's, ours, and of the fast mode both ways, dB


def sizes(codec: Codec, batches: Sequence[torch.Tensor]) -> Sizes:
    """Return what the streams of one codec take."""
    coder, fast = coder_of(codec), coder_of(codec, precision="fast")
    entropy = coder.entropy
    assert isinstance(entropy, ExactEntropy)
    stock_table = _stock_table(codec)
    total = np.zeros(7)
    errors: list[list[float]] = [[], [], []]
    for x in batches:
        latents = coder.analyse(x)
        with torch.inference_mode():
            theirs = codec.compress(x)
            x_hat = codec.decompress(theirs["strings"], theirs["shape"])["x_hat"]
        coded = coder.write(latents)
        ours, _ = coder.decode(coded.streams, *x.shape[-2:])
        quick = fast.encode(x)
        others, _ = fast.decode(quick.streams, *x.shape[-2:])
        variants = [
            _streams(codec, latents, stock_table, nearest=False),
            _streams(codec, latents, stock_table, nearest=True),
            _streams(codec, latents, entropy.table, nearest=True),
            coded.streams,
            quick.streams,
        ]
        total += [
            coder.estimated_bits(latents).double().sum().item() / 8,
            sum(len(string) for strings in theirs["strings"] for string in strings),
            *(sum(map(len, streams)) for streams in variants),
        ]
        decoded = (x_hat.mul(255).round(), ours.float(), others.float())
        for seen, pixels in zip(errors, decoded, strict=True):
            mse = (pixels - 255 * x).square().mean(dim=(1, 2, 3))
            seen += (10 * torch.log10(255**2 / mse)).tolist()
    theirs, ours, quick = map(statistics.mean, errors)
    return Sizes(float(total[0]), *map(int, total[1:]), psnr=(theirs, ours, quick))


@torch.inference_mode()
def _streams(codec: Codec, latents: Latents, table: Table, nearest: bool) -> list[bytes]:
    """Return streams by our coder, of CompressAI's symbols, from h_s in float32."""
    medians = codec.entropy_bottleneck._get_medians().reshape(1, -1, 1, 1)
    z = codec.entropy_bottleneck.quantize(latents.z, "symbols", medians)
    z_hat = codec.entropy_bottleneck.dequantize(z, medians)
    scales, means = codec.h_s(z_hat).chunk(2, 1)
    y = codec.gaussian_conditional.quantize(latents.y, "symbols", means)
    if nearest:
        levels = codec.gaussian_conditional.scale_table
        middles = (levels[:-1] * levels[1:]).sqrt()
        indexes = torch.bucketize(scales.contiguous(), middles)
    else:
        indexes = codec.gaussian_conditional.build_indexes(scales)
    z_rows = torch.arange(codec.N).reshape(1, -1, 1, 1).expand_as(z)
    symbols = torch.cat([z.flatten(1), y.flatten(1)], 1).int().numpy()
    rows = torch.cat([z_rows.flatten(1), indexes.flatten(1) + codec.N], 1).int().numpy()
    return [rans.encode(s, r, table) for s, r in zip(symbols, rows, strict=True)]


def _stock_table(codec: Codec) -> Table:
    """Return CompressAI's rows, z's and then y's, for our coder."""
    models: list[EntropyModel] = [codec.entropy_bottleneck, codec.gaussian_conditional]
    rows = [
        row[:length]
        for model in models
        for row, length in zip(
            model._quantized_cdf.numpy(), model._cdf_length.reshape(-1).tolist(), strict=True
        )
    ]
    first = np.concatenate([model._offset.reshape(-1).numpy() for model in models])
    starts = np.cumsum([0, *map(len, rows)])
    return Table(
        np.concatenate(rows).astype(np.int32), starts.astype(np.int32), first, 0 * first
    )


def print_sizes(name: str, found: Sizes, n: int) -> dict[str, float]:
    """Print one codec's bytes; return its ratios."""
    rate = 8 * found.estimate / n / SIZE**2
    print(f"\n{name}: {rate:.4f} bit/pixel estimated, {found.estimate / n:.1f} bytes a picture")
    steps = {
        "CompressAI's strings": found.compressai,
        "+ one stream, small trimmed state": found.one_stream,
        "+ nearest scale": found.nearest,
        "+ tables of our own": found.tables,
        "+ integer hyper-synthesis = mien": found.integers,
    }
    before = found.compressai
    for label, n_bytes in steps.items():
        share = 100 * (n_bytes - before) / found.compressai
        print(
            f"  {label:34} {n_bytes / n:8.1f} bytes, {n_bytes / found.estimate:.4f} of the "
            f"estimate, {share:+.2f} %"
        )
        before = n_bytes
    print(
        f"  mien over CompressAI {found.integers / found.compressai:.4f}; "
        f"PSNR {found.psnr[1]:.3f} dB, CompressAI's {found.psnr[0]:.3f} dB"
    )
    more, better = found.fast / found.integers - 1, found.psnr[2] - found.psnr[1]
    print(f"  fast over float32 {100 * more:+.4f} % bytes, PSNR {better:+.5f} dB", flush=True)
    return {
        f"bytes_over_compressai_{name}": found.integers / found.compressai,
        f"real_over_estimate_{name}": found.integers / found.estimate,
        f"compressai_over_estimate_{name}": found.compressai / found.estimate,
        f"bpp_{name}": rate,
        f"psnr_difference_{name}": found.psnr[1] - found.psnr[0],
        f"bytes_fast_over_fp32_{name}": 1 + more,
        f"psnr_fast_difference_{name}": better,
    }


def speeds(codec: Codec, x: torch.Tensor, rounds: int) -> dict[str, float]:
    """Return the ratios of speed, and print them."""
    threads = torch.get_num_threads()
    from compressai.utils.eval_model.__main__ import inference

    torch.set_num_threads(threads)  # importing eval_model sets one
    ours_in_order = placed(copy.deepcopy(codec))
    exact, fast = coder_of(ours_in_order), coder_of(ours_in_order, precision="fast")
    batches = x.split(BATCH)
    latents = [exact.analyse(batch) for batch in batches]
    streams = [exact.write(part).streams for part in latents]

    def decode(coder: StreamCoder, coded: list[list[bytes]]) -> None:
        for part in coded:
            coder.decode(part, *x.shape[-2:])

    def chain() -> None:
        for part in latents:
            exact.entropy.decode(exact.write(part).streams, (SIZE // 64, SIZE // 64))

    ours: dict[str, Callable[[], object]] = {
        "encode_fp32": lambda: [exact.encode(batch) for batch in batches],
        "decode_fp32": lambda: decode(exact, streams),
        "encode_fast": lambda: [fast.encode(batch) for batch in batches],
        "decode_fast": lambda: decode(fast, streams),
        "coder_chain": chain,
    }
    seen: dict[str, list[float]] = {name: [] for name in ours}
    peers: dict[str, list[float]] = {"encode": [], "decode": [], "coder": []}
    for index in range(rounds + 1):
        outs = [inference(codec, picture) for picture in x]
        one = [
            _chain_seconds(codec, Latents(y[None], z[None]))
            for part in latents
            for y, z in zip(part.y, part.z, strict=True)
        ]
        taken = {name: _seconds(action) / len(x) for name, action in ours.items()}
        if index == 0:
            continue  # a round to warm up
        peers["encode"].append(statistics.fmean(out["encoding_time"] for out in outs))
        peers["decode"].append(statistics.fmean(out["decoding_time"] for out in outs))
        peers["coder"].append(statistics.fmean(one))
        for name, value in taken.items():
            seen[name].append(value)
    print(
        f"\n{len(x)} faces of {SIZE}x{SIZE}, N, M = {ZOO}, {rounds} rounds, {threads} threads"
    )
    return {
        name: ratio(name, "eval_model", peers[name.partition("_")[0]], values, "img/s")
        for name, values in seen.items()
    }


@torch.inference_mode()
def _chain_seconds(codec: Codec, latents: Latents) -> float:
    """Return what CompressAI's `compress` and `decompress` take without g_a, h_a and g_s."""
    bottleneck, conditional = codec.entropy_bottleneck, codec.gaussian_conditional
    start = time.perf_counter()
    z_strings = bottleneck.compress(latents.z)
    z_hat = bottleneck.decompress(z_strings, latents.z.shape[-2:])
    scales, means = codec.h_s(z_hat).chunk(2, 1)
    indexes = conditional.build_indexes(scales)
    y_strings = conditional.compress(latents.y, indexes, means=means)
    z_hat = bottleneck.decompress(z_strings, latents.z.shape[-2:])
    scales, means = codec.h_s(z_hat).chunk(2, 1)
    indexes = conditional.build_indexes(scales)
    conditional.decompress(y_strings, indexes, means=means)
    return time.perf_counter() - start


def _seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--high", type=Path, help="a codec of a higher rate, for the bytes")
    args = options.parse_args()
    count, timed, rounds = (160, 32, 3) if args.quick else (480, 64, 9)
    x = pictures(count, SIZE)
    paths = {name: WEIGHTS / f"{name}.safetensors" for name in COMMITTED}
    paths |= {"high": args.high} if args.high else {}
    table: dict[str, float] = {"n": count}
    codecs = {name: load_codec(path)[0] for name, path in paths.items()}
    print(f"{count} drawn faces of {SIZE}x{SIZE}")
    for name, codec in codecs.items():
        table |= print_sizes(name, sizes(codec, x.split(BATCH)), count)
    table["bytes_over_compressai"] = table["bytes_over_compressai_low"]
    table |= speeds(widened(codecs["low"], ZOO), x[:timed], rounds)
    write_results(args.json, table, torch.get_num_threads())


if __name__ == "__main__":
    main()
