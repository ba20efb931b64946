"""metrics.json: complete, rounded, sorted, and the same twice."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mien import paths
from mien.errors import DataError
from mien.runs import Run, all_runs
from mien.stages.summarise import summarise
from mien.stages.tables import tables
from tests.support.results import change_rows, params_of

ROOT = Path(__file__).parents[2]
METRICS = {
    "accuracy",
    "bpp",
    "ece",
    "estimated_bpp",
    "macro_f1",
    "ms_ssim",
    "n_bytes",
    "psnr",
    "raw_accuracy",
    "uar",
}


def test_every_run_is_in_metrics_json(results):
    metrics = json.loads(paths.METRICS.read_text())
    summary = metrics.pop("summary")
    assert {Run(s, name) for s, runs in metrics.items() for name in runs} == set(
        all_runs(results)
    )
    assert all(set(run) == METRICS for runs in metrics.values() for run in runs.values())
    assert set(summary) == {"compression-only", "joint"}
    assert summary["joint"]["bd_rate_low"] <= summary["joint"]["bd_rate_high"] < 0


@pytest.mark.usefixtures("results")
def test_numbers_are_means_over_all_images():
    run = Run("joint", "q5")
    metrics = json.loads(paths.METRICS.read_text())["joint"]["q5"]
    table = pq.read_table(paths.decoded(run)).to_pydict()
    stored = [len(stream) for stream in pq.read_table(paths.streams(run))["stream"].to_pylist()]
    assert metrics["bpp"] == pytest.approx(8 * sum(stored) / len(stored) / 64**2, abs=1e-5)
    assert metrics["n_bytes"] == pytest.approx(sum(stored) / len(stored), abs=1e-3)
    right = [a == b for a, b in zip(table["label"], table["prediction"], strict=True)]
    assert metrics["accuracy"] == pytest.approx(100 * sum(right) / len(right), abs=1e-3)
    assert metrics["psnr"] == pytest.approx(sum(table["psnr"]) / len(right), abs=1e-3)


def test_metrics_are_rounded_and_sorted(results):
    text = paths.METRICS.read_text()
    tree = json.loads(text)
    assert text == json.dumps(tree, indent=2, sort_keys=True) + "\n"
    for run in (run for name in results.strategies for run in tree[name].values()):
        for name, value in run.items():
            decimals = 5 if name in ("bpp", "estimated_bpp", "ms_ssim") else 3
            assert value is None or value == round(value, decimals)


@pytest.mark.usefixtures("results")
def test_another_process_on_more_threads_writes_the_same_bytes(tmp_path):
    written = (paths.METRICS, paths.STATISTICS)
    before = [path.read_bytes() for path in written]
    code = (
        "from tests.support.results import params_of\n"
        "from mien.stages.summarise import summarise\n"
        "summarise(params_of())"
    )
    for path in written:
        path.unlink()
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "OMP_NUM_THREADS": "2",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment, cwd=tmp_path)
    assert [path.read_bytes() for path in written] == before


def test_seconds_change_the_times_alone(results):
    before = paths.METRICS.read_bytes(), paths.STATISTICS.read_bytes()
    tables(results)
    shown = table_bytes()
    for run in all_runs(results):
        change_rows(paths.encode_seconds(run), run, seconds=[1.5] * 60)
        change_rows(paths.decode_seconds(run), run, seconds=[0.25] * 60)
    summarise(results)
    tables(results)
    assert (paths.METRICS.read_bytes(), paths.STATISTICS.read_bytes()) == before
    times = json.loads(paths.TIMINGS.read_text())["runs"]
    assert times["joint"]["q5"] == {"decode_seconds": 0.25, "encode_seconds": 1.5}
    changed = {name for name, data in table_bytes().items() if data != shown[name]}
    assert changed == {paths.TIMINGS_TABLE.name}
    assert "| joint | q5 | 1,500.00 | 250.00 |" in paths.TIMINGS_TABLE.read_text()


def table_bytes():
    return {path.name: path.read_bytes() for path in paths.TABLES.iterdir()}


@pytest.mark.usefixtures("results")
def test_runs_that_params_do_not_name_are_ignored():
    fewer = params_of(
        sweep={"bpp": [], "mse": [], "ce": []},
        repeat={"qualities": [], "seeds": []},
        strategies=["joint"],
    )
    summarise(fewer)
    metrics = json.loads(paths.METRICS.read_text())
    assert set(metrics) == {"pretrained", "joint", "summary"}
    assert set(metrics["joint"]) == {"q1", "q3", "q5", "q8"}


def test_refused_input_leaves_the_old_metrics(results):
    before = paths.METRICS.read_bytes()
    paths.streams(Run("joint", "q8")).unlink()
    with pytest.raises(DataError, match=r"joint/q8/streams.parquet: missing"):
        summarise(results)
    assert paths.METRICS.read_bytes() == before
