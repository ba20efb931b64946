"""What becomes of stored streams: decoded, classified, measured, and written down.

    streams --decode, timed--> pictures --classifier--> rows (ROWS)
    rows of all parts, in order --> per_image.parquet, raw.parquet, examples.parquet,
                                    decode_seconds.parquet

Times have a file of their own: all else is the same bytes twice.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import repeat
from pathlib import Path
from typing import Any

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
from mien.files import read_manifest, replacing, sha256_of, write_manifest
from mien.metrics.distortion import psnr
from mien.metrics.rate import bits_per_pixel
from mien.metrics.similarity import ms_ssim
from mien.params import Params
from mien.part import WHOLE, Part
from mien.runs import Run
from mien.stages.parts import gathered, write_part, write_seconds

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
]
PICTURES = [
    pa.field("key", pa.string(), nullable=False),
    pa.field("label", pa.int64(), nullable=False),
    pa.field("png", pa.binary(), nullable=False),
    pa.field("raw_png", pa.binary(), nullable=False),
]
# Of one picture: what the tables above have of it, its seconds, and its symbols' digest.
ROWS = pa.schema(
    [
        pa.field("key", pa.string(), nullable=False),
        pa.field("decoded", pa.struct(READ + MEASURED), nullable=False),
        pa.field("raw", pa.struct(READ), nullable=False),
        pa.field("example", pa.struct(PICTURES)),  # null but for the first ones
        pa.field("seconds", pa.float64(), nullable=False),
        pa.field("symbols", pa.binary()),  # null where a codec does not show them
    ]
)
STAGE = "decode"

# From streams, height and width: pictures, uint8 [B, 3, H, W], and digests of their symbols.
Decode = Callable[[Sequence[bytes], int, int], tuple[Tensor, list[bytes]]]


@dataclass(frozen=True)
class Decoded:
    """One batch: the raw pictures, what was decoded, and the streams it was decoded from."""

    start: int  # the place of its first picture in the test set
    raw: shards.Batch
    images: Tensor  # uint8 [B, 3, H, W], in memory
    n_bytes: list[int]
    seconds: float  # of the whole batch, from bytes to `images`
    symbols: list[bytes]  # digests; none where a codec does not show them


def decoded_batches(
    path: Path, table: pa.Table, shared: Shared, decode: Decode, part: Part
) -> Iterator[Decoded]:
    """Decode a part of an archive in the batches it was encoded in, beside the raw pictures.

    Args:
        path: Of the archive, for what is said about it.
        table: Its rows.
        shared: What they have in common.
        decode: Of the codec that wrote them.
        part: Which of the batches.

    Raises:
        DataError: If they are not the test set of the shards.
    """
    keys, streams = table["key"].to_pylist(), table["stream"].to_pylist()
    n, size = shards.count(paths.SHARDS_MANIFEST, "test"), shared.batch_size
    if n != len(keys):
        raise DataError(f"{path}: {len(keys)} streams, but the shards hold {n} test images")
    own = shards.batches_of(n, size, part)
    batches = shards.split_batches(paths.SHARDS_MANIFEST, "test", size, part=part)
    for number, batch in zip(own, batches, strict=True):
        start, end = number * size, number * size + len(batch.keys)
        if keys[start:end] != batch.keys:
            raise DataError(f"{path}: rows {start}..{end} are not the test set of the shards")
        began = seconds()
        images, symbols = decode(streams[start:end], shared.height, shared.width)
        images = images.cpu()
        spent = seconds() - began
        n_bytes = [len(stream) for stream in streams[start:end]]
        yield Decoded(start, batch, images, n_bytes, spent, symbols)


def measured(params: Params, run: Run, batches: Iterable[Decoded]) -> pa.Table:
    """Return a row per decoded picture, in order."""
    classifier = placed(_classifier_of(params, run))
    rows: list[dict[str, object]] = []
    n = shards.count(paths.SHARDS_MANIFEST, "test")
    with tqdm(total=n, desc=f"decode {run.strategy} {run.setting}", unit="img") as bar:
        for batch in batches:
            bar.update(batch.start + len(batch.images) - bar.n)
            rows += _rows(classifier, batch, params.evaluate.examples - batch.start)
    return pa.Table.from_pylist(rows, ROWS)


def _rows(classifier: Classifier, batch: Decoded, wanted: int) -> list[dict[str, object]]:
    columns = zip(
        _read(classifier, batch.raw, batch.images),
        _measure(batch),
        _read(classifier, batch.raw, batch.raw.images),
        _pictures(batch, wanted),
        batch.symbols or repeat(None, len(batch.images)),
        strict=True,
    )
    return [
        {
            "key": read["key"],
            "decoded": read | more,
            "raw": raw,
            "example": example,
            "seconds": batch.seconds / len(batch.images),
            "symbols": symbols,
        }
        for read, more, raw, example, symbols in columns
    ]


def rows_of(params: Params, run: Run, batches: Callable[[Part], Iterable[Decoded]]) -> pa.Table:
    """Return the rows of all test pictures: measured now, or by the parts.

    Raises:
        DataError: If a part is missing or was made from something else.
    """
    if params.compute.parts == 1:
        return measured(params, run, batches(WHOLE))
    return gathered(STAGE, run, params.compute.parts, _made_from(params, run))


def write_measured_part(
    params: Params, run: Run, part: Part, batches: Callable[[Part], Iterable[Decoded]]
) -> None:
    """Measure one part of the pictures of a run."""
    rows = measured(params, run, batches(part))
    write_part(STAGE, run, part, rows, _made_from(params, run))


def _made_from(params: Params, run: Run) -> dict[str, Any]:
    """Return everything that decides about a row, beside the shards."""
    manifests = {"streams": paths.streams(run), "classifier": paths.classifier_of(run)}
    digests = {name: sha256_of(paths.manifest_of(path)) for name, path in manifests.items()}
    reader = params.classifier.model_dump(mode="json")
    return {**digests, "reader": reader, "examples": params.evaluate.examples}


def write_measured(run: Run, rows: pa.Table) -> None:
    """Write what `decode` makes of one run, and the manifest."""
    tables = {
        paths.decoded(run): _table(rows["decoded"], READ + MEASURED),
        paths.raw(run): _table(rows["raw"], READ),
        paths.examples(run): _table(rows["example"].drop_null(), PICTURES),
    }
    for path, table in tables.items():
        with replacing(path) as temporary:
            pq.write_table(table, temporary)
    write_seconds(paths.decode_seconds(run), rows)
    write_manifest(paths.evaluation_manifest(run), list(tables), n=rows.num_rows)


def _table(column: pa.ChunkedArray, fields: list[pa.Field]) -> pa.Table:
    """Return a column of structs as a table, in one piece, however many parts it came in."""
    return pa.Table.from_pylist(column.to_pylist(), pa.schema(fields))


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
    """Return rate and distortion of each picture."""
    height, width = batch.images.shape[-2:]
    similarity = ms_ssim(batch.raw.images, batch.images)
    return [
        {
            "n_bytes": n_bytes,
            "bpp": bits_per_pixel(n_bytes, height, width),
            "psnr": psnr(_hwc(raw), _hwc(decoded)),
            "ms_ssim": value,
        }
        for n_bytes, raw, decoded, value in zip(
            batch.n_bytes, batch.raw.images, batch.images, similarity, strict=True
        )
    ]


def _pictures(batch: Decoded, wanted: int) -> list[dict[str, object] | None]:
    """Return the first `wanted` pictures, decoded and raw; None in place of the others."""
    return [
        {
            "key": batch.raw.keys[i],
            "label": int(batch.raw.labels[i]),
            "png": _png(batch.images[i]),
            "raw_png": _png(batch.raw.images[i]),
        }
        if i < wanted
        else None
        for i in range(len(batch.images))
    ]


def _png(image: Tensor) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(_hwc(image)).save(buffer, "png")
    return buffer.getvalue()


def _hwc(image: Tensor) -> npt.NDArray[np.uint8]:
    return np.ascontiguousarray(image.permute(1, 2, 0).numpy())
