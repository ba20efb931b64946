"""`.mien`: one picture in one file, whole by its checksum and tied to its codec by name.

    "mien" | version | codec | width | height | CRC-32 | stream
      4         1        4      1-3      1-3       4     the rest

17 bytes and the stream for a picture of 256x256. docs/format.md has it byte by byte.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from mien.errors import StreamError

MAGIC = b"mien"
VERSION = 1
CODEC_BYTES = 4  # the first of the codec's id
MOST_PIXELS = 1 << 24  # of a padded picture: what decoding one may take is bounded, 8 GB
_CRC_BYTES = 4
_MOST_DIGITS = 3  # bytes of a side: below 2^21
_SMALLEST = len(MAGIC) + 1 + CODEC_BYTES + 2 + _CRC_BYTES + 1


@dataclass(frozen=True)
class Container:
    """What a `.mien` file says.

    Attributes:
        codec: The first 8 hexadecimal digits of the id of the only codec that decodes it.
        width: Of the picture, pixels.
        height: Pixels.
        stream: Of the picture padded to multiples of 64.
    """

    codec: str
    width: int
    height: int
    stream: bytes

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        codec = bytes.fromhex(self.codec)[:CODEC_BYTES]
        head = MAGIC + bytes([VERSION]) + codec + _varint(self.width) + _varint(self.height)
        return head + _checksum(head, self.stream) + self.stream


def parse(data: bytes) -> Container:
    """Return what the bytes of a `.mien` file say, after checking that they are whole.

    Raises:
        StreamError: If they are not, or are of a version this mien does not read.
    """
    if data[: len(MAGIC)] != MAGIC:
        raise StreamError("not a .mien file: it does not start with `mien`")
    if len(data) < _SMALLEST:
        raise StreamError(f"cut short: {len(data)} bytes, a .mien file has {_SMALLEST} or more")
    if (version := data[len(MAGIC)]) != VERSION:
        raise StreamError(f"format version {version}, this mien reads {VERSION}")
    start = len(MAGIC) + 1 + CODEC_BYTES
    codec = data[start - CODEC_BYTES : start].hex()
    width, start = _read_varint(data, start)
    height, start = _read_varint(data, start)
    stream = data[start + _CRC_BYTES :]
    if data[start : start + _CRC_BYTES] != _checksum(data[:start], stream):
        raise StreamError("damaged: its checksum is that of other bytes")
    return Container(codec, width, height, stream)


def _checksum(head: bytes, stream: bytes) -> bytes:
    return zlib.crc32(stream, zlib.crc32(head)).to_bytes(_CRC_BYTES, "big")


def _varint(number: int) -> bytes:
    if not 0 < number < 1 << 7 * _MOST_DIGITS:
        raise ValueError(f"a side of {number} pixels")
    digits = bytearray()
    while number >= 128:
        digits.append(number & 127 | 128)
        number >>= 7
    return bytes([*digits, number])


def _read_varint(data: bytes, start: int) -> tuple[int, int]:
    """Return a number above 0 and where it ends; the shortest form alone is one."""
    number = 0
    for position in range(_MOST_DIGITS):
        byte = data[start + position] if start + position < len(data) else 0
        number |= (byte & 127) << 7 * position
        if byte < 128:
            if byte == 0:
                break
            return number, start + position + 1
    raise StreamError("damaged: a side is no number of pixels")
