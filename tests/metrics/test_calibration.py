"""Calibration errors: known answers, and scikit-learn as the oracle."""

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from mien.metrics.calibration import (
    calibration_gaps,
    expected_calibration_error,
    reliability,
)
from mien.metrics.temperature import probabilities
from tests.support.logits import drawn


def ece(p, labels):
    return float(expected_calibration_error(calibration_gaps(p, labels).mean(axis=0)))


def plain_ece(p, labels):
    """Return the definition, picture by picture and bin by bin."""
    total = 0.0
    for i in range(15):
        inside = [k for k in range(len(p)) if i / 15 < max(p[k]) <= (i + 1) / 15]
        if inside:
            right = sum(list(p[k]).index(max(p[k])) == labels[k] for k in inside)
            total += abs(right - sum(max(p[k]) for k in inside))
    return 100 * total / len(p)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_calibration_error_is_its_definition(temperature):
    logits, labels = drawn(1.5, n=400)
    labels = np.where(labels == 7, 0, labels)  # a class without a picture
    p = probabilities(logits, temperature)
    assert ece(p, labels) == pytest.approx(plain_ece(p, labels))


def test_the_bins_are_scikit_learns():
    logits, labels = drawn(2.0, n=3000)
    p = probabilities(logits, 1.3)
    found = reliability(p, labels)
    filled = found.n > 0
    right = (p.argmax(1) == labels).astype(int)
    share, confidence = calibration_curve(right, p.max(1), n_bins=15)
    np.testing.assert_allclose(found.accuracy[filled], 100 * share)
    np.testing.assert_allclose(found.confidence[filled], 100 * confidence)
    assert np.isnan(found.accuracy[~filled]).all()
    assert not filled[0]  # the largest of eight is at least 1 / 8
    assert found.n.sum() == 3000
    weighted = found.n * np.abs(found.accuracy - found.confidence) / 3000
    assert ece(p, labels) == pytest.approx(np.nansum(weighted))


def test_the_right_temperature_leaves_little_error():
    logits, labels = drawn(2.5)
    assert ece(probabilities(logits, 2.5), labels) < 1.5  # 20,000 pictures in 14 bins
    assert ece(probabilities(logits, 1.0), labels) > 10


def test_a_calibration_error_is_no_mean_of_those_of_batches():
    logits, labels = drawn(1.0, n=320)
    p = probabilities(logits, 1.0)
    batches = [ece(p[i : i + 32], labels[i : i + 32]) for i in range(0, 320, 32)]
    assert np.mean(batches) > 1.5 * ece(p, labels)


def test_the_edges_of_a_bin_belong_to_it_from_above():
    p = np.array([[1.0] + [0.0] * 7, [0.6] + [0.4] + [0.0] * 6, [0.125] * 8])
    assert np.flatnonzero(reliability(p, np.zeros(3, int)).n).tolist() == [1, 8, 14]


def test_answers_to_no_pictures_are_a_mistake():
    with pytest.raises(ValueError, match="0 labels"):
        reliability(np.zeros((0, 8)), np.zeros(0, np.int64))
