import math

import pytest
import torch

from mien.params import LossWeights
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse


def test_rate_counts_y_and_z_over_the_pixels_of_the_pictures():
    likelihoods = {"y": torch.full((2, 4, 2, 2), 0.5), "z": torch.full((2, 3, 1, 1), 0.25)}
    bits = 2 * (4 * 4 * 1 + 3 * 2)
    rate = bits_per_pixel(likelihoods, n_pixels=2 * 32 * 32)
    assert rate.item() == pytest.approx(bits / (2 * 32 * 32))


def test_distortion_is_in_squared_8_bit_steps():
    x = torch.zeros(1, 3, 4, 4)
    assert scaled_mse(x + 2 / 255, x).item() == pytest.approx(4.0)


def test_the_reference_weights_are_the_loss_of_the_zoo():
    weighting = Weighting.of(LossWeights(bpp=1.0, mse=1.0, ce=0.0), lmbda=0.0067)
    terms = {"bpp": torch.tensor(0.3), "mse": torch.tensor(50.0)}
    assert weighting.total(terms).item() == pytest.approx(0.3 + 0.0067 * 50.0)


@pytest.mark.parametrize("name", ["bpp", "mse", "ce"])
def test_each_weight_acts_on_its_own_term_alone(name):
    terms = {"bpp": torch.tensor(0.5), "mse": torch.tensor(3.0), "ce": torch.tensor(2.0)}
    weights = {"bpp": 0.0, "mse": 0.0, "ce": 0.0, name: 7.0}
    assert Weighting(**weights).total(terms).item() == pytest.approx(7.0 * terms[name].item())


def test_a_share_of_the_rate_leaves_the_other_weights():
    weighting = Weighting(bpp=8.0, mse=0.5, ce=3.0)
    assert weighting.with_rate(2.0) == Weighting(bpp=2.0, mse=0.5, ce=3.0)


def test_a_term_of_weight_zero_may_be_infinite():
    terms = {"bpp": torch.tensor(1.0), "mse": torch.tensor(math.inf)}
    assert Weighting(bpp=1.0, mse=0.0, ce=0.0).total(terms).item() == 1.0


def test_no_weight_at_all_is_refused():
    with pytest.raises(ValueError, match="nothing to train for"):
        Weighting(0.0, 0.0, 0.0).total({})
