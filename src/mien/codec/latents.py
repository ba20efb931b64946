"""What entropy coding takes and gives, whichever of the two ways it is done."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt
from torch import Tensor

EXACT = "exact"  # integers alone: decodes on any machine
STOCK = "stock"  # CompressAI's way, for parity


@dataclass(frozen=True)
class Coded:
    """A batch of pictures as bitstreams.

    Attributes:
        streams: One per picture.
        symbols: One digest per picture, of the integers that the decoder must find.
    """

    streams: list[bytes]
    symbols: list[bytes]


@dataclass(frozen=True)
class Decoded:
    """A batch of latents read back.

    Attributes:
        y_hat: float32 [B, M, h, w].
        symbols: One digest per picture, of the integers that were found.
    """

    y_hat: Tensor
    symbols: list[bytes]


class Entropy(Protocol):
    """Between latents and bytes."""

    name: str

    def encode(self, y: Tensor, z: Tensor) -> Coded:
        """Return the streams of a batch of latents, [B, M, h, w] and [B, N, h/4, w/4]."""

    def decode(self, streams: Sequence[bytes], size: tuple[int, int]) -> Decoded:
        """Return the latents of a batch of streams; `size` is that of z."""


def digest(arrays: Iterable[npt.NDArray[np.int32]]) -> bytes:
    """Return a digest of integer arrays: 8 bytes, the same on every machine."""
    state = hashlib.blake2b(digest_size=8)
    for array in arrays:
        state.update(array.astype("<i4").tobytes())
    return state.digest()
