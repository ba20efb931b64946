"""Many curves at once: the library's figures one by one, and what lies beyond the knots."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator
from scipy.optimize import isotonic_regression

from mien.metrics.bjontegaard import compare, curve, envelope
from mien.metrics.curves import (
    accuracy_at,
    common_means,
    deltas,
    enveloped,
    isotonic_rows,
    rate_at,
)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_isotonic_rows_agree_with_scipy(n):
    rows = np.random.default_rng(n).normal(50, 2, (60, n))
    expected = [isotonic_regression(row).x for row in rows]
    np.testing.assert_allclose(isotonic_rows(rows), expected, rtol=1e-12)


def noisy_curves(n_rows=300):
    """Return curves that tie, cross, swap their order of rates and sometimes lie apart."""
    generator = np.random.default_rng(4)
    shift = generator.choice([0.0, 0.0, 0.0, 12.0], size=(n_rows, 1))
    rate = np.geomspace(0.05, 0.8, 6) * generator.lognormal(0, 0.3, (n_rows, 6))
    accuracy = 40 + 12 * rate + generator.normal(0, 1.5, (n_rows, 6))
    test_rate = np.geomspace(0.04, 0.6, 7) * generator.lognormal(0, 0.3, (n_rows, 7))
    test_accuracy = 42 + 12 * test_rate + generator.normal(0, 1.5, (n_rows, 7)) + shift
    return rate, np.round(accuracy), test_rate, np.round(test_accuracy)


def many(rows):
    return deltas(enveloped(*rows[:2]), enveloped(*rows[2:]))


def one_by_one(rows):
    """Return BD-Accuracy and BD-Rate of every row by the library, NaN where there is none."""
    pairs = [
        compare(envelope(curve(*row[:2])), envelope(curve(*row[2:])))
        for row in zip(*rows, strict=True)
    ]
    found = [(pair.bd_accuracy.value, pair.bd_rate.value) for pair in pairs]
    return np.array(found, dtype=float).T  # None becomes NaN


def test_many_deltas_agree_with_the_library_one_by_one():
    rows = noisy_curves()
    found, expected = np.array(many(rows)), one_by_one(rows)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(expected))
    np.testing.assert_allclose(found, expected, rtol=1e-9)
    assert 0.1 < np.isnan(expected[1]).mean() < 0.9  # the curves hold both kinds


def test_many_deltas_agree_where_two_rates_are_equal():
    rows = noisy_curves(3)
    rows[0][1, 2] = rows[0][1, 3]
    bd_accuracy, bd_rate = many(rows)
    expected = one_by_one(rows)
    assert np.isnan(bd_accuracy).tolist() == [False, True, False]
    np.testing.assert_allclose([bd_accuracy, bd_rate], expected, rtol=1e-9)


RATE = np.array([[0.05, 0.1, 0.2, 0.4]])


def test_accuracy_at_a_rate_is_the_primary_curves():
    accuracy = np.array([[40.0, 47.0, 45.0, 50.0]])  # 46, 46 on the envelope
    found = accuracy_at(enveloped(RATE, accuracy), 0.3)
    oracle = PchipInterpolator(np.log10(RATE[0]), [40, 46, 46, 50])
    assert found[0] == pytest.approx(float(oracle(np.log10(0.3))))
    assert accuracy_at(enveloped(RATE, accuracy), 0.15) == pytest.approx(46)


def test_the_rate_of_an_accuracy_is_the_lowest_that_has_it():
    curves = enveloped(RATE, np.array([[40.0, 46.0, 46.0, 50.0]]))
    assert rate_at(curves, np.array([46.0])) == pytest.approx(0.1)
    oracle = PchipInterpolator([40, 46, 50], np.log10([0.05, 0.1, 0.4]))
    assert rate_at(curves, np.array([48.0]))[0] == pytest.approx(10 ** float(oracle(48.0)))


def test_what_lies_beyond_a_curve_is_known_to_be_beyond():
    curves = enveloped(RATE.repeat(4, axis=0), np.array([[40.0, 42.0, 44.0, 46.0]] * 4))
    assert accuracy_at(curves, 0.01).tolist() == [-np.inf] * 4
    assert accuracy_at(curves, 0.5).tolist() == [np.inf] * 4
    found = rate_at(curves, np.array([39.0, 40.0, 46.0, 47.0]))
    assert found == pytest.approx([0.0, 0.05, 0.4, np.inf])


def test_curves_of_one_point_and_of_one_accuracy():
    point = enveloped(np.array([[0.2]] * 3), np.array([[50.0]] * 3))
    assert accuracy_at(point, 0.3).tolist() == [np.inf] * 3
    level = enveloped(RATE.repeat(3, axis=0), np.full((3, 4), 50.0))
    for curves, first in ((point, 0.2), (level, 0.05)):
        found = rate_at(curves, np.array([49.0, 50.0, 51.0]))
        assert found == pytest.approx([0.0, first, np.inf])


def test_means_are_over_what_all_curves_cover():
    curves = [
        enveloped(RATE * factor, np.array([[40.0, 42.0, 44.0, 46.0]])) for factor in (1, 2, 0.9)
    ]
    low, high, means = common_means(curves)
    assert (10**low, 10**high) == (pytest.approx(0.1), pytest.approx(0.36))
    for factor, mean in zip((1, 2, 0.9), means, strict=True):
        line = 40 + 2 * (np.log2(0.1 / 0.05 / factor) + np.log2(0.36 / 0.05 / factor)) / 2
        assert mean == pytest.approx(line)
    apart = common_means([*curves, enveloped(RATE * 10, np.array([[1.0, 2.0, 3.0, 4.0]]))])[2]
    assert np.isnan(apart).all()
