import pytest
import torch
from compressai.layers import GDN
from torch import nn

from mien.codec import stream
from mien.codec.fast import Fast, Gdn, ToFew
from mien.codec.model import new_codec
from mien.codec.stream import coder_of


@pytest.fixture(scope="module")
def x(faces):
    return faces.float().div(255)


@pytest.fixture
def coder(trained_codec, monkeypatch):
    """A coder in the fast mode of a processor without bfloat16."""
    monkeypatch.setattr(stream, "has_bfloat16", lambda: False)
    return coder_of(trained_codec, precision="fast")


@pytest.fixture
def n_threads():
    before = torch.get_num_threads()
    yield torch.set_num_threads
    torch.set_num_threads(before)


def near(found, expected, tolerance=5e-5):
    assert found.shape == expected.shape
    assert (found - expected).abs().max() < tolerance * expected.abs().max()


@torch.inference_mode()
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("size", [(8, 8), (40, 31), (64, 64)])
def test_gdn_is_compressais(inverse, size):
    torch.manual_seed(0)
    layer = GDN(6, inverse=inverse)
    layer.beta.data.mul_(torch.rand(6) + 0.5)
    layer.gamma.data.add_(torch.rand(6, 6))  # no symmetric matrix
    a = torch.randn(*size, 6)
    expected = layer(a.permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    near(Gdn.of(layer)(a.clone()), expected, 1e-6)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(4, 4), (2, 7), (40, 64)])
def test_a_layer_to_few_channels_is_the_transposed_convolution(size):
    torch.manual_seed(0)
    layer = nn.ConvTranspose2d(16, 3, 5, stride=2, padding=2, output_padding=1)
    a = torch.randn(*size, 16)
    exact = layer.double()(a.double().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    near(ToFew.of(layer.float())(a), exact, 1e-6)


@torch.inference_mode()
@pytest.mark.parametrize("size", [(64, 64), (256, 192)])
def test_networks_of_another_width_give_nearly_compressais_numbers(size):
    torch.manual_seed(0)
    codec = new_codec((64, 96)).eval()
    x, y = torch.rand(1, 3, *size), torch.randn(1, 96, size[0] // 16, size[1] // 16)
    near(Fast(codec.g_a)(x), codec.g_a(x))
    near(Fast(codec.g_s)(y), codec.g_s(y))


@torch.inference_mode()
def test_a_network_changes_nothing_of_its_input():
    codec = new_codec((16, 24)).eval()
    x = torch.rand(1, 16, 64, 64).contiguous(memory_format=torch.channels_last)
    before = x.clone()
    Fast(codec.g_a[1:2])(x)  # GDN, in place
    assert torch.equal(x, before)


def test_a_layer_it_does_not_know_is_refused():
    with pytest.raises(TypeError, match="no layer of g_a or g_s"):
        Fast(nn.Sequential(nn.MaxPool2d(2)))


def test_all_layers_between_many_channels_go_by_winograd():
    codec = new_codec((16, 24))
    kinds = [
        [type(step).__name__ for step in Fast(net).steps] for net in (codec.g_a, codec.g_s)
    ]
    assert kinds[0] == ["partial", *["Gdn", "Polyphase"] * 3]
    assert kinds[1] == [*["Polyphase", "Gdn"] * 3, "ToFew"]


def test_its_streams_decode_to_their_symbols_in_either_mode(coder, trained_codec, x):
    plain = coder_of(trained_codec)
    coded = coder.encode(x)
    images, symbols = coder.decode(coded.streams, 128, 128)
    expected, same = plain.decode(coded.streams, 128, 128)
    assert symbols == same == coded.symbols
    assert (images.int() - expected.int()).abs().max() <= 1
    assert (images != expected).float().mean() < 1e-3


def test_its_bytes_and_pictures_are_nearly_those_of_float32(coder, trained_codec, x):
    plain = coder_of(trained_codec)
    n_bytes, mse = [], []
    for one in (coder, plain):
        streams = one.encode(x).streams
        images, _ = one.decode(streams, 128, 128)
        n_bytes.append(sum(map(len, streams)))
        mse.append((images / 255 - x).square().mean())
    assert abs(n_bytes[0] / n_bytes[1] - 1) < 1e-3
    assert 10 * torch.log10(mse[0] / mse[1]).abs() < 0.01


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [1, 5])
def test_threads_and_batches_change_no_bit(coder, x, n_threads, threads, batch):
    coded = coder.encode(x)
    images, _ = coder.decode(coded.streams, 128, 128)
    n_threads(threads)
    for i in range(0, len(x), batch):
        part = coded.streams[i : i + batch]
        assert coder.encode(x[i : i + batch]).streams == part
        assert torch.equal(coder.decode(part, 128, 128)[0], images[i : i + batch])


def test_where_bfloat16_is_fast_the_fast_mode_is_that(trained_codec, monkeypatch):
    monkeypatch.setattr(stream, "has_bfloat16", lambda: True)
    coder = coder_of(trained_codec, precision="fast")
    assert coder.dtype is torch.bfloat16
    assert coder.g_a.args == (trained_codec.g_a,)


def test_float32_runs_the_codecs_own_networks(trained_codec):
    coder = coder_of(trained_codec)
    assert coder.g_a.args == (trained_codec.g_a,)
    assert coder.g_s.args == (trained_codec.g_s,)
    assert coder.dtype is torch.float32
