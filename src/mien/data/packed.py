"""Many records in little memory: pickled and compressed by the hundred.

300,000 records of a data set are half a gigabyte as objects and a tenth of that in blocks. The
blocks are also what goes to worker processes and comes back.
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Collection, Iterable, Iterator
from typing import TypeVar

BLOCK = 128  # records; what a worker process is sent at a time

T = TypeVar("T")


def pack(records: list[T]) -> bytes:
    """Return a block of records."""
    return zlib.compress(pickle.dumps(records), level=1)


def unpack(block: bytes) -> list[T]:
    """Return the records of a block, which this program made a moment ago."""
    records: list[T] = pickle.loads(zlib.decompress(block))
    return records


class Packed(Collection[T]):
    """Records that are appended at the end and read from the front, as often as needed."""

    def __init__(self, records: Iterable[T] = ()) -> None:
        self._full: list[bytes] = []
        self._last: list[T] = []
        for record in records:
            self.append(record)

    def append(self, record: T) -> None:
        """Add one record."""
        self._last.append(record)
        if len(self._last) == BLOCK:
            self._full.append(pack(self._last))
            self._last = []

    def blocks(self) -> list[bytes]:
        """Return all records in blocks, in their order."""
        return [*self._full, pack(self._last)] if self._last else self._full

    def __len__(self) -> int:
        """Return how many records there are."""
        return BLOCK * len(self._full) + len(self._last)

    def __contains__(self, record: object) -> bool:
        """Return whether there is an equal record, unpacking all of them."""
        return any(record == other for other in self)

    def __iter__(self) -> Iterator[T]:
        """Unpack one block after the other."""
        for block in self._full:
            yield from unpack(block)
        yield from self._last
