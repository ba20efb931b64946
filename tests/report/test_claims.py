"""Sentences claim what an interval excludes zero for, and say so where it does not."""

import pytest

from mien.report.claims import (
    attribution_claims,
    decoding_claims,
    delta_claims,
    share_in_words,
    target_claims,
)
from mien.report.statistics import Estimate
from tests.support.statistics import with_delta


def rate_claim(statistics, **change):
    """Return the sentence on joint's rate, with a delta as given."""
    change = {"absent": 0.0, "reason": None, **change}
    shared = statistics.bjontegaard["joint"].accuracy_overlap
    shared = shared.model_copy(update={"fraction": 0.331, "low": 62.04, "high": 70.8})
    joint = statistics.bjontegaard["joint"].model_copy(update={"accuracy_overlap": shared})
    changed = statistics.model_copy(
        update={"bjontegaard": {**statistics.bjontegaard, "joint": joint}}
    )
    [claim] = [
        text
        for text in delta_claims(with_delta(changed, "joint", "bd_rate", **change))
        if "joint" in text and "at equal accuracy" in text
    ]
    return claim


def test_a_saving_is_claimed_with_its_interval_and_range(statistics):
    assert rate_claim(statistics, value=-31.24, low=-43.9, high=-15.7) == (
        "joint needs 31.2 % fewer bits than the baseline at equal accuracy (95 % interval 15.7 "
        "to 43.9 %), over the third of the accuracy range where both curves can be compared "
        "(62.0 to 70.8 %)."
    )
    worse = rate_claim(statistics, value=12.0, low=3.0, high=20.0)
    assert "needs 12.0 % more bits than the baseline" in worse
    assert "interval 3.0 to 20.0 %" in worse


def test_an_interval_with_zero_shows_nothing(statistics):
    assert rate_claim(statistics, value=-3.1, low=-10.0, high=4.0) == (
        "Nothing is shown about joint at equal accuracy: the estimate is 3.1 % fewer bits than "
        "the baseline, but its 95 % interval, from 10.0 % fewer bits to 4.0 % more bits, "
        "includes zero."
    )


def test_a_training_that_kept_its_start_is_called_the_baseline(statistics):
    assert rate_claim(statistics, value=0.0, low=0.0, high=0.0) == (
        "joint is the baseline itself at equal accuracy: no difference on any resample, as "
        "when no epoch was better on val than the start."
    )
    some = rate_claim(statistics, value=0.0, low=0.0, high=0.0, absent=0.04)
    assert "no difference on any resample that has a value, as" in some
    assert "includes zero" in rate_claim(statistics, value=0.0, low=0.0, high=0.1)


def test_too_many_resamples_without_a_value_show_nothing(statistics):
    claim = rate_claim(statistics, value=-30.0, low=-40.0, high=-20.0, absent=0.12)
    assert claim.startswith("Nothing is shown about joint at equal accuracy")
    assert "12.0 % of the resamples have no value" in claim


def test_a_bound_is_one_sided_in_words(statistics):
    bound = {"value": None, "low": None, "high": None, "absent": 1.0, "reason": "no overlap"}
    claim = rate_claim(statistics, **bound, below=-70.0)
    assert "needs at least 70.0 % fewer bits" in claim
    assert "one-sided bound" in claim
    assert "no overlap" in claim
    assert "needs at least 40.0 % more bits" in rate_claim(statistics, **bound, above=40.0)
    for undirected in ({}, {"below": 5.0}, {"above": -5.0}):
        claim = rate_claim(statistics, **bound, **undirected)
        assert claim == "Nothing is shown about joint at equal accuracy: no overlap."


def test_every_trained_strategy_has_both_claims(statistics):
    claims = delta_claims(statistics)
    assert len(claims) == 2 * len(statistics.trained)
    gain = statistics.bjontegaard["joint"].bd_accuracy.value
    assert (
        f"joint is {gain:.2f} points more accurate than the baseline at equal rate" in claims[3]
    )


@pytest.mark.parametrize(
    ("fraction", "words"),
    [(1.0, "the whole"), (0.34, "the third"), (0.41, "the 41 %"), (0.5, "the half")],
)
def test_shares_have_names(fraction, words):
    assert share_in_words(fraction) == words


def test_a_control_that_was_not_run_is_named(statistics):
    claims = attribution_claims(statistics)
    assert "What the codec contributes to it is +" in claims[1]
    assert claims[4].startswith("What joint gains beyond the codec trained alone is +")
    for claim in (claims[2], claims[3], claims[5]):
        assert "is not known (not run: add classifier-decoded to strategies)" in claim


def test_a_part_that_may_be_zero_is_not_claimed(statistics):
    unsure = Estimate(value=0.4, low=-0.5, high=1.3, absent=0.0, reason=None)
    parts = {**statistics.attribution.parts, "codec": unsure}
    attribution = statistics.attribution.model_copy(update={"parts": parts})
    claim = attribution_claims(statistics.model_copy(update={"attribution": attribution}))[1]
    assert claim == (
        "Nothing is shown about what the codec contributes to it: +0.40 points (95 % interval "
        "−0.50 to +1.30)."
    )


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"value": 0.21, "low": 0.18, "high": None}, "0.210 bit/pixel"),
        ({"value": 0.21, "low": 0.18, "high": None}, "0.180 to beyond the measured rates"),
        ({"value": None, "above": 0.56}, "does not reach"),
        ({"value": None, "below": 0.09}, "at its lowest rate already, 0.090 bit/pixel"),
        ({"value": None, "reason": "two rates are one"}, "two rates are one"),
    ],
)
def test_rates_beyond_the_measured_ones_are_named(statistics, change, says):
    targets = statistics.targets["joint"]
    rate = targets.rate["raw"].model_copy(update={"above": None, "below": None, **change})
    changed = targets.model_copy(update={"rate": {**targets.rate, "raw": rate}})
    found = {**statistics.targets, "joint": changed}
    assert says in target_claims(statistics.model_copy(update={"targets": found}))[2]


def test_what_decoding_costs_is_claimed_where_it_is_shown(statistics):
    claims = decoding_claims(statistics)
    assert len(claims) == len(statistics.strategies)
    for strategy, claim in zip(statistics.strategies, claims, strict=True):
        change = statistics.runs[strategy][statistics.middle].change
        start = "Decoding costs" if change.high < 0 else "Nothing is shown about what decoding"
        assert claim.startswith(start)
        assert f"{abs(change.value):.2f}" in claim
