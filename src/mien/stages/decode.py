"""Stage decode: pictures from stored bytes, what the classifier reads, how far they are off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from mien import paths
from mien.codec.archive import Shared, digest_of, read_archive
from mien.codec.stream import StreamCoder, load_coder
from mien.errors import StreamError
from mien.params import Params
from mien.runs import Run
from mien.stages.measured import Decoded, decoded_batches, write_measured


def decode(params: Params, run: Run) -> None:
    """Write `per_image.parquet`, `raw.parquet` and `examples.parquet` of one run.

    Raises:
        StreamError: If the streams were changed, belong to another codec, or decode to other
            integers than were encoded.
    """
    write_measured(params, run, _decoded(run))


def _decoded(run: Run) -> Iterator[Decoded]:
    """Decode the archive, and check that it came down to the integers that were encoded."""
    path = paths.streams(run)
    table, shared = read_archive(path)
    coder = _coder_of(run, path, shared)
    symbols: list[bytes] = []
    for batch in decoded_batches(path, table, shared, coder.decode):
        symbols += batch.symbols
        yield batch
    if digest_of(symbols) != shared.symbols:
        raise StreamError(
            f"{path}: decodes to other integers than were encoded: the hyper-synthesis gave "
            "other floats here: encode on the machine that decodes"
        )


def _coder_of(run: Run, path: Path, shared: Shared) -> StreamCoder:
    if shared.entropy is None or shared.precision is None:
        raise StreamError(f"{path}: written by {shared.codec}, which is no learned codec")
    loaded = load_coder(paths.codec_of(run), shared.entropy, shared.precision)
    if (seen := loaded.codec_id) != shared.codec:
        raise StreamError(
            f"{path}: written by codec {shared.codec}, but {paths.codec_of(run)} is {seen}"
        )
    return loaded.coder
