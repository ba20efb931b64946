"""The distributions that symbols are coded with, as integers: made once, stored, never remade.

A table made from floats on two machines may differ by one count, which ruins every stream.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from compressai.entropy_models import EntropyBottleneck
from scipy.special import ndtr
from torch import Tensor

from mien.codec.model import Codec
from mien.errors import CheckpointError

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]
Row: TypeAlias = tuple[npt.NDArray[np.int64], int, int]

PRECISION = 16  # bits of a frequency
TOTAL = 1 << PRECISION
# Counts that the Gaussian expects of an outermost symbol, or the escape takes it. Latents have
# heavier tails than that: rows cut at half a count cost 0.2 % at 0.1 bit/pixel.
KEPT = 1e-4


@dataclass(frozen=True)
class Table:
    """Cumulative frequencies of all the distributions that a stream is coded with.

    Row r holds the symbols first[r], first[r] + 1, ..., and the escape, which any other symbol
    is coded with. Its cumulative frequencies are cdf[starts[r] : starts[r + 1]], from 0 to
    2^16, one more than it has entries: of the symbol first[r] + mode[r] and those behind it, of
    those before it, of the escape.
    """

    cdf: Ints
    starts: Ints
    first: Ints
    mode: Ints

    def __post_init__(self) -> None:
        """Refuse what the kernels cannot index safely.

        Raises:
            ValueError: If rows do not lie in `cdf` or do not rise strictly from 0 to 2^16.
        """
        starts, cdf = self.starts, self.cdf
        sizes = {len(self.first), len(self.mode), len(starts) - 1}
        if len(sizes) > 1 or starts[0] != 0 or starts[-1] != len(cdf):
            raise ValueError("the rows of a coding table do not cover it")
        if np.diff(starts).min() < 2:
            raise ValueError("a row of a coding table has no entry")
        ends = starts[1:] - 1
        rises = np.diff(cdf) > 0
        rises[ends[:-1]] = True  # from one row to the next
        if (cdf[starts[:-1]] != 0).any() or (cdf[ends] != TOTAL).any() or not rises.all():
            raise ValueError(f"a row of a coding table does not rise from 0 to {TOTAL}")
        symbols = np.diff(starts) - 2  # of one without any, the mode is 0
        if (self.mode < 0).any() or (self.mode >= np.maximum(symbols, 1)).any():
            raise ValueError("a row of a coding table has its mode outside")


def coding_tables(codec: Codec) -> dict[str, Tensor]:
    """Return the rows for z, one a channel, and for y, one a level of the scale, by name.

    `cdf`, `starts`, `first`, `mode` as in `Table`: rows 0..N-1 are z's, the others y's.
    """
    rows = [*_z_rows(codec.entropy_bottleneck), *_y_rows(codec)]
    cdf, first, mode = zip(*rows, strict=True)
    starts = np.cumsum([0, *map(len, cdf)])
    named = {"cdf": np.concatenate(cdf), "starts": starts, "first": first, "mode": mode}
    return {
        name: torch.from_numpy(np.asarray(array).astype(np.int32))
        for name, array in named.items()
    }


def table_of(tensors: Mapping[str, Tensor]) -> Table:
    """Return the table of `coding_tables`.

    Raises:
        CheckpointError: If one is missing or they are no table.
    """
    try:
        return Table(*(tensors[name].numpy() for name in ("cdf", "starts", "first", "mode")))
    except (KeyError, ValueError) as error:
        raise CheckpointError(f"the coding tables are damaged: {error}") from None


def _z_rows(bottleneck: EntropyBottleneck) -> Iterable[Row]:
    """Return a row for each channel, from the learnt densities about the learnt medians."""
    quantiles = bottleneck.quantiles.detach()[:, 0]
    below, median, above = quantiles.T
    reach = int(torch.ceil(torch.maximum(median - below, above - median)).max().item()) + 1
    offsets = torch.arange(-reach, reach + 1, device=quantiles.device).float()
    with torch.no_grad():
        pmf = bottleneck._likelihood(offsets + median.reshape(-1, 1, 1), stop_gradient=True)[0]
    return [_row(channel, -reach) for channel in pmf[:, 0].double().cpu().numpy()]


def _y_rows(codec: Codec) -> Iterable[Row]:
    """Return a row for each level: a Gaussian about the mean, integrated over unit steps."""
    levels = codec.gaussian_conditional.scale_table.double().tolist()
    for scale in levels:
        reach = int(np.ceil(8 * scale)) + 1
        edges = np.arange(-reach, reach + 2) - 0.5
        below = ndtr(-np.abs(edges) / scale)  # the smaller tail: exact to its last digits
        pmf = np.abs(np.diff(below))
        pmf[reach] = 1 - 2 * below[reach]  # 0 lies on both sides of the centre
        yield _row(pmf, -reach)


def _row(pmf: Floats, first: int) -> Row:
    """Return cumulative counts as `Table` orders them, the first symbol and where the mode is.

    Symbols at either end of which fewer than `KEPT` are expected go to the escape.
    """
    kept = np.flatnonzero(pmf * TOTAL >= KEPT)
    begin, end = (int(kept[0]), int(kept[-1]) + 1) if len(kept) else (0, 0)
    inside = pmf[begin:end]
    rest = max(0.0, 1.0 - float(inside.sum()))
    mode = int(inside.argmax()) if len(inside) else 0
    counts = _counts(np.append(np.roll(inside, -mode), rest))
    return np.concatenate([[0], np.cumsum(counts)]), first + begin, mode


def _counts(pmf: Floats) -> npt.NDArray[np.int64]:
    """Return counts of at least 1 that sum to 2^16 and cost the fewest bits under `pmf`."""
    counts: npt.NDArray[np.int64] = np.maximum(1, np.rint(pmf / pmf.sum() * TOTAL)).astype(int)
    while (excess := int(counts.sum()) - TOTAL) != 0:
        worth = pmf / counts  # about what one count more or less changes the cost by
        able = np.flatnonzero(counts > 1) if excess > 0 else np.arange(len(counts))
        order = np.argsort(worth[able] if excess > 0 else -worth[able], kind="stable")
        counts[able[order[: abs(excess)]]] -= np.sign(excess)
    return counts
