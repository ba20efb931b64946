"""Settings that were trained with several seeds: their mean, and what it may move by."""

import numpy as np
import pytest
from scipy import stats

from mien.metrics import bjontegaard
from mien.report.captions import caption
from mien.report.repeated import over_seeds
from mien.report.summary import statistics_of
from mien.report.tables import all_tables
from mien.runs import PRETRAINED, Run, all_runs
from tests.support.evaluations import N, evaluation
from tests.support.results import params_of

SEEDS = {"seeds": [1, 2]}


@pytest.fixture(scope="module")
def everywhere():
    """Return made-up answers, every rate point repeated, and their statistics."""
    params = params_of(
        codec={"qualities": [1, 3, 5]},
        sweep={"bpp": [], "mse": [], "ce": []},
        repeat={"qualities": [1, 3, 5], **SEEDS},
        strategies=["joint"],
    )
    evaluations = evaluations_of(params)
    return evaluations, statistics_of(params, evaluations, "abc")


def evaluations_of(params):
    """Return runs of which each recognises some images of its own, more at higher rates."""
    generator = np.random.default_rng(3)
    ease = np.arange(N) % 60
    made = {}
    for run in all_runs(params):
        quality = int(run.setting[1])
        share = 15 + 6 * quality + (5 if run.strategy != PRETRAINED else 0)
        right = ease + generator.normal(0, 4, N) < share
        made[run] = evaluation(right, ease < 50, 0.05 * quality)
    return made


def of(statistics, quantity, setting):
    (found,) = (
        repeated
        for repeated in statistics.repeated["joint"]
        if (repeated.quantity, repeated.setting) == (quantity, setting)
    )
    return found


def test_the_interval_over_seeds_is_students():
    values = np.array([50.0, 52.0, 57.0])
    found = over_seeds(values)
    oracle = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert found.value == pytest.approx(53.0)
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high))


def test_a_seed_without_a_value_leaves_the_mean_without_one():
    found = over_seeds(np.array([1.0, np.nan, 2.0]))
    assert found.value is None
    assert found.reason == "1 of 3 seeds have no value"


@pytest.mark.parametrize(("start", "says"), [("higher", True), ("pretrained", False)])
def test_seeds_of_trainings_that_go_on_from_others_say_from_which(everywhere, start, says):
    _, statistics = everywhere
    made = statistics.provenance.model_copy(update={"finetune_start": start})
    text = caption("seeds", statistics.model_copy(update={"provenance": made}))
    assert ("goes on from the one of the next higher rate point with its seed" in text) == says


def test_accuracy_and_gain_are_means_over_the_seeds(everywhere):
    evaluations, statistics = everywhere

    def accuracy(strategy, setting):
        evaluation = evaluations[Run(strategy, setting)]
        return 100 * evaluation.correct(evaluation.decoded).mean()

    each = [accuracy("joint", name) for name in ("q3", "q3-seed1", "q3-seed2")]
    assert len(set(each)) == 3
    found = of(statistics, "accuracy", "q3")
    assert found.seeds == [5, 1, 2]
    assert found.over_images.value == found.over_seeds.value == pytest.approx(np.mean(each))
    assert found.deviation == pytest.approx(np.std(each, ddof=1))
    gain = of(statistics, "gain", "q3").over_seeds
    assert gain.value == pytest.approx(np.mean(each) - accuracy("pretrained", "q3"))
    assert gain.low < gain.value < gain.high


def test_images_are_resampled_for_all_seeds_and_the_baseline_together(everywhere):
    _, statistics = everywhere
    gain = of(statistics, "gain", "q3").over_images
    accuracy = of(statistics, "accuracy", "q3").over_images
    assert gain.low < gain.value < gain.high
    one = statistics.runs["joint"]["q3"].accuracy
    assert accuracy.high - accuracy.low < one.high - one.low  # a mean of three


def test_deltas_are_means_over_whole_curves_of_a_seed(everywhere):
    evaluations, statistics = everywhere

    def curve(strategy, suffix=""):
        found = [evaluations[Run(strategy, f"q{quality}{suffix}")] for quality in (1, 3, 5)]
        rate = np.array([evaluation.bpp.mean() for evaluation in found])
        accuracy = [100 * e.correct(e.decoded).mean() for e in found]
        return bjontegaard.envelope(bjontegaard.curve(rate, np.array(accuracy)))

    deltas = [
        bjontegaard.compare(curve("pretrained"), curve("joint", suffix))
        for suffix in ("", "-seed1", "-seed2")
    ]
    for quantity in ("bd_accuracy", "bd_rate"):
        each = [getattr(delta, quantity).value for delta in deltas]
        assert of(statistics, quantity, None).over_seeds.value == pytest.approx(np.mean(each))


def test_deltas_need_every_rate_point(statistics):
    assert {repeated.setting for repeated in statistics.repeated["joint"]} == {"q3"}


def test_the_table_has_a_row_for_each_and_says_how_to_get_one(statistics):
    table = all_tables(statistics)["seeds"]
    assert [row[:4] for row in table.rows[:2]] == [
        ["compression-only", "q3", "accuracy, decoded [%]", "5, 1, 2"],
        ["compression-only", "q3", "gain over pretrained [points]", "5, 1, 2"],
    ]
    once = statistics.model_copy(update={"repeated": {}})
    assert all_tables(once)["seeds"].rows == []
    assert "Section repeat of params.yaml" in caption("seeds", once)
    assert "other seeds where named" not in caption("seeds", once)
