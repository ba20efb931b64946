"""Whether what is decoded depends on how it is computed: our integers, CompressAI's floats.

    python benchmarks/machines.py [--quick] [--json FILE]

One process encodes 64 drawn faces with a trained codec. Others then take up the same symbols of
z under other batches, threads, orders in memory, instruction sets and without oneDNN. Counted
are pictures in which a scale index, a mean or a symbol of y that is read from the stream
differs: with mien's integers, and, in the second column, with CompressAI's float32 h_s and
indexes, where one such picture is ruined. The last row is an independent implementation in
numpy.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import dataclasses
import hashlib
import json
import os
import subprocess
import tempfile
from collections.abc import Sequence

import numpy as np
import torch

from benchmarks.codecs import WEIGHTS
from benchmarks.measure import parser, write_results
from benchmarks.streams import SIZE, pictures
from mien.codec import rans
from mien.codec.exact import ExactEntropy
from mien.codec.integers import exported
from mien.codec.model import Codec, load_codec
from mien.codec.stream import coder_of
from mien.tensors import below
from tests.support import integers

CODEC = WEIGHTS / "mid.safetensors"


@dataclasses.dataclass(frozen=True)
class Condition:
    """How a process computes."""

    name: str
    batch: int = 16
    threads: int = 1
    channels_last: bool = False
    onednn: bool = True
    plain: bool = False  # one matrix product a layer, in float64
    environment: tuple[tuple[str, str], ...] = ()


def isa(name: str) -> tuple[tuple[str, str], ...]:
    return (("ONEDNN_MAX_CPU_ISA", name),)


CONDITIONS = (
    Condition("reference"),
    Condition("batch_1", batch=1),
    Condition("batch_3", batch=3),
    Condition("threads_2", threads=2),
    Condition("channels_last", channels_last=True),
    Condition("no_onednn", onednn=False),
    Condition("plain_products", plain=True),
    Condition("onednn_sse41", environment=isa("SSE41")),
    Condition("onednn_avx2", environment=isa("AVX2")),
    Condition("aten_default", environment=(("ATEN_CPU_CAPABILITY", "default"),)),
    Condition("sse41_default", environment=(*isa("SSE41"), ("ATEN_CPU_CAPABILITY", "default"))),
)


def digests(*tensors: np.ndarray) -> list[str]:
    """Return a digest a picture of arrays of integers."""
    return [
        hashlib.sha256(b"".join(part.astype("<i4").tobytes() for part in parts)).hexdigest()
        for parts in zip(*tensors, strict=True)
    ]


def computed(condition: Condition, folder: Path) -> dict[str, list[str]]:
    """Return the digests a picture that this process finds, exact and stock."""
    torch.set_num_threads(condition.threads)
    codec, _ = load_codec(CODEC)
    entropy = coder_of(codec).entropy
    assert isinstance(entropy, ExactEntropy)
    if condition.plain:
        layers = entropy.synthesis.layers
        plain = [dataclasses.replace(layer, limbs=None, plan=None) for layer in layers]
        entropy.synthesis = dataclasses.replace(entropy.synthesis, layers=plain)
    z = torch.from_numpy(np.load(folder / "z.npy"))
    streams = [bytes.fromhex(line) for line in (folder / "streams").read_text().split()]
    exact: list[str] = []
    stock: list[str] = []
    with torch.backends.mkldnn.flags(enabled=condition.onednn), torch.inference_mode():
        for start in range(0, len(z), condition.batch):
            part = z[start : start + condition.batch]
            if condition.channels_last:
                part = part.contiguous(memory_format=torch.channels_last)
            indexes, means = entropy.synthesis(part)
            coded = streams[start : start + condition.batch]
            y = _symbols(entropy, coded, indexes.numpy(), part.shape)
            exact += digests(indexes.numpy(), means.numpy(), y)
            stock += digests(_stock_indexes(codec, part).numpy())
    return {"exact": exact, "stock": stock}


def _symbols(
    entropy: ExactEntropy, streams: Sequence[bytes], indexes: np.ndarray, z_shape: torch.Size
) -> np.ndarray:
    """Return the symbols of y in streams, [B, M, h, w]."""
    z_rows = entropy._z_rows(z_shape[2:])
    found = []
    for stream, rows in zip(streams, indexes, strict=True):
        decoder = rans.Decoder(stream)
        decoder.read(z_rows, entropy.table)
        found.append(decoder.read(rows + entropy.n_z, entropy.table))
    return np.stack(found)


def _stock_indexes(codec: Codec, z: torch.Tensor) -> torch.Tensor:
    medians = codec.entropy_bottleneck._get_medians().reshape(1, -1, 1, 1)
    z_hat = codec.entropy_bottleneck.dequantize(z, medians)
    scales, _ = codec.h_s(z_hat).chunk(2, 1)
    indexes: torch.Tensor = codec.gaussian_conditional.build_indexes(scales)
    return indexes


def encoded(count: int, folder: Path) -> list[str]:
    """Write z and the streams; return the digests that numpy finds for the same pictures."""
    torch.set_num_threads(1)
    codec, _ = load_codec(CODEC)
    coder = coder_of(codec)
    entropy = coder.entropy
    assert isinstance(entropy, ExactEntropy)
    z, streams, numpy_digests = [], [], []
    tensors = below(exported(codec), "hyper")
    for x in pictures(count, SIZE).split(16):
        latents = coder.analyse(x)
        streams += coder.write(latents).streams
        medians = (entropy.synthesis.medians / 4096).float().reshape(1, -1, 1, 1)
        z.append(torch.round(latents.z - medians).int().numpy())
        indexes, means = integers.hyper_synthesis(tensors, z[-1])
        y = torch.round(latents.y - torch.from_numpy(means / 4096).float())
        numpy_digests += digests(indexes, means, y.numpy())
    np.save(folder / "z.npy", np.concatenate(z))
    (folder / "streams").write_text("\n".join(stream.hex() for stream in streams))
    return numpy_digests


def in_a_process(condition: Condition, folder: Path) -> dict[str, list[str]]:
    """Return what another process computes under a condition."""
    command = [sys.executable, "-W", "ignore", __file__, "--condition", condition.name]
    environment = os.environ | dict(condition.environment)
    done = subprocess.run(
        [*command, "--folder", folder], env=environment, check=True, capture_output=True
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--condition", help="compute under this one and print digests")
    options.add_argument("--folder", type=Path)
    args = options.parse_args()
    if args.condition:
        named = {condition.name: condition for condition in CONDITIONS}
        print(json.dumps(computed(named[args.condition], args.folder)))
        return 0
    count = 16 if args.quick else 64
    table: dict[str, float] = {"n": count}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        by_numpy = encoded(count, folder)
        found = {c.name: in_a_process(c, folder) for c in CONDITIONS}
    reference = found["reference"]
    print(f"{count} drawn faces; pictures that differ from the reference\n")
    print("| Condition | mien | CompressAI's float32 |\n| --- | ---: | ---: |")
    for label, seen in found.items():
        counts = {way: _differing(seen[way], reference[way]) for way in ("exact", "stock")}
        table[f"differing_{label}"] = counts["exact"]
        table[f"stock_differing_{label}"] = counts["stock"]
        print(f"| {label} | {counts['exact']} | {counts['stock']} |")
    table["differing_numpy"] = _differing(by_numpy, reference["exact"])
    print(f"| numpy, int64 | {table['differing_numpy']} | |")
    write_results(args.json, table, 1)
    exact = [value for label, value in table.items() if label.startswith("differing")]
    return 1 if any(exact) else 0


def _differing(seen: list[str], reference: list[str]) -> int:
    return sum(a != b for a, b in zip(seen, reference, strict=True))


if __name__ == "__main__":
    sys.exit(main())
