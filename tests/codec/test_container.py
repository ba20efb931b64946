import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.codec.container import MAGIC, VERSION, Container, parse
from mien.errors import StreamError

WHOLE = Container("0123abcd", 300, 64, b"\x01\x02\x03stream")
sides = st.integers(1, (1 << 21) - 1)


@given(st.binary(min_size=4, max_size=4), sides, sides, st.binary(min_size=1, max_size=40))
def test_what_is_written_is_read(codec, width, height, stream):
    container = Container(codec.hex(), width, height, stream)
    assert parse(container.to_bytes()) == container


def test_a_picture_of_256_pixels_costs_17_bytes_around_its_stream():
    assert len(Container("0123abcd", 256, 256, b"stream").to_bytes()) == 17 + len(b"stream")


def test_the_bytes_are_those_of_the_format():
    data = WHOLE.to_bytes()
    head = b"mien\x01" + bytes.fromhex("0123abcd") + b"\xac\x02" + b"\x40"
    assert data[: len(head)] == head
    assert data[len(head) + 4 :] == WHOLE.stream


@pytest.mark.parametrize("position", range(len(WHOLE.to_bytes())))
def test_no_changed_byte_goes_unseen(position):
    data = bytearray(WHOLE.to_bytes())
    for change in (1, 0x80, 0xFF):
        changed = (
            bytes(data[:position]) + bytes([data[position] ^ change]) + data[position + 1 :]
        )
        with pytest.raises(StreamError):
            parse(bytes(changed))


@pytest.mark.parametrize("length", range(len(WHOLE.to_bytes())))
def test_no_truncation_goes_unseen(length):
    with pytest.raises(StreamError):
        parse(WHOLE.to_bytes()[:length])


def test_an_extension_is_seen():
    with pytest.raises(StreamError, match="damaged: its checksum"):
        parse(WHOLE.to_bytes() + b"\0")


def test_another_version_is_named():
    data = WHOLE.to_bytes()
    newer = MAGIC + bytes([VERSION + 1]) + data[5:]
    with pytest.raises(StreamError, match="format version 2, this mien reads 1"):
        parse(newer)


def test_other_files_are_called_that():
    with pytest.raises(StreamError, match=r"not a \.mien file"):
        parse(b"\xff\xd8\xff\xe0 a JPEG")


@pytest.mark.parametrize("side", [0, 1 << 21])
def test_sides_that_no_number_holds_are_the_callers_mistake(side):
    with pytest.raises(ValueError, match="pixels"):
        Container("0123abcd", side, 64, b"x").to_bytes()


@given(st.binary(max_size=60))
def test_random_bytes_are_refused(data):
    with pytest.raises(StreamError):
        parse(MAGIC + bytes([VERSION]) + data)
