"""One picture of any size: it comes back in its size, and damage never gives a picture."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from mien.codec.container import MOST_PIXELS, Container, parse
from mien.codec.integers import codec_id, exported
from mien.codec.picture import decode_picture, encode_picture, padded
from mien.codec.stream import Loaded, coder_of
from mien.errors import StreamError


@pytest.fixture(scope="module")
def loaded(trained_codec):
    integers = exported(trained_codec)
    return Loaded(coder_of(trained_codec, integers), codec_id(trained_codec, integers), {})


@pytest.fixture(scope="module")
def face(faces):
    return faces[3].permute(1, 2, 0).numpy()


def of_size(face, height, width):
    return np.tile(face, (3, 3, 1))[:height, :width]


@pytest.mark.parametrize("block", range(10))
def test_every_side_from_1_to_300_comes_back(loaded, face, block):
    for height in range(1 + 30 * block, 31 + 30 * block):
        width = height * 7 % 301  # 7 is prime to 301 = 7 * 43 but for multiples of 43
        width = width or 301 - height
        picture = of_size(face, height, width)
        encoded = encode_picture(loaded, picture)
        decoded, symbols = decode_picture(loaded, encoded.data)
        assert decoded.shape == picture.shape
        assert decoded.dtype == np.uint8
        assert symbols == encoded.symbols


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 300), st.integers(1, 300))
def test_any_two_sides_come_back(loaded, face, height, width):
    picture = of_size(face, height, width)
    encoded = encode_picture(loaded, picture)
    decoded, symbols = decode_picture(loaded, encoded.data)
    assert decoded.shape == picture.shape
    assert symbols == encoded.symbols


def test_the_picture_comes_back_where_it_was(loaded, face):
    """A crop of the wrong corner, or height for width, would be far off."""
    picture = of_size(face, 100, 128)
    decoded, _ = decode_picture(loaded, encode_picture(loaded, picture).data)
    error = np.abs(decoded.astype(int) - picture).mean()
    moved = np.abs(np.roll(decoded, 28, axis=0).astype(int) - picture).mean()
    assert error < 0.6 * moved


def test_a_picture_is_coded_the_same_alone_and_after_others(loaded, face):
    first = encode_picture(loaded, face).data
    encode_picture(loaded, of_size(face, 30, 200))
    assert encode_picture(loaded, face).data == first


def test_borders_go_on_as_they_end():
    x = torch.rand(1, 3, 70, 64)
    grown = padded(x)
    assert grown.shape == (1, 3, 128, 64)
    assert torch.equal(grown[:, :, :70], x)
    assert torch.equal(grown[:, :, 70:], x[:, :, -1:].expand(1, 3, 58, 64))
    assert padded(grown) is grown


def test_another_codec_is_named(loaded, face):
    data = encode_picture(loaded, face).data
    other = Loaded(loaded.coder, "f" * 16, {})
    with pytest.raises(StreamError, match=rf"written by codec {loaded.codec_id[:8]}\.\., not"):
        decode_picture(other, data)


def test_a_picture_too_large_is_refused_before_anything_is_made(loaded):
    side = int(MOST_PIXELS**0.5) + 1
    row = np.zeros((1, 1, 3), np.uint8)
    with pytest.raises(StreamError, match="16 million"):
        encode_picture(loaded, np.broadcast_to(row, (side, side, 3)))
    forged = Container(loaded.codec_id[:8], 1 << 20, 1 << 20, b"\x01").to_bytes()
    with pytest.raises(StreamError, match="16 million"):
        decode_picture(loaded, forged)


def test_a_forged_size_is_seen(loaded, face):
    """Its checksum fits: the stream must not end where the symbols of another size do."""
    container = parse(encode_picture(loaded, face).data)
    for width, height in ((64, 64), (192, 128), (128, 256), (640, 640)):
        forged = Container(container.codec, width, height, container.stream)
        with pytest.raises(StreamError):
            decode_picture(loaded, forged.to_bytes())


@settings(max_examples=150, deadline=None)
@given(data=st.data())
def test_damage_never_gives_a_picture(loaded, face, data):
    whole = encode_picture(loaded, of_size(face, 64, 64)).data
    kind = data.draw(st.sampled_from(["flip", "cut", "splice", "random", "extended"]))
    place = data.draw(st.integers(0, len(whole) - 1))
    some = data.draw(st.binary(min_size=1, max_size=20))
    damaged = {
        "flip": whole[:place] + bytes([whole[place] ^ (some[0] or 1)]) + whole[place + 1 :],
        "cut": whole[:place],
        "splice": whole[:place] + some + whole[place:],
        "random": whole[:place] + some,
        "extended": whole + some,
    }[kind]
    if damaged == whole:
        return
    with pytest.raises(StreamError):
        decode_picture(loaded, damaged)
