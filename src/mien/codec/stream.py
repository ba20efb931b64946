"""Bitstreams of single pictures, by CompressAI's own entropy coder.

One picture's stream is `varint(words of z) + z + y`: the two strings that CompressAI's
`compress` makes, whose lengths are multiples of four bytes, and one byte that tells where the
first ends. CompressAI converts its whole padded CDF table into lists for every string; we hand
over the rows in use, cut to their lengths. The bytes are the same.

The hyper-synthesis runs in float32 on both sides: a stream is only sure to decode on the
machine and in the batches it was made with. Whoever decodes compares the digests of the
symbols, so that a difference is an error and not a wrong picture.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from compressai.ans import RansDecoder, RansEncoder
from compressai.entropy_models import EntropyModel
from torch import Tensor

from mien.codec.model import Codec, likelihood_bits
from mien.errors import StreamError

Ints = npt.NDArray[np.int32]
WORD = 4  # bytes; the coder writes whole words


@dataclass(frozen=True)
class Coded:
    """A batch of pictures as bitstreams.

    Attributes:
        streams: One per picture.
        estimated_bits: float32 [B], the sum of -log2 of the likelihoods of y and z.
        symbols: One digest per picture, of the integers that the decoder must find.
    """

    streams: list[bytes]
    estimated_bits: Tensor
    symbols: list[bytes]


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


class StreamCoder:
    """Encode and decode batches of pictures with one codec in eval mode."""

    def __init__(self, codec: Codec) -> None:
        self.codec = codec
        self.z_tables = Tables(codec.entropy_bottleneck)
        self.y_tables = Tables(codec.gaussian_conditional)

    @torch.inference_mode()
    def encode(self, x: Tensor) -> Coded:
        """Return the streams of a batch.

        Args:
            x: float32 [B, 3, H, W] in [0, 1], H and W multiples of 64.
        """
        codec = self.codec
        y = codec.g_a(x)
        z = codec.h_a(y)
        z_symbols = self._quantize_z(z)
        z_hat, scales, means = self._hyper(z_symbols)
        y_symbols = codec.gaussian_conditional.quantize(y, "symbols", means)
        bits = self._estimated_bits(y, z_hat, scales, means)
        indexes = codec.gaussian_conditional.build_indexes(scales)
        z_index = self._z_indexes(z_symbols.shape)
        pictures = zip(_ints(z_symbols), z_index, _ints(y_symbols), _ints(indexes), strict=True)
        streams, digests = [], []
        for z_i, z_row, y_i, y_row in pictures:
            z_string = self.z_tables.encode(z_i, z_row)
            streams.append(join(z_string, self.y_tables.encode(y_i, y_row)))
            digests.append(digest((z_i, y_i)))
        return Coded(streams, bits.cpu(), digests)

    @torch.inference_mode()
    def decode(
        self, streams: Sequence[bytes], height: int, width: int
    ) -> tuple[Tensor, list[bytes]]:
        """Return the pictures, uint8 [B, 3, H, W], and the digests of the symbols found.

        Args:
            streams: The same batch that was encoded together.
            height: Pixels, a multiple of 64.
            width: Pixels, a multiple of 64.

        Raises:
            StreamError: If a stream's parts do not fit its length.
        """
        codec = self.codec
        parts = [split(stream) for stream in streams]
        shape = (len(parts), codec.N, height // 64, width // 64)
        z_index = self._z_indexes(shape)
        z = [
            self.z_tables.decode(part[0], row) for part, row in zip(parts, z_index, strict=True)
        ]
        device = codec.entropy_bottleneck.quantiles.device
        _, scales, means = self._hyper(torch.from_numpy(np.stack(z)).to(device))
        indexes = _ints(codec.gaussian_conditional.build_indexes(scales))
        y = [
            self.y_tables.decode(part[1], row) for part, row in zip(parts, indexes, strict=True)
        ]
        y_symbols = torch.from_numpy(np.stack(y)).to(device)
        y_hat = codec.gaussian_conditional.dequantize(y_symbols, means)
        return to_8_bit(codec.g_s(y_hat)), [digest(pair) for pair in zip(z, y, strict=True)]

    def _medians(self) -> Tensor:
        medians: Tensor = self.codec.entropy_bottleneck._get_medians()
        return medians.detach().reshape(1, -1, 1, 1)

    def _quantize_z(self, z: Tensor) -> Tensor:
        symbols: Tensor = self.codec.entropy_bottleneck.quantize(z, "symbols", self._medians())
        return symbols

    def _hyper(self, z_symbols: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Return z_hat, scales and means: the one path that encoder and decoder share."""
        z_hat = self.codec.entropy_bottleneck.dequantize(z_symbols, self._medians())
        with _one_thread():
            scales, means = self.codec.h_s(z_hat).chunk(2, 1)
        return z_hat, scales, means

    def _estimated_bits(
        self, y: Tensor, z_hat: Tensor, scales: Tensor, means: Tensor
    ) -> Tensor:
        _, p_z = self.codec.entropy_bottleneck(z_hat, training=False)
        _, p_y = self.codec.gaussian_conditional(y, scales, means=means, training=False)
        return likelihood_bits({"y": p_y, "z": p_z})

    @staticmethod
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


def digest(arrays: Iterable[Ints]) -> bytes:
    """Return a digest of integer arrays: 8 bytes, the same on every machine."""
    state = hashlib.blake2b(digest_size=8)
    for array in arrays:
        state.update(array.astype("<i4").tobytes())
    return state.digest()


def to_8_bit(x_hat: Tensor) -> Tensor:
    """Return what a receiver stores: uint8 of pictures in [0, 1], clamped and rounded."""
    return x_hat.clamp(0, 1).mul(255).round().to(torch.uint8)


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
