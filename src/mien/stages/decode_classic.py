"""Stage decode of a classic codec: what `decode` does, with the pretrained classifier."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from mien import paths
from mien.codec import classic
from mien.codec.archive import read_archive
from mien.errors import StreamError
from mien.params import Params
from mien.part import Part
from mien.runs import Run, classic_quality
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
        ParamsError: If params.yaml does not ask for the run.
        StreamError: If the codec's library is not installed, the streams were changed, or
            another codec or another quality wrote them.
    """
    write_measured(run, rows_of(params, run, partial(_decoded, params, run)))


def decode_part(params: Params, run: Run, part: Part) -> None:
    """Decode, classify and measure one part of the pictures of a run."""
    write_measured_part(params, run, part, partial(_decoded, params, run))


def _decoded(params: Params, run: Run, part: Part) -> Iterator[Decoded]:
    quality = classic_quality(params, run)
    path = paths.streams(run)
    table, shared = read_archive(path)
    found = (shared.settings or {}).get("quality")
    if (shared.codec, found) != (run.strategy, quality):
        raise StreamError(
            f"{path}: written by codec {shared.codec} at quality {found}, not by "
            f"{run.strategy} at {quality}: encode again"
        )

    def decoded(
        streams: Sequence[bytes], height: int, width: int
    ) -> tuple[Tensor, list[bytes]]:
        pictures = [classic.decode(run.strategy, stream, height, width) for stream in streams]
        return torch.from_numpy(np.stack(pictures)).permute(0, 3, 1, 2), []

    return decoded_batches(path, table, shared, decoded, part)
