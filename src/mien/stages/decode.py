"""Stage decode: pictures from stored bytes, what the classifier reads, how far they are off."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from mien import paths
from mien.codec.archive import Shared, digest_of, read_archive
from mien.codec.stream import StreamCoder, load_coder
from mien.errors import StreamError
from mien.params import Params
from mien.part import Part
from mien.runs import Run
from mien.stages.measured import (
    Decoded,
    decoded_batches,
    rows_of,
    write_measured,
    write_measured_part,
)


def decode(params: Params, run: Run) -> None:
    """Write `per_image.parquet`, `raw.parquet`, `examples.parquet` and the times of one run.

    Raises:
        DataError: If a part is missing or was made from something else.
        StreamError: If the streams were changed, belong to another codec, or decode to other
            integers than were encoded.
    """
    path = paths.streams(run)
    _, shared = read_archive(path)
    rows = rows_of(params, run, partial(_decoded, run))
    if digest_of(rows["symbols"].to_pylist()) != shared.symbols:
        raise StreamError(
            f"{path}: decodes to other integers than were encoded: the hyper-synthesis gave "
            "other floats here: encode on the machine that decodes"
        )
    write_measured(run, rows)


def decode_part(params: Params, run: Run, part: Part) -> None:
    """Decode, classify and measure one part of the pictures of a run."""
    write_measured_part(params, run, part, partial(_decoded, run))


def _decoded(run: Run, part: Part) -> Iterator[Decoded]:
    path = paths.streams(run)
    table, shared = read_archive(path)
    coder = _coder_of(run, path, shared)
    return decoded_batches(path, table, shared, coder.decode, part)


def _coder_of(run: Run, path: Path, shared: Shared) -> StreamCoder:
    if shared.entropy is None or shared.precision is None:
        raise StreamError(f"{path}: written by {shared.codec}, which is no learned codec")
    loaded = load_coder(paths.codec_of(run), shared.entropy, shared.precision)
    if (seen := loaded.codec_id) != shared.codec:
        raise StreamError(
            f"{path}: written by codec {shared.codec}, but {paths.codec_of(run)} is {seen}"
        )
    return loaded.coder
