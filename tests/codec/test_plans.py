"""The cheaper ways to a layer's sums give the sums, to the last bit of the largest ones."""

import numpy as np
import pytest
import torch

from mien.codec import hyperprior
from mien.codec.hyperprior import EXACT, LIMIT
from mien.codec.plans import Phases, Winograd
from tests.support.integers import convolved, doubled

SIZES = [(2, 2), (4, 6), (2, 8)]


def integers(shape, limit, seed):
    random = torch.Generator().manual_seed(seed)
    return torch.randint(-limit, limit, shape, generator=random)


def by_numpy(a, weight, way):
    """Return [B * H * W, P * C_out] as the plans do, in 64-bit integers."""
    out = way(a.permute(0, 3, 1, 2).numpy(), weight.numpy()).transpose(0, 2, 3, 1)
    batch, height, width, _ = a.shape
    factor = out.shape[1] // height
    parts = out.reshape(batch, height, factor, width, factor, -1).transpose(0, 1, 3, 2, 4, 5)
    return parts.reshape(batch * height * width, -1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("limit", [3, 1 << 12, LIMIT])
def test_phases_are_the_transposed_convolution(size, limit):
    weight = integers((5, 7, 5, 5), 1 << 14, 1)
    a = integers((3, *size, 5), limit, 2)
    plan = Phases.of(hyperprior._transposed_taps(weight))
    assert plan.largest_sum(LIMIT) < EXACT
    assert np.array_equal(plan(a.double()).numpy(), by_numpy(a, weight, doubled))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("limit", [3, 1 << 12, LIMIT])
def test_winograd_is_the_convolution(size, limit):
    weight = integers((7, 5, 3, 3), 1 << 14, 3)
    a = integers((3, *size, 5), limit, 4)
    plan = Winograd.of(weight.permute(2, 3, 1, 0))
    assert plan.largest_sum(LIMIT) < EXACT
    assert np.array_equal(plan(a.double()).numpy(), by_numpy(a, weight, convolved))


def test_the_bounds_are_reached_by_the_worst_activations():
    weight = integers((6, 2, 5, 5), 1 << 14, 5)
    taps = hyperprior._transposed_taps(weight)
    plan = Phases.of(taps)
    matrix = plan.matrices[0]  # of nine taps, which are the most
    column = int(matrix.abs().sum(0).argmax())
    worst = torch.where(matrix[:, column] < 0, -LIMIT, LIMIT).double()
    assert (worst @ matrix[:, column]).item() == plan.largest_sum(LIMIT)

    square = integers((1, 6, 3, 3), 1 << 14, 6)
    winograd = Winograd.of(square.permute(2, 3, 1, 0))
    tile = torch.sign(winograd.inputs).double() * LIMIT  # makes each position's value largest
    values = (winograd.inputs * tile).sum(1)
    at = int((winograd.weights.abs().sum((1, 2)) * values).argmax())
    reached = (winograd.weights[at].abs().sum(0).max() * values[at]).item()
    assert reached <= winograd.largest_sum(LIMIT) <= 9 * 4 * reached


def test_weights_too_large_for_winograd_are_multiplied_plainly(trained_codec):
    tensors = hyperprior.quantised(trained_codec)
    plans = [layer.plan is not None for layer in hyperprior.hyper_synthesis(tensors).layers]
    assert plans == [True, True, True]
    largest = hyperprior.hyper_synthesis(tensors).largest_sum()
    tensors["weight.4"] = tensors["weight.4"] * (EXACT // (2 * largest))
    layers = hyperprior.hyper_synthesis(tensors).layers
    assert layers[2].largest_sum() < EXACT
    assert layers[2].plan is None
