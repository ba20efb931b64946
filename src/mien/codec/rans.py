"""The entropy coder: rANS whose stream is one number, as long as it has to be.

    symbols, rows --_encode, last symbol first--> bytes --_decode--> symbols

The state x is kept in [2^48, 2^56) and moves through bytes: coding a symbol of frequency f (of
2^16) and cumulative frequency c makes x into (x // f) * 2^16 + x % f + c, after its low bytes
were moved out until the result fits. It starts at 1, not at 2^48, and ends in as many bytes as
it needs: a decoder that finds no byte left goes on with a small state. So a stream is shorter
than CompressAI's by the 31 bits its state starts with and the up to 32 it does not use. While
the state is 1, a row's likeliest symbol, whose frequencies come first, costs nothing.

Everything is in 64-bit integers, so all machines agree; a decoder reads no byte beyond the
stream and makes no symbol beyond those asked for, whatever the bytes are. The kernels are
compiled by numba, and let other threads run. docs/format.md has the arithmetic in full.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from mien.codec.tables import PRECISION, TOTAL, Table
from mien.errors import StreamError

Ints = npt.NDArray[np.int32]
Bytes = npt.NDArray[np.uint8]

STATE_BYTES = 7  # of a state of at least _LOW
_LOW = 1 << 48
_LENGTH_BITS = 5  # of the number of bits of an escaped value
MAX_LENGTH = 24
_MOST_BYTES = 9  # of one symbol: its row's escape, the length and the bits of its value


class Decoder:
    """Reads symbols off one stream, in as many pieces as the reader likes."""

    def __init__(self, stream: bytes) -> None:
        """Take up a stream.

        Raises:
            StreamError: If no coder can have written it.
        """
        if not stream or stream[0] == 0:
            raise StreamError(f"a stream of {len(stream)} bytes starts with none or with 0")
        self._data = np.frombuffer(stream, np.uint8)
        head = stream[:STATE_BYTES]
        self._state = np.array([int.from_bytes(head, "big"), len(head)], np.int64)

    def read(self, rows: Ints, table: Table) -> Ints:
        """Return the next symbols, in the shape of `rows`, which says the row of each.

        Raises:
            StreamError: If an escaped value is longer than any that is written.
        """
        symbols = np.empty(rows.size, np.int32)
        flat = np.ascontiguousarray(rows, np.int32).reshape(-1)
        ok = _decode(
            self._data,
            self._state,
            flat,
            table.cdf,
            table.starts,
            table.first,
            table.mode,
            symbols,
        )
        if not ok:
            raise StreamError("a stream holds a value that no encoder writes")
        return symbols.reshape(rows.shape)

    def finish(self) -> None:
        """Check that the stream ends where its symbols do, as an undamaged one does.

        A damaged one may, too: whoever holds streams keeps a checksum of them.

        Raises:
            StreamError: If bytes are left, or the state is not the one coding starts with.
        """
        state, position = self._state.tolist()
        if state != 1 or position != len(self._data):
            raise StreamError(
                f"a stream of {len(self._data)} bytes does not end with its symbols"
            )


def encode(symbols: Ints, rows: Ints, table: Table) -> bytes:
    """Return the stream of symbols, each coded with a row of the table.

    Raises:
        StreamError: If a symbol is further than 2^24 / 2 from what its row holds.
    """
    out = np.empty(_MOST_BYTES * symbols.size + STATE_BYTES + 1, np.uint8)
    start = _encode(
        np.ascontiguousarray(symbols, np.int32).reshape(-1),
        np.ascontiguousarray(rows, np.int32).reshape(-1),
        table.cdf,
        table.starts,
        table.first,
        table.mode,
        out,
    )
    if start < 0:
        raise StreamError(
            "a latent is too large to be coded: the codec's weights do not fit the picture"
        )
    return out[start:].tobytes()


@njit(cache=True, nogil=True)
def _encode(symbols, rows, cdf, starts, first, mode, out):  # type: ignore[no-untyped-def]
    """Fill `out` from its end; return where the stream starts, or -1."""
    x = 1
    at = len(out)
    for i in range(len(symbols) - 1, -1, -1):
        row = rows[i]
        begin = np.int64(starts[row])
        escape = starts[row + 1] - begin - 2
        entry = np.int64(symbols[i]) - first[row]
        if 0 <= entry < escape:
            entry -= mode[row]
            if entry < 0:
                entry += escape
        else:
            value = -2 * entry if entry < 0 else 2 * (entry - escape) + 1
            length = 0
            while value >> (length + 1):
                length += 1
            if length > MAX_LENGTH:
                return -1
            low = min(length, PRECISION)
            x, at = _put(x, at, out, value & ((1 << low) - 1), low)
            rest = value - (1 << length)
            x, at = _put(x, at, out, rest >> low, length - low)
            x, at = _put(x, at, out, length, _LENGTH_BITS)
            entry = escape
        start = np.int64(cdf[begin + entry])
        x, at = _push(x, at, out, start, cdf[begin + entry + 1] - start)
    while x:
        at -= 1
        out[at] = x & 255
        x >>= 8
    return at


@njit(cache=True, nogil=True)
def _push(x, at, out, start, frequency):  # type: ignore[no-untyped-def]
    while x >= frequency << 40:
        at -= 1
        out[at] = x & 255
        x >>= 8
    return ((x // frequency) << PRECISION) + x % frequency + start, at


@njit(cache=True, nogil=True)
def _put(x, at, out, value, bits):  # type: ignore[no-untyped-def]
    """Code the low `bits` (at most 16) of a value, all equally likely."""
    rest = PRECISION - bits
    return _push(x, at, out, (value & ((1 << bits) - 1)) << rest, 1 << rest)


@njit(cache=True, nogil=True)
def _decode(data, state, rows, cdf, starts, first, mode, symbols):  # type: ignore[no-untyped-def]
    x = state[0]
    at = state[1]
    for i in range(len(rows)):
        row = rows[i]
        begin = np.int64(starts[row])
        escape = starts[row + 1] - begin - 2
        slot = x & (TOTAL - 1)
        low = 0
        high = escape
        while low < high:
            middle = (low + high + 1) >> 1
            if cdf[begin + middle] <= slot:
                low = middle
            else:
                high = middle - 1
        start = np.int64(cdf[begin + low])
        x, at = _pop(x, at, data, start, cdf[begin + low + 1] - start)
        if low < escape:
            entry = low + mode[row]
            symbols[i] = first[row] + (entry - escape if entry >= escape else entry)
            continue
        length, x, at = _get(x, at, data, _LENGTH_BITS)
        if length > MAX_LENGTH:
            return False
        n_low = min(length, PRECISION)
        upper, x, at = _get(x, at, data, length - n_low)
        lower, x, at = _get(x, at, data, n_low)
        value = (1 << length) + (upper << n_low) + lower
        entry = escape + (value >> 1) if value & 1 else -(value >> 1)
        symbols[i] = first[row] + entry
    state[0] = x
    state[1] = at
    return True


@njit(cache=True, nogil=True)
def _pop(x, at, data, start, frequency):  # type: ignore[no-untyped-def]
    x = frequency * (x >> PRECISION) + (x & (TOTAL - 1)) - start
    while x < _LOW and at < len(data):
        x = (x << 8) | data[at]
        at += 1
    return x, at


@njit(cache=True, nogil=True)
def _get(x, at, data, bits):  # type: ignore[no-untyped-def]
    rest = PRECISION - bits
    value = (x & (TOTAL - 1)) >> rest
    x, at = _pop(x, at, data, value << rest, 1 << rest)
    return value, x, at
