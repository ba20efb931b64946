"""One sample in a tar file, byte by byte: `<key>.json`, then `<key>.<suffix>`.

That is WebDataset's format. Both members with their headers and padding are the sample's
*region*; the regions of a shard follow each other from its first byte, and an end mark of
zeros follows the last.
"""

from __future__ import annotations

import json
import tarfile
from typing import Any

_BLOCK = tarfile.BLOCKSIZE


def region(key: str, facts: dict[str, Any], suffix: str, picture: bytes) -> bytes:
    """Return one sample as it stands in a tar file, the same bytes whenever it is written.

    Args:
        key: Without a dot: WebDataset ends a key at the first one.
        facts: What `<key>.json` is to say.
        suffix: Of the picture's file name, without a dot.
        picture: The bytes of the picture's file.
    """
    text = json.dumps(facts, sort_keys=True).encode()
    return _member(f"{key}.json", text) + _member(f"{key}.{suffix}", picture)


def _member(name: str, data: bytes) -> bytes:
    return _header(name.encode(), len(data)) + data + b"\0" * (-len(data) % _BLOCK)


# Of a nameless empty file: time, owner and group 0, mode 644. Only name, size and checksum
# differ from member to member, and filling them in is faster than asking tarfile each time.
_EMPTY = tarfile.TarInfo("").tobuf(tarfile.USTAR_FORMAT)
_NAME, _SIZE, _CHECKSUM = 100, slice(124, 135), slice(148, 156)  # bytes of the header


def _header(name: bytes, size: int) -> bytes:
    if len(name) > _NAME:
        raise ValueError(f"{name!r} is longer than the {_NAME} bytes of a member's name")
    header = bytearray(_EMPTY)
    header[: len(name)] = name
    header[_SIZE] = b"%011o" % size
    header[_CHECKSUM] = b" " * 8  # counted as blanks
    header[_CHECKSUM] = b"%06o\0 " % sum(header)
    return bytes(header)


def end_mark(n_bytes: int) -> bytes:
    """Return what ends a tar file after regions of `n_bytes` in all."""
    return b"\0" * (2 * _BLOCK + -(n_bytes + 2 * _BLOCK) % tarfile.RECORDSIZE)


def picture_of(sample: bytes) -> memoryview:
    """Return the picture's bytes in a region that `region` made."""
    header = -(-_size(sample, 0) // _BLOCK) * _BLOCK + _BLOCK
    start = header + _BLOCK
    return memoryview(sample)[start : start + _size(sample, header)]


def _size(sample: bytes, header: int) -> int:
    return int(sample[header : header + _BLOCK][_SIZE], 8)
