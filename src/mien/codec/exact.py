"""Latents to bytes and back in integers alone: what is written here decodes anywhere.

    encoder   z --round--> symbols of z --HyperSynthesis--> indexes, means
              y - means --round--> symbols of y; both --indexes--> stream
    decoder   stream --> symbols of z --HyperSynthesis--> indexes, means
              stream --indexes--> symbols of y; + means --> y_hat

One stream holds a picture's z and, behind it, its y. What both sides compute with is stored in
the checkpoint, made once, by `integers.exported`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from mien.codec import rans
from mien.codec.hyperprior import ONE, hyper_synthesis
from mien.codec.latents import EXACT, Coded, Decoded, digest
from mien.codec.rans import Ints
from mien.codec.tables import table_of
from mien.codec.threads import in_threads
from mien.tensors import below


class ExactEntropy:
    """Latents to streams and back; entropy coding in threads, which numba lets run."""

    name = EXACT

    def __init__(self, tensors: Mapping[str, Tensor], device: torch.device) -> None:
        """Take what `integers.exported` made; latents will be on this device.

        Raises:
            CheckpointError: If a tensor is missing or the tables are damaged.
        """
        self.device = device
        self.synthesis = hyper_synthesis(below(tensors, "hyper")).to(device)
        self.table = table_of(below(tensors, "table"))
        self.n_z = len(self.synthesis.medians)

    def encode(self, y: Tensor, z: Tensor) -> Coded:
        """Return the streams of a batch of latents, [B, M, h, w] and [B, N, h/4, w/4].

        Raises:
            StreamError: If a latent is too large to be coded.
        """
        medians = (self.synthesis.medians / ONE).float().reshape(1, -1, 1, 1)
        z_symbols = torch.round(z - medians).int()
        indexes, means = self.synthesis(z_symbols)
        y_symbols = torch.round(y - means / ONE).int()
        z_rows = self._z_rows(z.shape[2:])
        z_i, y_i, rows = (_numpy(tensor) for tensor in (z_symbols, y_symbols, indexes))
        pictures = list(zip(z_i, y_i, rows, strict=True))
        coded = in_threads(lambda picture: self._stream(*picture, z_rows), pictures)
        return Coded([stream for stream, _ in coded], [symbols for _, symbols in coded])

    def decode(self, streams: Sequence[bytes], size: tuple[int, int]) -> Decoded:
        """Return the latents of streams of pictures of one size, that of z.

        Raises:
            StreamError: If a stream ends before its symbols, or after them, or cannot have
                been written by the encoder.
        """
        z_rows = self._z_rows(size)
        decoders = [rans.Decoder(stream) for stream in streams]
        z = in_threads(lambda decoder: decoder.read(z_rows, self.table), decoders)
        indexes, means = self.synthesis(torch.from_numpy(np.stack(z)).to(self.device))
        y = in_threads(
            lambda pair: self._rest(*pair), list(zip(decoders, _numpy(indexes), strict=True))
        )
        symbols = torch.from_numpy(np.stack(y)).to(self.device)
        return Decoded(symbols + means / ONE, [digest(pair) for pair in zip(z, y, strict=True)])

    def _stream(self, z: Ints, y: Ints, indexes: Ints, z_rows: Ints) -> tuple[bytes, bytes]:
        symbols = np.concatenate([z.reshape(-1), y.reshape(-1)])
        rows = np.concatenate([z_rows.reshape(-1), indexes.reshape(-1) + self.n_z])
        return rans.encode(symbols, rows, self.table), digest((z, y))

    def _rest(self, decoder: rans.Decoder, indexes: Ints) -> Ints:
        y = decoder.read(indexes + self.n_z, self.table)
        decoder.finish()
        return y

    def _z_rows(self, size: Iterable[int]) -> Ints:
        shape = (self.n_z, *size)
        rows = np.arange(self.n_z, dtype=np.int32).reshape(-1, 1, 1)
        return np.ascontiguousarray(np.broadcast_to(rows, shape))


def _numpy(tensor: Tensor) -> Ints:
    return tensor.cpu().contiguous().numpy()
