"""Write the files of one format version that every later mien must decode.

    python tools/format_files.py tests/data/format-1

Once per version: what is committed there stays. A small codec is trained on drawn faces for
seconds, since an untrained one uses one symbol alone.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL import Image
from torch import Tensor

from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
from mien.codec.integers import codec_id, exported
from mien.codec.model import Codec, codec_from, new_codec
from mien.codec.picture import decode_picture, encode_picture
from mien.codec.stream import load_coder
from mien.data.faces import draw_face
from mien.files import write_json
from mien.tensors import save_tensors, under
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse

CHANNELS = (8, 12)
SIZES = ((64, 64), (75, 100), (130, 1), (1, 1))  # height, width
ARCHIVED = 5
STEPS = 300


def main() -> None:
    """Write codec, pictures, archive, and what they must decode to."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True)
    faces = [draw_face(3, index, index % 8, 128).image for index in range(8)]
    x = torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2).float().div(255)
    codec = _halved(_trained(x), folder)
    integers = exported(codec)
    weights = {name: tensor.half() for name, tensor in codec.named_parameters()}
    record = {"channels": list(CHANNELS), "codec_id": codec_id(codec, integers)}
    tensors = under(weights, "codec") | under(integers, "exact")
    save_tensors(folder / "codec.safetensors", tensors, record)
    loaded = load_coder(folder / "codec.safetensors")
    symbols = {}
    for face, (height, width) in zip(faces, SIZES, strict=False):
        name = f"{width}x{height}"
        encoded = encode_picture(loaded, face[:height, :width].repeat(2, 0)[:height])
        (folder / f"{name}.mien").write_bytes(encoded.data)
        Image.fromarray(decode_picture(loaded, encoded.data)[0]).save(folder / f"{name}.png")
        symbols[name] = encoded.symbols.hex()
    coded = loaded.coder.encode(x[:ARCHIVED])
    table = {
        "key": [f"test-{index:06d}" for index in range(ARCHIVED)],
        "stream": coded.streams,
        "estimated_bits": [0.0] * ARCHIVED,
    }
    digests = digest_of(coded.streams), digest_of(coded.symbols)
    shared = Shared(loaded.codec_id, "exact", "float32", 128, 128, ARCHIVED, *digests)
    write_archive(folder / "streams.parquet", pa.table(table, schema=SCHEMA), shared)
    write_json(folder / "symbols.json", symbols)


def _trained(x: Tensor) -> Codec:
    torch.manual_seed(0)
    codec = new_codec(CHANNELS).train()
    auxiliary = codec.entropy_bottleneck.quantiles
    main_part = [p for p in codec.parameters() if p is not auxiliary]
    optimizer = torch.optim.Adam(main_part, lr=1e-3)
    for step in range(STEPS):
        part = x[step % 2 :: 2, :, step % 3 * 32 :, step % 5 * 16 :][..., :64, :64]
        out = codec(part)
        terms = {
            "bpp": bits_per_pixel(out["likelihoods"], part.numel() // 3),
            "mse": scaled_mse(out["x_hat"], part),
        }
        optimizer.zero_grad()
        Weighting(bpp=1.0, mse=0.05, ce=0.0).total(terms).backward()
        torch.nn.utils.clip_grad_norm_(main_part, 1.0)
        optimizer.step()
    return codec.eval()


def _halved(codec: Codec, folder: Path) -> Codec:
    """Return the codec that half precision keeps of one."""
    weights = {name: tensor.detach().half() for name, tensor in codec.named_parameters()}
    return codec_from(weights, CHANNELS, folder)


if __name__ == "__main__":
    main()
