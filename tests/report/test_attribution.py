"""The parts of the joint gain: they add up, and each is what it says."""

import numpy as np
import pytest

from mien.report.attribution import PARTS, attribution_of
from mien.report.estimates import Points

GAINS = {
    "pretrained": 0.0,
    "codec-rd": 0.5,
    "compression-only": 2.0,
    "classifier-raw": 0.25,
    "classifier-decoded": 1.5,
    "joint": 4.5,
}
RATE = np.geomspace(0.05, 0.8, 5)


def points(gain, factor=1.0, resamples=300):
    """Return a curve so much above the baseline's; what is hard is so for every strategy."""
    accuracy = 50 + 10 * np.log10(RATE * factor / 0.05) + gain
    noise = np.random.default_rng(0).normal(0, 1.0, (resamples, 1))
    own = np.random.default_rng(int(100 * gain)).normal(0, 0.1, (resamples, 1))
    rate = RATE * factor
    return Points(rate, accuracy, np.tile(rate, (resamples, 1)), accuracy + noise + own)


def curves(*names):
    return {name: points(GAINS[name]) for name in names or GAINS}


def test_each_part_is_its_difference():
    parts = attribution_of(curves()).parts
    values = {part: found.value for part, found in parts.items()}
    assert values == pytest.approx(
        {
            "joint": 4.5,
            "codec": 2.0,
            "codec-rd": 0.5,
            "codec-ce": 1.5,
            "classifier": 1.5,
            "classifier-raw": 0.25,
            "classifier-decoded": 1.25,
            "adaptation": 1.0,
            "beyond-codec": 2.5,
            "beyond-classifier": 3.0,
        }
    )
    assert values["joint"] == pytest.approx(
        values["codec"] + values["classifier"] + values["adaptation"]
    )


def test_intervals_are_paired():
    for found in attribution_of(curves()).parts.values():
        assert found.low < found.value < found.high
        assert found.high - found.low < 1.2  # the accuracies themselves: 3.9


def test_all_parts_are_over_the_rates_that_all_curves_cover():
    shifted = curves() | {"joint": points(4.5, factor=2.0)}
    found = attribution_of(shifted)
    assert (found.low, found.high) == (pytest.approx(0.1), pytest.approx(0.8))
    parts = found.parts
    total = parts["codec"].value + parts["classifier"].value + parts["adaptation"].value
    assert parts["joint"].value == pytest.approx(total)
    assert parts["joint"].value == pytest.approx(4.5)


@pytest.mark.parametrize("missing", [name for name in GAINS if name != "pretrained"])
def test_what_was_not_run_is_said_and_the_rest_stays(missing):
    names = [name for name in GAINS if name != missing]
    parts = attribution_of(curves(*names)).parts
    whole = attribution_of(curves()).parts
    for part, (added, taken) in PARTS.items():
        if missing in (*added, *taken):
            assert parts[part].value is None
            assert parts[part].reason == f"not run: add {missing} to strategies"
        else:
            assert parts[part].value == pytest.approx(whole[part].value)


def test_curves_that_share_no_rate_have_no_parts():
    found = attribution_of(curves() | {"joint": points(4.5, factor=100.0)})
    assert (found.low, found.high) == (None, None)
    assert found.parts["codec"].reason == "the curves share no range of rate"
    assert found.parts["codec"].value is None
