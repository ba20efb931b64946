"""What becomes of stored streams: decoded, classified, measured, and written down.

streams --decode, timed--> pictures --classifier--> per_image.parquet, raw.parquet
                                    --a few------> examples.parquet
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from mien import paths
from mien.classifier.resnet18 import Classifier, load_classifier
from mien.codec.archive import Shared
from mien.data import shards
from mien.device import device, placed, seconds
from mien.errors import DataError
from mien.expressions import N_EXPRESSIONS
from mien.files import read_manifest, replacing, write_manifest
from mien.metrics.distortion import psnr
from mien.metrics.rate import bits_per_pixel
from mien.metrics.similarity import ms_ssim
from mien.params import Params
from mien.runs import Run

READ = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("label", pa.int64(), nullable=False),
    pa.field("logits", pa.list_(pa.float32(), N_EXPRESSIONS), nullable=False),
    pa.field("prediction", pa.int64(), nullable=False),
]
MEASURED = [
    pa.field("n_bytes", pa.int64(), nullable=False),
    pa.field("bpp", pa.float64(), nullable=False),
    pa.field("psnr", pa.float64(), nullable=False),
    pa.field("ms_ssim", pa.float64()),
    pa.field("decode_seconds", pa.float64(), nullable=False),
]
PICTURES = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("label", pa.int64(), nullable=False),
    pa.field("png", pa.binary(), nullable=False),
    pa.field("raw_png", pa.binary(), nullable=False),
]


# From streams, height and width: pictures, uint8 [B, 3, H, W], and digests of their symbols.
Decode = Callable[[Sequence[bytes], int, int], tuple[Tensor, list[bytes]]]


@dataclass(frozen=True)
class Decoded:
    """One batch: the raw pictures, what was decoded, and the streams it was decoded from."""

    raw: shards.Batch
    images: Tensor  # uint8 [B, 3, H, W], in memory
    n_bytes: list[int]
    seconds: float  # of the whole batch, from bytes to `images`
    symbols: list[bytes]  # digests; none where a codec does not show them


def decoded_batches(
    path: Path, table: pa.Table, shared: Shared, decode: Decode
) -> Iterator[Decoded]:
    """Decode an archive in the batches it was encoded in, beside the raw test pictures.

    Args:
        path: Of the archive, for what is said about it.
        table: Its rows.
        shared: What they have in common.
        decode: Of the codec that wrote them.

    Raises:
        DataError: If they are not the test set of the shards.
    """
    keys, streams = table["key"].to_pylist(), table["stream"].to_pylist()
    start = 0
    for batch in shards.split_batches(paths.SHARDS_MANIFEST, "test", shared.batch_size):
        end = start + len(batch.keys)
        if keys[start:end] != batch.keys:
            raise DataError(f"{path}: rows {start}..{end} are not the test set of the shards")
        began = seconds()
        images, symbols = decode(streams[start:end], shared.height, shared.width)
        images = images.cpu()
        spent = seconds() - began
        n_bytes = [len(stream) for stream in streams[start:end]]
        yield Decoded(batch, images, n_bytes, spent, symbols)
        start = end
    if start != len(keys):
        raise DataError(f"{path}: {len(keys)} streams, but the shards hold {start} test images")


def write_measured(params: Params, run: Run, batches: Iterable[Decoded]) -> None:
    """Write `per_image.parquet`, `raw.parquet` and `examples.parquet` of one run."""
    classifier = placed(_classifier_of(params, run))
    measured: list[dict[str, object]] = []
    raw: list[dict[str, object]] = []
    pictures: list[dict[str, object]] = []
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    with tqdm(total=n, desc=f"decode {run.strategy} {run.setting}", unit="img") as bar:
        for batch in batches:
            rows = _read(classifier, batch.raw, batch.images)
            measured += [a | b for a, b in zip(rows, _measure(batch), strict=True)]
            raw += _read(classifier, batch.raw, batch.raw.images)
            pictures += _pictures(batch, params.evaluate.examples - len(pictures))
            bar.update(len(rows))
    tables = {
        paths.decoded(run): pa.Table.from_pylist(measured, pa.schema(READ + MEASURED)),
        paths.raw(run): pa.Table.from_pylist(raw, pa.schema(READ)),
        paths.examples(run): pa.Table.from_pylist(pictures, pa.schema(PICTURES)),
    }
    for path, table in tables.items():
        with replacing(path) as temporary:
            pq.write_table(table, temporary)
    write_manifest(paths.evaluation_manifest(run), list(tables), n=n)


def _classifier_of(params: Params, run: Run) -> Classifier:
    """Return the run's own classifier, or the pretrained one where it trained none."""
    path = paths.classifier_of(run)
    read_manifest(paths.manifest_of(path))
    return load_classifier(path, params.classifier)[0]


@torch.inference_mode()
def _read(
    classifier: Classifier, batch: shards.Batch, images: Tensor
) -> list[dict[str, object]]:
    """Return key, label, logits and prediction of 8-bit pictures."""
    logits = classifier(images.to(device()).float().div(255)).cpu()
    predictions = logits.argmax(dim=1).tolist()
    return [
        {"key": key, "label": label, "logits": row, "prediction": prediction}
        for key, label, row, prediction in zip(
            batch.keys, batch.labels.tolist(), logits.tolist(), predictions, strict=True
        )
    ]


def _measure(batch: Decoded) -> list[dict[str, object]]:
    """Return rate, distortion and a share of the batch's time for each picture."""
    height, width = batch.images.shape[-2:]
    similarity = ms_ssim(batch.raw.images, batch.images)
    return [
        {
            "n_bytes": n_bytes,
            "bpp": bits_per_pixel(n_bytes, height, width),
            "psnr": psnr(_hwc(raw), _hwc(decoded)),
            "ms_ssim": value,
            "decode_seconds": batch.seconds / len(batch.images),
        }
        for n_bytes, raw, decoded, value in zip(
            batch.n_bytes, batch.raw.images, batch.images, similarity, strict=True
        )
    ]


def _pictures(batch: Decoded, wanted: int) -> list[dict[str, object]]:
    n = max(0, min(wanted, len(batch.images)))
    return [
        {
            "key": batch.raw.keys[i],
            "label": int(batch.raw.labels[i]),
            "png": _png(batch.images[i]),
            "raw_png": _png(batch.raw.images[i]),
        }
        for i in range(n)
    ]


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_hwc(image)).save(buffer, "png")
    return buffer.getvalue()


def _hwc(image: Tensor) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
