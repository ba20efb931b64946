"""From answers to statistics: known answers, pairing, and classes that are not there."""

from dataclasses import replace

import numpy as np
import pytest

from mien.metrics.bjontegaard import compare, curve, envelope
from mien.report.summary import Evaluation, statistics_of
from mien.runs import PRETRAINED, Run, all_runs
from tests.support.results import params_of

N = 120


def evaluation(right, raw_right, bpp, labels=None, ms_ssim=None, psnr=30.0):
    """Return a run that recognises exactly the images it is told to."""
    labels = np.arange(N) % 4 if labels is None else labels
    return Evaluation(
        labels=labels,
        predictions=np.where(right, labels, 7),
        raw_predictions=np.where(raw_right, labels, 7),
        n_bytes=np.full(N, 100),
        bpp=np.full(N, bpp),
        estimated_bpp=np.full(N, 0.9 * bpp),
        psnr=np.full(N, psnr),
        ms_ssim=ms_ssim,
    )


def evaluations(params, **changes):
    """Return runs that recognise the easiest images: more at higher rates and when trained."""
    made = {}
    for i, run in enumerate(all_runs(params)):
        easy = np.arange(N) % 60  # the ease of an image is no matter of its class
        quality = int(run.setting[1])
        share = 20 + 8 * quality + (6 if run.strategy != PRETRAINED else 0)
        made[run] = evaluation(easy < share, easy < 50, 0.05 * quality + 1e-3 * i, **changes)
    return made


@pytest.fixture(scope="module")
def params():
    return params_of(
        codec={"qualities": [1, 2, 3, 4]}, sweep={"bpp": [], "mse": [], "ce": [0.1]}
    )


def test_every_run_has_its_numbers(params):
    made = evaluations(params)
    statistics = statistics_of(params, made, "abc")
    found = statistics.runs["joint"]["q2"]
    assert found.accuracy.value == pytest.approx(100 * 42 / 60)
    assert found.raw_accuracy.value == pytest.approx(100 * 50 / 60)
    assert found.change.value == pytest.approx(-100 * 8 / 60)
    assert found.bpp == pytest.approx(made[Run("joint", "q2")].bpp[0])
    assert found.estimated_bpp == pytest.approx(0.9 * found.bpp)
    assert found.n_bytes == 100
    assert (found.quality, found.weights) == (2, params.loss)
    assert statistics.runs["joint"]["q3-ce0.1"].weights.ce == 0.1
    assert statistics.runs[PRETRAINED]["q2"].weights is None
    assert {Run(s, name) for s, runs in statistics.runs.items() for name in runs} == set(made)


def test_a_difference_is_paired(params):
    """The images that decoding costs are known far better than either accuracy."""
    found = statistics_of(params, evaluations(params), "abc").runs["joint"]["q2"]
    width = {
        name: getattr(found, name).high - getattr(found, name).low
        for name in ("accuracy", "change")
    }
    # Standard errors: sqrt(.7 * .3 / n) and sqrt(p (1 - p) / n) with p = 8 / 60.
    ratio = np.sqrt(8 / 60 * 52 / 60) / np.sqrt(0.7 * 0.3)
    assert width["change"] / width["accuracy"] == pytest.approx(ratio, rel=0.15)
    assert found.change.excludes_zero


def test_deltas_are_those_of_the_envelope_of_the_rate_points_alone(params):
    made = evaluations(params)
    easy = np.arange(N) % 60 < 40  # the joint accuracy falls from q2, which recognises 42
    dip = replace(made[Run("joint", "q3")], predictions=np.where(easy, np.arange(N) % 4, 7))
    made[Run("joint", "q3")] = dip
    statistics = statistics_of(params, made, "abc")
    rates, accuracies = {}, {}
    for strategy in (PRETRAINED, "joint"):
        runs = [made[Run(strategy, f"q{q}")] for q in params.codec.qualities]
        rates[strategy] = np.array([run.bpp.mean() for run in runs])
        accuracies[strategy] = np.array([100 * run.correct.mean() for run in runs])
    expected = compare(
        *(envelope(curve(rates[s], accuracies[s])) for s in (PRETRAINED, "joint"))
    )
    found = statistics.bjontegaard["joint"]
    assert found.bd_accuracy.value == pytest.approx(expected.bd_accuracy.value)
    assert found.bd_rate.value == pytest.approx(expected.bd_rate.value)
    assert found.on_envelope["pchip"].bd_rate.value == found.bd_rate.value
    assert found.bd_accuracy.low < found.bd_accuracy.value < found.bd_accuracy.high
    assert found.bd_rate.high < 0
    assert set(statistics.bjontegaard) == {"compression-only", "joint"}


def test_a_delta_that_is_not_there_says_why(params):
    made = evaluations(params)
    for quality in params.codec.qualities:  # nothing left to be learned: one accuracy
        made[Run("joint", f"q{quality}")] = evaluation(
            np.ones(N, bool), np.ones(N, bool), 0.1 * quality
        )
    found = statistics_of(params, made, "abc").bjontegaard["joint"].bd_rate
    assert (found.value, found.low, found.high, found.absent) == (None, None, None, 1.0)
    assert "1 distinct points" in found.reason
    assert not found.excludes_zero


def test_an_absent_class_has_no_recall(params):
    labels = np.arange(N) % 4
    statistics = statistics_of(params, evaluations(params, labels=labels), "abc")
    assert statistics.dataset.absent == ["fear", "disgust", "anger", "contempt"]
    assert statistics.dataset.counts["sad"] == 30
    recall = statistics.recall["joint"]
    assert recall["contempt"].value is None
    assert "no test image" in recall["contempt"].reason
    middle = statistics.runs["joint"][statistics.middle]
    present = [recall[name].value for name in ("neutral", "happy", "sad", "surprise")]
    assert np.mean(present) == pytest.approx(middle.uar)


def test_a_rare_class_may_be_absent_from_a_resample(params):
    labels = np.arange(N) % 3
    labels[0] = 5
    recall = statistics_of(params, evaluations(params, labels=labels), "abc").recall["joint"]
    assert recall["disgust"].absent == pytest.approx(np.exp(-1), abs=0.12)
    assert recall["disgust"].low == recall["disgust"].high == 100.0


def test_what_has_no_finite_mean_is_none(params):
    found = statistics_of(params, evaluations(params, psnr=np.inf), "abc").runs["joint"]["q1"]
    assert (found.psnr, found.ms_ssim) == (None, None)
    measured = evaluations(params, ms_ssim=np.linspace(0.9, 1.0, N))
    found = statistics_of(params, measured, "abc").runs["joint"]["q1"]
    assert (found.psnr, found.ms_ssim) == pytest.approx((30.0, 0.95))


def test_one_rate_point_is_enough_for_all_but_the_deltas():
    params = params_of(
        codec={"qualities": [3]}, sweep={"bpp": [], "mse": [], "ce": []}, strategies=["joint"]
    )
    statistics = statistics_of(params, evaluations(params), "abc")
    found = statistics.bjontegaard["joint"]
    assert "pchip needs 2" in found.bd_accuracy.reason
    assert "pchip needs 2" in found.bd_rate.reason
    assert statistics.middle == "q3"
