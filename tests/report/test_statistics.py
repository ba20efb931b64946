"""statistics.json: nothing is lost, nothing of the machine shows, no other runs pass."""

import json

import pytest

from mien import paths
from mien.errors import DataError
from mien.report.statistics import Estimate, read_statistics, rounded, write_statistics
from mien.runs import Run, all_runs
from tests.support.results import params_of

RUNS = all_runs(params_of())


def test_statistics_come_back_as_written(statistics, tmp_path):
    path = tmp_path / "statistics.json"
    weights = statistics.weights.model_copy(update={"bpp": {1: 20.0, 3: 2.5}})
    for written in (statistics, statistics.model_copy(update={"weights": weights})):
        write_statistics(path, written)
        assert read_statistics(path, RUNS) == written


def test_floats_are_rounded_and_zero_has_no_sign():
    assert rounded({"a": [1.23456789, None, "x", 3], "b": -1e-9}, 6) == {
        "a": [1.234568, None, "x", 3],
        "b": 0.0,
    }
    assert str(rounded(-1e-9, 6)) == "0.0"


def test_the_file_is_json_without_nan(results):
    def refuse(name):
        raise AssertionError(name)

    text = (results / paths.STATISTICS).read_text()
    json.loads(text, parse_constant=refuse)


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ([*RUNS, Run("joint", "q7")], "lacks the run joint/q7"),
        (RUNS[:-1], f"has the run {RUNS[-1].strategy}/{RUNS[-1].setting}"),
    ],
)
def test_statistics_of_other_runs_are_refused(results, runs, message):
    with pytest.raises(DataError, match=message):
        read_statistics(results / paths.STATISTICS, runs)


def test_a_missing_or_foreign_file_is_refused(results, tmp_path):
    with pytest.raises(DataError, match="no such file: run `mien summarise`"):
        read_statistics(tmp_path / "statistics.json", RUNS)
    tree = json.loads((results / paths.STATISTICS).read_text())
    del tree["dataset"]["n"]
    (tmp_path / "old.json").write_text(json.dumps(tree))
    with pytest.raises(DataError, match=r"old.json: dataset.n: Field required"):
        read_statistics(tmp_path / "old.json", RUNS)
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match=r"broken\.json"):
        read_statistics(tmp_path / "broken.json", RUNS)


@pytest.mark.parametrize(
    ("low", "high", "absent", "expected"),
    [
        (0.1, 2.0, 0.0, True),
        (-2.0, -0.1, 0.05, True),
        (-0.1, 2.0, 0.0, False),
        (0.0, 2.0, 0.0, False),
        (0.1, 2.0, 0.06, False),  # too many resamples have no value
        (None, None, 1.0, False),
    ],
)
def test_a_sign_is_established_only_beyond_zero(low, high, absent, expected):
    estimate = Estimate(value=1.0, low=low, high=high, absent=absent, reason=None)
    assert estimate.excludes_zero is expected
