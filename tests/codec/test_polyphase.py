import pytest
import torch
from torch import nn

from mien.codec.polyphase import Polyphase

DOWN, UP = nn.Conv2d, nn.ConvTranspose2d


def layer_of(kind, c_in, c_out):
    more = {"output_padding": 1} if kind is UP else {}
    return kind(c_in, c_out, 5, stride=2, padding=2, **more)


@torch.inference_mode()
@pytest.mark.parametrize("kind", [DOWN, UP])
@pytest.mark.parametrize("size", [(8, 8), (8, 40), (40, 8), (16, 128), (136, 32)])
@pytest.mark.parametrize("channels", [(1, 1), (5, 3), (64, 96)])
def test_a_layer_is_the_convolution_in_float64(kind, size, channels):
    torch.manual_seed(0)
    layer = layer_of(kind, *channels)
    a = torch.randn(*size, channels[0])
    found = Polyphase.of(layer)(a)
    exact = layer.double()(a.double().permute(2, 0, 1)[None])[0].permute(1, 2, 0)
    assert found.shape == exact.shape
    assert (found - exact).abs().max() < 5e-5 * exact.abs().max()


@torch.inference_mode()
@pytest.mark.parametrize("kind", [DOWN, UP])
def test_the_threads_change_no_bit(kind):
    torch.manual_seed(0)
    plan = Polyphase.of(layer_of(kind, 64, 64))
    a = torch.randn(128, 96, 64)
    before = torch.get_num_threads()
    found = []
    try:
        for n in (1, 2, 3, 7):
            torch.set_num_threads(n)
            found.append(plan(a))
    finally:
        torch.set_num_threads(before)
    assert all(torch.equal(found[0], other) for other in found[1:])


@torch.inference_mode()
@pytest.mark.parametrize("kind", [DOWN, UP])
def test_an_input_in_any_order_of_memory_gives_the_same(kind):
    plan = Polyphase.of(layer_of(kind, 4, 4))
    a = torch.randn(4, 32, 32).permute(1, 2, 0)
    assert torch.equal(plan(a), plan(a.contiguous()))


@pytest.mark.parametrize(("kind", "size"), [(DOWN, (64, 36)), (DOWN, (4, 64)), (UP, (6, 4))])
def test_an_input_that_fills_no_tiles_is_refused(kind, size):
    with pytest.raises(ValueError, match=r"sides must be multiples of [48]: "):
        Polyphase.of(layer_of(kind, 1, 1))(torch.zeros(*size, 1))
