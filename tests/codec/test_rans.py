import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.codec import rans
from mien.codec.tables import TOTAL, Table
from mien.errors import StreamError


def table_of(rows, first, mode=None):
    mode = np.zeros(len(rows)) if mode is None else mode
    starts = np.cumsum([0, *map(len, rows)])
    arrays = (np.concatenate(rows), starts, first, mode)
    return Table(*(np.asarray(array, np.int32) for array in arrays))


def random_table(random, n_rows):
    rows = []
    for _ in range(n_rows):
        inner = random.choice(np.arange(1, TOTAL), random.integers(0, 40), replace=False)
        rows.append(np.concatenate([[0], np.sort(inner), [TOTAL]]))
    modes = [random.integers(0, max(1, len(row) - 2)) for row in rows]
    return table_of(rows, random.integers(-20, 20, n_rows), modes)


def read(stream, rows, table):
    decoder = rans.Decoder(stream)
    symbols = decoder.read(rows, table)
    decoder.finish()
    return symbols


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 300),
    spread=st.sampled_from([0, 1, 10, 1000, 8_000_000]),
)
def test_symbols_come_back_whatever_rows_and_symbols(seed, n, spread):
    random = np.random.default_rng(seed)
    table = random_table(random, 7)
    rows = random.integers(0, 7, n).astype(np.int32)
    symbols = np.rint(spread * random.uniform(-1, 1, n)).astype(np.int32)
    stream = rans.encode(symbols, rows, table)
    assert read(stream, rows, table).tolist() == symbols.tolist()
    assert stream[0] != 0


def test_reading_in_pieces_is_reading_at_once():
    random = np.random.default_rng(1)
    table = random_table(random, 5)
    rows = random.integers(0, 5, (4, 50)).astype(np.int32)
    symbols = random.integers(-30, 30, (4, 50)).astype(np.int32)
    decoder = rans.Decoder(rans.encode(symbols, rows, table))
    pieces = [decoder.read(part, table) for part in rows]
    decoder.finish()
    assert np.array_equal(np.stack(pieces), symbols)


@pytest.mark.parametrize("n", [3, 20, 500, 20_000])
def test_a_stream_is_as_long_as_its_information(n):
    random = np.random.default_rng(n)
    counts = np.array([1, 50, 3000, 60000, 2000, 484, 1])
    table = table_of([np.concatenate([[0], np.cumsum(counts)])], [-3])
    symbols = random.choice(6, n, p=counts[:-1] / counts[:-1].sum()).astype(np.int32) - 3
    bits = -np.log2(counts[symbols + 3] / TOTAL).sum()
    n_bytes = len(rans.encode(symbols, np.zeros(n, np.int32), table))
    assert bits / 8 - 1e-6 * n <= n_bytes <= bits / 8 + 3 + 1e-6 * n


def test_an_escape_costs_its_row_and_the_length_of_the_value():
    table = table_of([np.array([0, TOTAL - 1, TOTAL])], [0])
    near, far = (
        len(rans.encode(np.full(100, value, np.int32), np.zeros(100, np.int32), table))
        for value in (1, 1001)
    )
    assert near == pytest.approx(100 * (16 + 5 + 0) / 8, abs=14)
    assert far == pytest.approx(100 * (16 + 5 + 11) / 8, abs=14)


@settings(max_examples=150, deadline=None)
@given(data=st.binary(max_size=60), seed=st.integers(0, 100))
def test_any_bytes_give_symbols_or_a_stream_error(data, seed):
    random = np.random.default_rng(seed)
    table = random_table(random, 3)
    rows = random.integers(0, 3, 200).astype(np.int32)
    try:
        decoder = rans.Decoder(data)
        symbols = decoder.read(rows, table)
    except StreamError:
        return
    assert symbols.shape == rows.shape


def test_at_the_end_of_a_stream_likely_symbols_are_free():
    table = table_of([np.array([0, TOTAL - 9, TOTAL - 5, TOTAL])], [4], [1])
    symbols = np.full(5000, 5, np.int32)
    assert rans.encode(symbols, np.zeros(5000, np.int32), table) == b"\1"
    symbols[0] = 4
    assert len(rans.encode(symbols, np.zeros(5000, np.int32), table)) == 2


def test_bytes_left_over_are_refused():
    table = table_of([np.array([0, 1 << 15, TOTAL])], [0])
    rows = np.zeros(3, np.int32)
    stream = rans.encode(np.zeros(3, np.int32), rows, table)
    with pytest.raises(StreamError, match="does not end with its symbols"):
        read(stream + bytes(20), rows, table)


@pytest.mark.parametrize("stream", [b"", b"\0", b"\0\1\2\3\4\5\6\7\10"])
def test_a_stream_that_no_encoder_starts_is_refused(stream):
    with pytest.raises(StreamError, match="starts with none or with 0"):
        rans.Decoder(stream)


@pytest.mark.parametrize("symbol", [2**25, -(2**25)])
def test_a_symbol_too_large_is_refused(symbol):
    table = table_of([np.array([0, TOTAL - 1, TOTAL])], [0])
    with pytest.raises(StreamError, match="too large to be coded"):
        rans.encode(np.array([0, symbol], np.int32), np.zeros(2, np.int32), table)


@pytest.mark.parametrize(
    ("cdf", "starts", "first", "mode"),
    [
        ([0, TOTAL], [0, 2], [0, 0], [0]),  # more rows than starts
        ([0, TOTAL], [0, 1], [0], [0]),  # a row beyond
        ([0, TOTAL, 0], [0, 2, 3], [0, 0], [0, 0]),  # no entry
        ([0, 5, 5, TOTAL], [0, 4], [0], [0]),  # a frequency of 0
        ([0, 5, TOTAL - 1], [0, 3], [0], [0]),  # short of the total
        ([1, 5, TOTAL], [0, 3], [0], [0]),  # not from 0
        ([0, 5, 9, TOTAL], [0, 4], [0], [2]),  # the mode is the escape
    ],
)
def test_a_malformed_table_is_refused(cdf, starts, first, mode):
    with pytest.raises(ValueError, match="coding table"):
        Table(*(np.array(array, np.int32) for array in (cdf, starts, first, mode)))
