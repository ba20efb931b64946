"""McNemar's test against the exact binomial and the formula that statsmodels has."""

import math

import numpy as np
import pytest
from scipy import stats

from mien.metrics.mcnemar import mcnemar


def answers(both, first, second, neither, seed=0):
    """Return who recognised what, with so many images of each kind, in no order."""
    kinds = [(1, 1)] * both + [(1, 0)] * first + [(0, 1)] * second + [(0, 0)] * neither
    order = np.random.default_rng(seed).permutation(len(kinds))
    return np.array(kinds)[order].T


@pytest.mark.parametrize(("first", "second"), [(0, 0), (5, 5), (1, 9), (9, 1), (20, 4)])
def test_few_discordant_images_are_tossed_coins(first, second):
    found = mcnemar(*answers(30, first, second, 12))
    n = first + second
    tail = sum(math.comb(n, k) for k in range(min(first, second) + 1)) / 2**n
    assert found.p_value == pytest.approx(min(1.0, 2 * tail))
    assert (found.first_alone, found.second_alone) == (first, second)
    assert found.method == "exact binomial"


@pytest.mark.parametrize(("first", "second"), [(12, 13), (10, 30), (200, 150)])
def test_many_are_chi_squared_with_edwards_correction(first, second):
    found = mcnemar(*answers(500, first, second, 40))
    statistic = (abs(first - second) - 1) ** 2 / (first + second)
    # One degree of freedom is the square of a normal deviate.
    assert found.p_value == pytest.approx(math.erfc(math.sqrt(statistic / 2)))
    exact = stats.binomtest(first, first + second).pvalue
    assert found.p_value == pytest.approx(exact, abs=0.01)
    assert found.method.startswith("chi-squared")


def test_images_that_both_or_neither_recognised_change_nothing():
    assert mcnemar(*answers(3, 8, 2, 1)) == mcnemar(*answers(800, 8, 2, 90, seed=5))


def test_the_share_of_false_alarms_is_kept():
    generator = np.random.default_rng(1)
    easy = generator.random((400, 2, 300))
    p = [mcnemar(*(pair < 0.7)).p_value for pair in easy]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_equal_numbers_are_not_significant():
    assert mcnemar(*answers(5, 20, 20, 5)).p_value == pytest.approx(1.0, abs=0.15)


@pytest.mark.parametrize(("first", "second"), [([], []), ([1, 0], [1])])
def test_what_cannot_be_compared_is_refused(first, second):
    with pytest.raises(ValueError, match="answers to"):
        mcnemar(np.array(first), np.array(second))
