"""Stage decode of a classic codec: what `decode` does, with the pretrained classifier."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from mien import paths
from mien.codec import classic
from mien.codec.archive import read_archive
from mien.errors import StreamError
from mien.params import Params
from mien.runs import Run, classic_quality
from mien.stages.measured import decoded_batches, write_measured


def decode(params: Params, run: Run) -> None:
    """Write `per_image.parquet`, `raw.parquet` and `examples.parquet` of one run.

    Raises:
        ParamsError: If params.yaml does not ask for the run.
        StreamError: If the codec's library is not installed, the streams were changed, or
            another codec or another quality wrote them.
    """
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

    write_measured(params, run, decoded_batches(path, table, shared, decoded))
