"""The statistics benchmark: its truth is true, and intervals hold it about as often as said.

Coverage with few simulations: the benchmark itself has thousands.
"""

import importlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def benchmark():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT), *sys.path])
        yield importlib.import_module("benchmarks.statistics")


def test_the_true_curve_is_that_of_very_many_images(benchmark):
    seen = benchmark.observed([benchmark.ANCHOR, benchmark.TEST], 200_000, seed=3).mean(axis=0)
    for i, codec in enumerate((benchmark.ANCHOR, benchmark.TEST)):
        accuracy, rate = seen[18 * i : 18 * i + 9], seen[18 * i + 9 : 18 * i + 18]
        np.testing.assert_allclose(accuracy, codec.accuracy, atol=0.35)  # three errors
        np.testing.assert_allclose(rate, codec.rate, rtol=0.01)


def test_images_are_as_hard_and_as_large_for_every_codec(benchmark):
    seen = benchmark.observed([benchmark.ANCHOR, benchmark.TEST], 4000, seed=0)
    correlations = np.corrcoef(seen.T)
    for first, second in ((3, 5), (3, 21), (12, 14), (12, 30)):  # accuracies, then rates
        assert correlations[first, second] > 0.4


def test_intervals_hold_the_truth_about_as_often_as_they_say(benchmark):
    size = benchmark.Size(simulations=60, images=300, resamples=200, rounds=1)
    for name, share in benchmark.coverage(size).items():
        assert 85 <= share <= 100, name


def test_pairing_narrows_the_interval_of_a_difference(benchmark):
    codecs = [benchmark.ANCHOR, benchmark.TEST]
    width = {}
    for paired in (True, False):
        seen = benchmark.observed(codecs, 1000, seed=1)
        if not paired:
            seen[:, 18:] = seen[np.random.default_rng(0).permutation(1000), 18:]
        bd_accuracy = benchmark.bootstrapped(seen, 9, 300, seed=2)[0]
        width[paired] = np.diff(np.quantile(bd_accuracy, [0.025, 0.975]))[0]
    assert width[True] < 0.6 * width[False]


def test_the_numbers_are_written_with_their_keys(benchmark, monkeypatch, tmp_path, capsys):
    size = benchmark.Size(simulations=2, images=100, resamples=50, rounds=1)
    monkeypatch.setattr(benchmark, "QUICK", size)
    monkeypatch.setattr(benchmark, "bootstrap_seconds", lambda rounds: [0.5] * rounds)
    path = tmp_path / "statistics.json"
    monkeypatch.setattr(sys, "argv", ["statistics.py", "--quick", "--json", str(path)])
    benchmark.main()
    written = json.loads(path.read_text())
    assert written["bootstrap_seconds"] == 0.5
    assert {"coverage", "coverage_bd_rate", "simulations", "commit", "machine"} < set(written)
    assert "2 simulations" in capsys.readouterr().out
