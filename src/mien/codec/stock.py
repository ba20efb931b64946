"""The stock entropy coding: CompressAI's symbols and CompressAI's own coder, for parity.

One picture's stream is `varint(words of z) + z + y`: the two strings that CompressAI's
`compress` makes, whose lengths are multiples of four bytes, and one byte that tells where the
first ends. CompressAI converts its whole padded CDF table into lists for every string; we hand
over the rows in use, cut to their lengths. The bytes are the same.

The hyper-synthesis runs in float32 on both sides: a stream is only sure to decode on the
machine and in the batches it was made with. Whoever decodes compares the digests of the
symbols, so that a difference is an error and not a wrong picture.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import numpy.typing as npt
import torch
from compressai.ans import RansDecoder, RansEncoder
from compressai.entropy_models import EntropyModel
from torch import Tensor

from mien.codec.latents import Coded, Decoded, digest
from mien.codec.model import Codec
from mien.errors import StreamError

Ints = npt.NDArray[np.int32]
WORD = 4  # bytes; the coder writes whole words


class Tables:
    """The CDF rows of one entropy model as the lists that the C++ coder takes."""

    def __init__(self, model: EntropyModel) -> None:
        lengths = model._cdf_length.reshape(-1).tolist()
        rows = model._quantized_cdf.tolist()
        self.rows = [row[:length] for row, length in zip(rows, lengths, strict=True)]
        self.lengths = lengths
        self.offsets = model._offset.reshape(-1).tolist()

    def used_by(self, indexes: Ints) -> tuple[list[int], list[list[int]], list[int], list[int]]:
        """Return `indexes` renumbered, and the rows, lengths and offsets they then point to."""
        used, local = np.unique(indexes, return_inverse=True)
        return (
            local.reshape(-1).tolist(),
            [self.rows[i] for i in used],
            [self.lengths[i] for i in used],
            [self.offsets[i] for i in used],
        )

    def encode(self, symbols: Ints, indexes: Ints) -> bytes:
        """Return the rANS string of `symbols`, at least two of them, row `indexes` each."""
        coded: bytes = RansEncoder().encode_with_indexes(
            symbols.reshape(-1).tolist(), *self.used_by(indexes)
        )
        return coded

    def decode(self, string: bytes, indexes: Ints) -> Ints:
        """Return the symbols of a rANS string, in the shape of `indexes`."""
        values = RansDecoder().decode_with_indexes(string, *self.used_by(indexes))
        return np.asarray(values, dtype=np.int32).reshape(indexes.shape)


class StockEntropy:
    """Latents to strings and back, as CompressAI's `compress` and `decompress` do it."""

    name = "stock"

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.z_tables = Tables(codec.entropy_bottleneck)
        self.y_tables = Tables(codec.gaussian_conditional)

    def encode(self, y: Tensor, z: Tensor) -> Coded:
        """Return the streams of a batch of latents, [B, M, h, w] and [B, N, h/4, w/4]."""
        conditional = self.codec.gaussian_conditional
        z_symbols = self.codec.entropy_bottleneck.quantize(z, "symbols", self._medians())
        scales, means = self._hyper(z_symbols)
        y_symbols = conditional.quantize(y, "symbols", means)
        indexes = conditional.build_indexes(scales)
        z_index = _z_indexes(z_symbols.shape)
        pictures = zip(_ints(z_symbols), z_index, _ints(y_symbols), _ints(indexes), strict=True)
        streams, digests = [], []
        for z_i, z_row, y_i, y_row in pictures:
            z_string = self.z_tables.encode(z_i, z_row)
            streams.append(join(z_string, self.y_tables.encode(y_i, y_row)))
            digests.append(digest((z_i, y_i)))
        return Coded(streams, digests)

    def decode(self, streams: Sequence[bytes], size: tuple[int, int]) -> Decoded:
        """Return the latents of streams that were encoded together, at a size of z.

        Raises:
            StreamError: If a stream's parts do not fit its length.
        """
        conditional = self.codec.gaussian_conditional
        device = conditional.scale_table.device
        parts = [split(stream) for stream in streams]
        rows = _z_indexes((len(parts), self.codec.N, *size))
        z = [self.z_tables.decode(part[0], r) for part, r in zip(parts, rows, strict=True)]
        scales, means = self._hyper(torch.from_numpy(np.stack(z)).to(device))
        rows = _ints(conditional.build_indexes(scales))
        y = [self.y_tables.decode(part[1], r) for part, r in zip(parts, rows, strict=True)]
        y_symbols = torch.from_numpy(np.stack(y)).to(device)
        y_hat = conditional.dequantize(y_symbols, means)
        return Decoded(y_hat, [digest(pair) for pair in zip(z, y, strict=True)])

    def _medians(self) -> Tensor:
        medians: Tensor = self.codec.entropy_bottleneck._get_medians()
        return medians.detach().reshape(1, -1, 1, 1)

    def _hyper(self, z_symbols: Tensor) -> tuple[Tensor, Tensor]:
        """Return scales and means: the one path that encoder and decoder share."""
        z_hat = self.codec.entropy_bottleneck.dequantize(z_symbols, self._medians())
        with _one_thread():
            scales, means = self.codec.h_s(z_hat).chunk(2, 1)
        return scales, means


def _z_indexes(shape: Sequence[int]) -> Ints:
    channel = np.arange(shape[1], dtype=np.int32).reshape(1, -1, 1, 1)
    return np.broadcast_to(channel, tuple(shape))


def join(z_string: bytes, y_string: bytes) -> bytes:
    """Return one stream: the words of z as a LEB128 number, z, y."""
    words, rest = divmod(len(z_string), WORD)
    if rest:
        raise ValueError(f"the coder wrote {len(z_string)} bytes, not whole words")
    return _varint(words) + z_string + y_string


def split(stream: bytes) -> tuple[bytes, bytes]:
    """Return the strings of z and y.

    Raises:
        StreamError: If the length of z does not fit the stream.
    """
    words, start = _read_varint(stream)
    end = start + words * WORD
    if words < 2 or len(stream) - end < 2 * WORD or (len(stream) - end) % WORD:
        raise StreamError(
            f"a stream of {len(stream)} bytes cannot hold z of {words} words and y"
        )
    return stream[start:end], stream[end:]


def _ints(tensor: Tensor) -> Ints:
    return tensor.to(torch.int32).cpu().numpy()


@contextmanager
def _one_thread() -> Iterator[None]:
    """Keep the number of threads from changing a float that both sides must agree on."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= 128:
        out.append(number & 127 | 128)
        number >>= 7
    return bytes([*out, number])


def _read_varint(stream: bytes) -> tuple[int, int]:
    number = 0
    for position, byte in enumerate(stream[:4]):
        number |= (byte & 127) << 7 * position
        if byte < 128:
            return number, position + 1
    raise StreamError(f"a stream of {len(stream)} bytes does not say how long z is")
