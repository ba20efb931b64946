"""Encoding and decoding against CompressAI's own `compress` and `decompress`.

    python benchmarks/streams.py [--quick] [--json FILE]

Same codec (the demo's quality 3), same faces, batches of 16, one process, in turn; medians
of the rounds with their spread. A ratio is our throughput over the peer's: more is better.
`bytes_over_compressai` is a ratio of bytes, its two strings against our one stream: less is
better.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import parser, ratio, write_results
from mien.codec.model import load_codec
from mien.codec.stream import StreamCoder
from mien.data.faces import draw_face

WEIGHTS = Path(__file__).parent.parent / "weights/demo/codec-q3.safetensors"
BATCH = 16


def pictures(count: int, size: int) -> torch.Tensor:
    """Return drawn faces, float32 [count, 3, size, size] in [0, 1]."""
    faces = [draw_face(11, index, index % 8, size).image for index in range(count)]
    return torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float().div(255)


def seconds(action: Callable[[], object]) -> float:
    start = time.perf_counter()
    action()
    return time.perf_counter() - start


def in_turn(
    peer: Callable[[], object], ours: Callable[[], object], rounds: int
) -> tuple[list[float], list[float]]:
    """Return seconds of each after one round that is not counted."""
    seconds(peer), seconds(ours)
    pairs = [(seconds(peer), seconds(ours)) for _ in range(rounds)]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]


@torch.inference_mode()
def measure(count: int, size: int, rounds: int) -> dict[str, float]:
    """Return the flat table of ratios and print it."""
    codec, _ = load_codec(WEIGHTS)
    coder = StreamCoder(codec)
    batches = pictures(count, size).split(BATCH)
    theirs = [codec.compress(x) for x in batches]
    ours = [coder.encode(x).streams for x in batches]
    encode = in_turn(
        lambda: [codec.compress(x) for x in batches],
        lambda: [coder.encode(x) for x in batches],
        rounds,
    )
    decode = in_turn(
        lambda: [codec.decompress(out["strings"], out["shape"]) for out in theirs],
        lambda: [coder.decode(streams, size, size) for streams in ours],
        rounds,
    )
    their_bytes = sum(len(s) for out in theirs for strings in out["strings"] for s in strings)
    our_bytes = sum(len(stream) for streams in ours for stream in streams)
    print(f"{count} faces of {size}x{size}, {rounds} rounds, {torch.get_num_threads()} threads")
    return {
        "encode_fp32": row("encode", count, *encode),
        "decode_fp32": row("decode", count, *decode),
        "bytes_over_compressai": our_bytes / their_bytes,
    }


def row(name: str, count: int, peer: list[float], ours: list[float]) -> float:
    """Print one line; return the median of the ratios, round by round."""
    per_image = ([seconds / count for seconds in side] for side in (peer, ours))
    return ratio(name, "CompressAI", *per_image, "img/s")


def main() -> None:
    args = parser(__doc__).parse_args()
    count, rounds = (48, 5) if args.quick else (192, 9)
    table = measure(count, 256, rounds)
    print(f"bytes    mien over CompressAI {table['bytes_over_compressai']:.4f}")
    write_results(args.json, table, torch.get_num_threads())


if __name__ == "__main__":
    main()
