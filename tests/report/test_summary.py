"""From answers to statistics: known answers, pairing, and classes that are not there."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn import metrics as oracle

from mien.metrics.bjontegaard import compare, curve, envelope
from mien.report.summary import statistics_of
from mien.runs import PRETRAINED, Run, all_runs
from tests.support.evaluations import N, answers, evaluation
from tests.support.results import params_of


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
    assert (found.quality, found.weights) == (2, params.loss.at(2))
    assert statistics.runs["joint"]["q3-ce0.1"].weights.ce == 0.1
    assert statistics.runs[PRETRAINED]["q2"].weights is None
    assert {Run(s, name) for s, runs in statistics.runs.items() for name in runs} == set(made)


def test_recognition_is_that_of_decoded_and_of_raw_images(params):
    made = evaluations(params)
    found = statistics_of(params, made, "abc").runs["joint"]["q2"]
    run = made[Run("joint", "q2")]
    for kind, answered in ((found.decoded, run.decoded), (found.raw, run.raw)):
        given = {"labels": range(4), "average": "macro", "zero_division": 0}
        f1 = oracle.f1_score(run.labels, answered.predictions, **given)
        uar = oracle.recall_score(run.labels, answered.predictions, **given)
        assert kind.macro_f1.value == pytest.approx(100 * f1)
        assert kind.uar.value == pytest.approx(100 * uar)
        assert kind.macro_f1.low < kind.macro_f1.value < kind.macro_f1.high
        counts = oracle.confusion_matrix(run.labels, answered.predictions, labels=range(8))
        assert kind.confusion == counts.tolist()


def test_calibration_errors_are_those_of_the_temperature(params):
    """All answers are equally sure: one bin, whose error is sureness less accuracy."""
    found = statistics_of(params, evaluations(params), "abc").runs["joint"]["q2"]
    sure = {t: 100 / (1 + 7 * np.exp(-3 / t)) for t in (1.0, 2.0)}
    for kind, accuracy in ((found.decoded, found.accuracy), (found.raw, found.raw_accuracy)):
        assert kind.ece == pytest.approx(abs(sure[2.0] - accuracy.value))
        assert kind.ece_uncalibrated == pytest.approx(abs(sure[1.0] - accuracy.value))
    assert found.temperature == 2.0


def test_without_a_temperature_there_is_no_calibrated_error(params):
    made = {run: replace(e, temperature=None) for run, e in evaluations(params).items()}
    statistics = statistics_of(params, made, "abc")
    found = statistics.runs["joint"]["q2"].decoded
    assert found.ece is None
    assert found.ece_uncalibrated > 0
    assert statistics.reliability["joint"]["raw"].calibrated is None


def test_reliability_is_of_the_middle_rate_point(params):
    statistics = statistics_of(params, evaluations(params), "abc")
    found = statistics.reliability["joint"]["decoded"].uncalibrated
    filled = [(i, part) for i, part in enumerate(found) if part.n]
    [(place, only)] = filled
    assert len(found) == 15
    assert (place, only.n) == (11, N)  # 73.5 %: the twelfth bin
    middle = statistics.runs["joint"][statistics.middle]
    assert only.accuracy == pytest.approx(middle.accuracy.value)
    assert found[0].confidence is None


def test_targets_share_one_raw_accuracy(params):
    statistics = statistics_of(params, evaluations(params), "abc")
    assert set(statistics.targets) == {PRETRAINED, "compression-only", "joint"}
    for strategy, found in statistics.targets.items():
        # The raw images' 50 of 60: the baseline has at most 52, at q4, the trained ones 58.
        assert found.rate["raw"].value is not None
        assert found.rate["raw-1"].value < found.rate["raw"].value
        best = statistics.runs[strategy]["q4"].bpp
        assert found.rate["raw"].value < best


def test_a_delta_has_the_range_it_is_over(params):
    statistics = statistics_of(params, evaluations(params), "abc")
    found = statistics.bjontegaard["joint"]
    rates = [
        [statistics.runs[s][f"q{q}"].bpp for q in params.codec.qualities]
        for s in (PRETRAINED, "joint")
    ]
    assert found.rate_overlap.low == pytest.approx(max(map(min, rates)))
    assert found.rate_overlap.high == pytest.approx(min(map(max, rates)))
    assert found.accuracy_overlap.low == pytest.approx(100 * 34 / 60)
    assert found.accuracy_overlap.high == pytest.approx(100 * 52 / 60)


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


def test_runs_share_their_resamples(params):
    """A delta is of two runs: paired, it is known better than one accuracy of either."""
    statistics = statistics_of(params, evaluations(params), "abc")
    found = statistics.bjontegaard["joint"].bd_accuracy
    accuracy = statistics.runs["joint"]["q2"].accuracy
    # At every rate the trained runs recognise the same images and 6 of 60 more, or fewer.
    paired, single = np.sqrt(0.1 * 0.9), np.sqrt(0.7 * 0.3)
    ratio = (found.high - found.low) / (accuracy.high - accuracy.low)
    assert ratio < 1.15 * paired / single < 1


def test_deltas_are_those_of_the_envelope_of_the_rate_points_alone(params):
    made = evaluations(params)
    easy = np.arange(N) % 60 < 40  # the joint accuracy falls from q2, which recognises 42
    fallen = answers(np.where(easy, np.arange(N) % 4, 7))
    dip = replace(made[Run("joint", "q3")], decoded=fallen)
    made[Run("joint", "q3")] = dip
    statistics = statistics_of(params, made, "abc")
    rates, accuracies = {}, {}
    for strategy in (PRETRAINED, "joint"):
        runs = [made[Run(strategy, f"q{q}")] for q in params.codec.qualities]
        rates[strategy] = np.array([run.bpp.mean() for run in runs])
        accuracies[strategy] = np.array([100 * run.correct(run.decoded).mean() for run in runs])
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
    middle = statistics.runs["joint"][statistics.middle]
    recall = middle.decoded.recall
    assert recall["contempt"].value is None
    assert "no test image" in recall["contempt"].reason
    present = [recall[name].value for name in ("neutral", "happy", "sad", "surprise")]
    assert np.mean(present) == pytest.approx(middle.decoded.uar.value)
    f1 = middle.decoded.f1
    assert f1["contempt"].value is None
    present = [f1[name].value for name in ("neutral", "happy", "sad", "surprise")]
    assert np.mean(present) == pytest.approx(middle.decoded.macro_f1.value)


def test_a_rare_class_may_be_absent_from_a_resample(params):
    labels = np.arange(N) % 3
    labels[0] = 5
    statistics = statistics_of(params, evaluations(params, labels=labels), "abc")
    recall = statistics.runs["joint"][statistics.middle].decoded.recall
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
