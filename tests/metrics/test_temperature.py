import numpy as np
import pytest
from scipy.optimize import brentq
from sklearn.metrics import log_loss

from mien.metrics.temperature import cross_entropy, fitted_temperature, probabilities
from tests.support.logits import drawn


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_that_made_the_labels_is_found(temperature):
    assert fitted_temperature(*drawn(temperature)) == pytest.approx(temperature, rel=0.03)


def test_cross_entropy_is_scikit_learns():
    logits, labels = drawn(2.0, n=300)
    p = probabilities(logits, 1.7)
    assert p.sum(1) == pytest.approx(1)
    assert cross_entropy(logits, labels, 1.7) == pytest.approx(
        log_loss(labels, p, labels=range(8))
    )


def test_it_is_where_the_slope_of_the_cost_is_zero():
    logits, labels = drawn(3.0, n=200)

    def slope(log_t):
        def cost(value):
            return 200 * cross_entropy(logits, labels, np.exp(value)) + value**2 / 2

        return (cost(log_t + 1e-5) - cost(log_t - 1e-5)) / 2e-5

    assert np.log(fitted_temperature(logits, labels)) == pytest.approx(
        brentq(slope, 0, 2), abs=1e-3
    )


def test_pictures_all_recognised_do_not_make_it_infinitely_sure():
    logits = 10 * np.eye(8)
    assert 0.2 < fitted_temperature(logits, np.arange(8)) < 10


def test_no_pictures_are_a_mistake():
    with pytest.raises(ValueError, match="0 labels"):
        fitted_temperature(np.zeros((0, 8)), np.zeros(0, np.int64))
