import numpy as np
import pytest
import torch

from mien.codec.latents import STOCK
from mien.codec.stock import join, split
from mien.codec.stream import coder_of, to_8_bit
from mien.errors import StreamError


@pytest.fixture(scope="module")
def x(faces):
    return faces[:5].float().div(255)


@pytest.fixture(scope="module")
def coder(trained_codec):
    return coder_of(trained_codec, entropy=STOCK)


def test_the_streams_hold_exactly_the_strings_of_compressai(coder, trained_codec, x):
    with torch.inference_mode():
        y_strings, z_strings = trained_codec.compress(x)["strings"]
    parts = [split(stream) for stream in coder.encode(x).streams]
    assert [z for z, _ in parts] == z_strings
    assert [y for _, y in parts] == y_strings


def test_decoding_gives_the_picture_that_compressai_decodes(coder, trained_codec, x):
    streams = coder.encode(x).streams
    images, _ = coder.decode(streams, 128, 128)
    with torch.inference_mode():
        out = trained_codec.compress(x)
        expected = trained_codec.decompress(out["strings"], out["shape"])["x_hat"]
    # A batch and its pictures one by one may differ in the last bit of float32, and so round.
    differences = (images.int() - to_8_bit(expected).int()).abs()
    assert differences.max() <= 1
    assert differences.float().mean() < 1e-3


def test_the_decoder_finds_the_symbols_of_the_encoder(coder, x):
    coded = coder.encode(x)
    _, symbols = coder.decode(coded.streams, 128, 128)
    assert symbols == coded.symbols
    assert len(set(symbols)) == len(x)


def test_a_picture_does_not_depend_on_the_number_of_threads(coder, x):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        coded = coder.encode(x)
        torch.set_num_threads(1)
        _, symbols = coder.decode(coded.streams, 128, 128)
    finally:
        torch.set_num_threads(before)
    assert symbols == coded.symbols


def test_the_estimate_is_the_likelihood_of_the_rounded_latents(coder, trained_codec, x):
    with torch.inference_mode():
        likelihoods = trained_codec(x)["likelihoods"]
    bits = sum(-np.log2(p.double().numpy()).sum(axis=(1, 2, 3)) for p in likelihoods.values())
    np.testing.assert_allclose(coder.estimated_bits(coder.analyse(x)).numpy(), bits, rtol=1e-4)


def test_the_stored_bytes_are_a_little_more_than_the_estimate(coder, x):
    coded = coder.encode(x)
    stored = np.array([8 * len(stream) for stream in coded.streams])
    excess = stored - coder.estimated_bits(coder.analyse(x)).numpy()
    assert (excess > 0).all()
    assert (excess < 8 * (2 * 8 + 1) + 0.06 * stored).all()


def test_a_codec_that_uses_several_symbols_is_under_test(coder, x):
    assert min(len(stream) for stream in coder.encode(x).streams) > 60


@pytest.mark.parametrize("words", [2, 127, 128, 20_000])
def test_join_and_split_are_inverse(words):
    z, y = bytes(4 * words), b"12345678"
    assert split(join(z, y)) == (z, y)


@pytest.mark.parametrize(
    "stream", [b"", b"\xff", b"\xff\xff\xff\xff\xff", b"\x02" + bytes(8), b"\x09" + bytes(20)]
)
def test_a_stream_whose_parts_do_not_fit_is_refused(stream):
    with pytest.raises(StreamError):
        split(stream)


def test_pictures_are_clamped_and_rounded_not_cut():
    x_hat = torch.tensor([-0.2, 0.0, 0.6 / 255, 1.0, 1.3])
    assert to_8_bit(x_hat).tolist() == [0, 0, 1, 255, 255]
