"""Bjontegaard deltas: the golden figures, and every reason for having none."""

import warnings

import bjontegaard
import numpy as np
import pytest

from mien.metrics.bjontegaard import METHODS, Overlap, compare, curve, envelope

ANCHOR_RATE = np.geomspace(0.07, 1.2, 8)
ANCHOR = curve(ANCHOR_RATE, 49.71 - 6 * np.exp(-ANCHOR_RATE / 0.3))
# Table 2 of the paper: rate and accuracy of the joint models.
TEST = curve(
    np.array([0.04, 0.08, 0.10, 0.11, 0.18, 0.26, 0.32, 0.48, 0.56]),
    np.array([47.54, 49.44, 49.84, 50.41, 50.76, 50.84, 50.16, 51.49, 51.41]),
)

# Made once with bjontegaard 1.3.0: BD-Rate, BD-Accuracy.
ON_ENVELOPE = {"pchip": (-89.25, 3.804), "akima": (-89.12, 3.801), "cubic": (-88.11, 3.779)}
AS_PRINTED = {"pchip": (None, 3.823), "akima": (None, 3.817), "cubic": (-88.10, 3.786)}


def points(rates, accuracies):
    return curve(np.array(rates, float), np.array(accuracies, float))


@pytest.mark.parametrize("method", METHODS)
def test_golden_figures_on_the_envelope(method):
    found = compare(envelope(ANCHOR), envelope(TEST), method)
    rate, accuracy = ON_ENVELOPE[method]
    assert found.bd_rate.value == pytest.approx(rate, abs=0.005)
    assert found.bd_accuracy.value == pytest.approx(accuracy, abs=0.0005)


@pytest.mark.parametrize("method", METHODS)
def test_golden_figures_as_printed(method):
    found = compare(ANCHOR, TEST, method)
    rate, accuracy = AS_PRINTED[method]
    assert found.bd_accuracy.value == pytest.approx(accuracy, abs=0.0005)
    if rate is None:
        assert found.bd_rate.value is None
        assert found.bd_rate.reason == "the accuracy of the tested curve does not increase"
    else:
        assert found.bd_rate.value == pytest.approx(rate, abs=0.005)


def test_the_overlap_says_what_was_compared():
    found = compare(envelope(ANCHOR), envelope(TEST))
    shared = np.log10(0.56 / 0.07) / np.log10(1.2 / 0.04)
    assert found.rate_overlap.fraction == pytest.approx(shared)
    assert (found.rate_overlap.anchor_points, found.rate_overlap.test_points) == (6, 8)
    inside = (ANCHOR.accuracy.max() - 47.54) / (51.45 - ANCHOR.accuracy.min())
    assert found.accuracy_overlap.fraction == pytest.approx(inside)
    assert (found.accuracy_overlap.anchor_points, found.accuracy_overlap.test_points) == (4, 2)
    ends = 10**found.rate_overlap.low, 10**found.rate_overlap.high
    assert ends == pytest.approx((0.07, 0.56))
    assert found.accuracy_overlap.low == pytest.approx(47.54)
    assert found.accuracy_overlap.high == pytest.approx(ANCHOR.accuracy.max())


def test_points_may_come_in_any_order():
    order = np.random.default_rng(0).permutation(9)
    shuffled = curve(TEST.rate[order], TEST.accuracy[order])
    assert compare(envelope(ANCHOR), envelope(shuffled)) == compare(
        envelope(ANCHOR), envelope(TEST)
    )


def test_the_same_accuracy_for_half_the_bytes():
    half = curve(ANCHOR.rate / 2, ANCHOR.accuracy)
    for method in METHODS:
        assert compare(ANCHOR, half, method).bd_rate.value == pytest.approx(-50.0)
    better = curve(ANCHOR.rate, ANCHOR.accuracy + 2)
    assert compare(ANCHOR, better).bd_accuracy.value == pytest.approx(2.0)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("tested", "quantity", "reason"),
    [
        (points([0.2], [48]), "bd_accuracy", "1 distinct points"),
        (points([2, 3, 4, 5], [46, 47, 48, 49]), "bd_accuracy", "share no range of rate"),
        (points([0.1, 0.2, 0.3, 0.4], [60, 61, 62, 63]), "bd_rate", "share no range of accura"),
        (points([0.1, 0.2, 0.3, 0.4], [48, 48, 48, 48]), "bd_rate", "1 distinct points"),
        (points([0.1, 0.2, 0.3, 0.4], [49, 48, 47, 46]), "bd_rate", "does not increase"),
        # What the two extremes have in common is one point: no range.
        (points([1.2, 1.3, 1.4, 1.5], [46, 47, 48, 49]), "bd_accuracy", "share no range"),
    ],
)
def test_an_absent_value_has_a_reason(tested, quantity, reason, method):
    delta = getattr(compare(ANCHOR, tested, method), quantity)
    assert delta.value is None
    assert reason in delta.reason


def test_two_runs_of_one_rate_have_no_bd_accuracy():
    tested = points([0.1, 0.2, 0.2, 0.4], [46, 47, 48, 49])
    assert "rate of the tested curve" in compare(ANCHOR, tested).bd_accuracy.reason


def test_a_cubic_needs_four_distinct_points():
    tested = points([0.1, 0.2, 0.4], [46, 48, 49])
    assert compare(ANCHOR, tested, "pchip").bd_rate.value is not None
    assert "cubic needs 4" in compare(ANCHOR, tested, "cubic").bd_rate.reason


def test_a_cubic_through_nearly_equal_accuracies_is_refused_without_a_warning():
    tested = points([0.1, 0.2, 0.3, 0.4], 48 + np.array([0, 1, 2, 3]) * 1e-7)
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter("always")
        delta = compare(ANCHOR, tested, "cubic").bd_rate
    assert "too close together" in delta.reason
    assert leaked == []


def test_curves_that_touch_share_nothing():
    touching = compare(ANCHOR, points([1.2, 1.3], [46, 47]))
    assert touching.rate_overlap == Overlap(0.0, 0, 0)
    point = points([0.2], [48])
    assert compare(point, point).accuracy_overlap == Overlap(0.0, 0, 0)


def test_impossible_points_are_refused():
    with pytest.raises(ValueError, match="not above 0"):
        points([0.0, 0.1], [1, 2])
    with pytest.raises(ValueError, match="rates and"):
        points([0.1, 0.2], [1])


@pytest.mark.parametrize(
    ("tested", "quantity", "above", "below"),
    [
        # Wholly at higher rates: at 1.2 bit/pixel it has at most its 47 of 2 bit/pixel.
        (points([2, 3, 4], [47, 48, 49]), "bd_accuracy", None, 47 - ANCHOR.accuracy[-1]),
        # Wholly at lower rates: at 0.07 it has at least its 44 of 0.06.
        (points([0.04, 0.06], [43, 44]), "bd_accuracy", 44 - ANCHOR.accuracy[0], None),
        # Better everywhere: 0.1 bit/pixel are enough for what the anchor has at 1.2.
        (points([0.1, 0.2], [60, 61]), "bd_rate", None, 100 * (0.1 / 1.2 - 1)),
        # Worse everywhere: 0.4 are not enough for what the anchor has at 0.07.
        (points([0.1, 0.4], [30, 31]), "bd_rate", 100 * (0.4 / 0.07 - 1), None),
    ],
)
def test_curves_apart_have_a_bound_instead_of_a_number(tested, quantity, above, below):
    delta = getattr(compare(ANCHOR, tested), quantity)
    assert delta.value is None
    assert "share no range" in delta.reason
    assert (delta.above, delta.below) == (
        pytest.approx(above) if above is not None else None,
        pytest.approx(below) if below is not None else None,
    )


def test_a_bound_is_of_the_lowest_rate_with_the_anchors_best():
    level = points([0.1, 0.2, 0.4, 0.8], [46, 47, 48, 48])  # 48 from 0.4 on
    tested = points([0.1, 0.3], [60, 61])
    assert compare(level, tested).bd_rate.below == pytest.approx(100 * (0.1 / 0.4 - 1))


def test_curves_that_fall_and_curves_that_meet_have_no_bound():
    falling = points([2, 3, 4], [49, 48, 47])
    assert compare(ANCHOR, falling).bd_accuracy.below is None
    found = compare(ANCHOR, envelope(TEST))
    assert (found.bd_rate.above, found.bd_rate.below) == (None, None)


@pytest.mark.parametrize("n", [3, 9])
@pytest.mark.parametrize("method", METHODS)
def test_the_package_is_the_oracle_on_monotone_curves(method, n):
    generator = np.random.default_rng(n)
    anchor, tested = (
        curve(np.geomspace(0.05, 0.9, n) * factor, np.sort(generator.uniform(40, 60, n)))
        for factor in (1.0, 0.8)
    )
    found = compare(anchor, tested, method)
    if method == "cubic" and n < 4:
        assert "cubic needs 4" in found.bd_accuracy.reason
        assert "cubic needs 4" in found.bd_rate.reason
        return
    given = anchor.rate, anchor.accuracy, tested.rate, tested.accuracy, method
    options = {"require_matching_points": False, "min_overlap": 0}
    assert found.bd_accuracy.value == pytest.approx(bjontegaard.bd_psnr(*given, **options))
    assert found.bd_rate.value == pytest.approx(bjontegaard.bd_rate(*given, **options))
