"""A decoder written from docs/format.md alone, in Python's own integers, slow and plain."""

from __future__ import annotations

import zlib
from dataclasses import dataclass

import numpy as np

from tests.support.integers import hyper_synthesis


@dataclass
class Reader:
    """The state x and the bytes that are left."""

    x: int
    rest: bytes

    @classmethod
    def of(cls, stream: bytes) -> Reader:
        return cls(int.from_bytes(stream[:7], "big"), stream[7:])

    def taken(self, start: int, frequency: int) -> None:
        slot = self.x & 65535
        self.x = frequency * (self.x >> 16) + slot - start
        while self.x < 1 << 48 and self.rest:
            self.x = self.x << 8 | self.rest[0]
            self.rest = self.rest[1:]

    def bits(self, k: int) -> int:
        value = (self.x & 65535) >> (16 - k)
        self.taken(value << (16 - k), 1 << (16 - k))
        return value

    def symbol(self, cdf: list[int], first: int, mode: int) -> int:
        size = len(cdf) - 2  # S = K - 1 symbols, then the escape
        slot = self.x & 65535
        (entry,) = [e for e in range(size + 1) if cdf[e] <= slot < cdf[e + 1]]
        self.taken(cdf[entry], cdf[entry + 1] - cdf[entry])
        if entry < size:
            return first + (mode + entry) % size
        n = self.bits(5)
        assert n <= 24
        upper = self.bits(n - 16) if n > 16 else 0
        value = (1 << n) + (upper << min(n, 16)) + self.bits(min(n, 16))
        return first - value // 2 if value % 2 == 0 else first + size + (value - 1) // 2


def symbols(
    stream: bytes, integers: dict[str, np.ndarray], height: int, width: int
) -> tuple[np.ndarray, np.ndarray]:
    """Return the symbols of z [N, h, w] and y [M, 4 h, 4 w] of a padded picture's stream."""
    starts = integers["table.starts"].tolist()
    cdf = integers["table.cdf"].tolist()
    first, mode = (integers[f"table.{name}"].tolist() for name in ("first", "mode"))

    def row(r: int) -> tuple[list[int], int, int]:
        return cdf[starts[r] : starts[r + 1]], first[r], mode[r]

    reader = Reader.of(stream)
    n_z = len(integers["hyper.medians"])
    place = (height // 64, width // 64)
    z = [[reader.symbol(*row(c)) for _ in range(place[0] * place[1])] for c in range(n_z)]
    z_symbols = np.array(z, np.int64).reshape(1, n_z, *place)
    hyper = {name.removeprefix("hyper."): array for name, array in integers.items()}
    indexes, _ = hyper_synthesis(hyper, z_symbols)
    y = [reader.symbol(*row(n_z + int(i))) for i in indexes[0].reshape(-1)]
    assert (reader.x, reader.rest) == (1, b"")
    return z_symbols[0], np.array(y, np.int64).reshape(indexes[0].shape)


def opened(data: bytes) -> tuple[bytes, int, int, bytes]:
    """Return the codec's first bytes, width, height and stream of a `.mien` file."""
    assert data[:5] == b"mien\x01"
    codec, at = data[5:9], 9
    sides = []
    for _ in range(2):
        side = shift = 0
        while True:
            byte = data[at]
            side |= (byte & 127) << shift
            at, shift = at + 1, shift + 7
            if byte < 128:
                break
        sides.append(side)
    crc = int.from_bytes(data[at : at + 4], "big")
    assert crc == zlib.crc32(data[:at] + data[at + 4 :])
    return codec, sides[0], sides[1], data[at + 4 :]
