import dataclasses

import numpy as np
import pytest
import torch

from mien.codec import hyperprior
from mien.codec.hyperprior import LIMIT, ONE, hyper_synthesis, quantised
from mien.codec.model import new_codec
from mien.errors import CheckpointError
from tests.support import integers


@pytest.fixture(scope="module")
def tensors(trained_codec):
    return quantised(trained_codec)


@pytest.fixture(scope="module")
def synthesis(tensors):
    return hyper_synthesis(tensors)


def symbols(size, spread, batch=3, seed=0):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(-spread, spread + 1, (batch, 16, *size), generator=random)


def by_plain_products(synthesis):
    layers = [dataclasses.replace(layer, limbs=None, plan=None) for layer in synthesis.layers]
    return dataclasses.replace(synthesis, layers=layers)


@pytest.mark.parametrize("size", [(1, 1), (2, 2), (1, 3), (4, 2)])
@pytest.mark.parametrize("spread", [0, 1, 5, 60, 1 << 20])
def test_it_is_what_numpy_computes_in_64_bit_integers(synthesis, tensors, size, spread):
    z = symbols(size, spread)
    indexes, means = integers.hyper_synthesis(tensors, z.numpy())
    for way in (synthesis, by_plain_products(synthesis)):
        found = way(z)
        assert np.array_equal(found[0].numpy(), indexes)
        assert np.array_equal(found[1].numpy(), means)


def test_it_is_close_to_what_compressai_computes(synthesis, trained_codec):
    z = symbols((4, 4), 3)
    indexes, means = synthesis(z)
    with torch.inference_mode():
        z_hat = z + trained_codec.entropy_bottleneck._get_medians().reshape(1, -1, 1, 1)
        scales, float_means = trained_codec.h_s(z_hat).chunk(2, 1)
    assert (means / ONE - float_means).abs().mean() < 0.01
    levels = trained_codec.gaussian_conditional.scale_table
    nearest = (scales.clamp(0.11, 256).log()[..., None] - levels.log()).abs().argmin(-1)
    assert (indexes != nearest).float().mean() < 0.01
    assert len(indexes.unique()) > 10  # the codec is one whose scales differ


def test_it_does_not_depend_on_batch_order_in_memory_or_threads(synthesis):
    z = symbols((2, 3), 4, batch=16)
    expected = synthesis(z)
    before = torch.get_num_threads()
    try:
        for threads in (1, 2):
            torch.set_num_threads(threads)
            for size in (1, 3, 16):
                parts = [synthesis(part) for part in z.split(size)]
                for whole, pieces in zip(expected, zip(*parts, strict=True), strict=True):
                    assert torch.equal(torch.cat(pieces), whole)
            last = synthesis(z.contiguous(memory_format=torch.channels_last))
            assert all(map(torch.equal, last, expected))
    finally:
        torch.set_num_threads(before)


def test_the_bound_holds_for_the_worst_activations(synthesis):
    for layer in synthesis.layers:
        column = int(layer.matrix.abs().sum(0).argmax())
        worst = torch.where(layer.matrix[:, column] < 0, -LIMIT, LIMIT - 1).double()
        total = (worst @ layer.matrix[:, column]).item()
        assert 0.9 * layer.largest_sum() < total <= layer.largest_sum()


def test_weights_whose_sums_could_be_inexact_are_refused():
    codec = new_codec((8, 12)).eval()
    codec.update(force=True)
    with torch.no_grad():
        codec.h_s[2].weight.mul_(1e7)
    with pytest.raises(CheckpointError, match=r"beyond the 2\^53 that are exact"):
        quantised(codec)


def test_a_missing_tensor_is_named(tensors):
    with pytest.raises(CheckpointError, match=r"lack .bias\.2."):
        hyper_synthesis({name: tensors[name] for name in tensors if name != "bias.2"})


def test_a_scale_on_a_threshold_has_reached_it(tensors):
    constant = {
        name: torch.zeros_like(tensor) if name.startswith(("weight", "bias")) else tensor
        for name, tensor in tensors.items()
    }
    level = 7
    constant["bias.4"][:24] = int(tensors["thresholds"][level]) * ONE
    indexes, _ = hyper_synthesis(constant)(symbols((1, 1), 0))
    assert indexes.unique().tolist() == [level + 1]
    constant["bias.4"][:24] -= ONE
    assert hyper_synthesis(constant)(symbols((1, 1), 0))[0].unique().tolist() == [level]


def test_numbers_are_over_2_to_the_12():
    assert (hyperprior.FRACTION, hyperprior.ONE, hyperprior.SLOPE) == (12, 4096, 41)
