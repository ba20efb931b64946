"""Curves read at fixed rates and accuracies: values, bounds, and open intervals."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from mien.report.estimates import Points
from mien.report.targets import targets_of

RATE = np.array([0.06, 0.1, 0.2, 0.4])
ACCURACY = np.array([60.0, 66.0, 72.0, 76.0])


def points(accuracy=ACCURACY, spread=0.5, resamples=400):
    noise = np.random.default_rng(0).normal(0, spread, (resamples, 1))
    return Points(RATE, accuracy, np.tile(RATE, (resamples, 1)), accuracy + noise)


def read(found, raw):
    return targets_of(found, raw, np.full(len(found.resampled_rate), raw))


def test_inside_the_curve_there_are_values_with_intervals():
    found = read(points(), raw=75.0)
    oracle = PchipInterpolator(ACCURACY, np.log10(RATE))
    for name, accuracy in (("raw", 75.0), ("raw-1", 74.0)):
        rate = found.rate[name]
        assert rate.value == pytest.approx(10 ** float(oracle(accuracy)))
        assert rate.low < rate.value < rate.high
        assert rate.reason is None
    at = found.accuracy["0.1"]
    assert at.value == pytest.approx(66.0)
    assert at.high - at.low == pytest.approx(2 * 1.96 * 0.5, rel=0.15)


def test_beyond_the_curve_there_are_bounds_with_reasons():
    found = read(points(), raw=90.0)
    high, low = found.accuracy["0.5"], found.accuracy["0.05"]
    assert (high.value, high.above, high.below) == (None, 76.0, None)
    assert high.reason == "the highest measured rate is 0.400 bit/pixel"
    assert (low.value, low.above, low.below) == (None, None, 60.0)
    assert (low.low, low.high) == (None, None)
    rate = found.rate["raw"]
    assert (rate.value, rate.above, rate.below) == (None, 0.4, None)
    assert rate.reason == "no measured rate has 90.00 %"
    easy = read(points(), raw=50.0).rate["raw"]
    assert (easy.value, easy.above, easy.below) == (None, None, 0.06)
    assert easy.reason == "the lowest measured rate has more than 50.00 %"


def test_an_interval_is_open_where_too_many_resamples_lie_beyond():
    rate = read(points(), raw=75.8).rate["raw"]
    assert rate.value == pytest.approx(0.385, abs=0.01)
    assert rate.low == pytest.approx(0.32, abs=0.02)
    assert rate.high is None  # in a third of the resamples no measured rate has it
    beyond = read(points(), raw=76.2).rate["raw"]
    assert beyond.above == 0.4
    assert beyond.low < 0.4  # but some resamples have it


def test_a_target_moves_with_the_resample():
    found = points()
    still = targets_of(found, 74.0, np.full(400, 74.0)).rate["raw"]
    moving = targets_of(found, 74.0, 74.0 + found.resampled_accuracy[:, 0] - 60.0).rate["raw"]
    assert moving.high - moving.low < 0.01 * (still.high - still.low)


def test_two_points_of_one_rate_have_no_accuracy_at_a_rate():
    rate = np.array([0.06, 0.06, 0.2, 0.4])
    twice = Points(rate, ACCURACY, np.tile(rate, (9, 1)), np.tile(ACCURACY, (9, 1)))
    found = read(twice, raw=75.0)
    assert "one rate" in found.accuracy["0.1"].reason
    assert found.rate["raw"].value is not None
