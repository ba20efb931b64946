"""The benchmarks of a no-op and of what a picture costs: they run, and refuse what is none."""

import csv
import json
from pathlib import Path

import pytest

from benchmarks import costs, workflow
from benchmarks.measure import BenchmarkError
from mien.codec import classic
from mien.runs import CLASSIC

JOBS = 24


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """Return a copy of the project that Snakemake takes for finished."""
    import yaml

    folder = tmp_path_factory.mktemp("noop") / "project"
    workflow.copy_project(folder)
    (folder / "params.yaml").write_text(yaml.safe_dump(workflow.params(JOBS)))
    workflow.finish(folder)
    return folder


def test_a_finished_copy_has_so_many_jobs_and_nothing_to_do(finished):
    workflow.require_done(finished, JOBS)
    with pytest.raises(BenchmarkError, match=f"{JOBS} jobs were made, not {JOBS + 6}"):
        workflow.require_done(finished, JOBS + 6)
    names = [path.name for path in finished.iterdir()]
    assert not [name for name in names if " " in name]  # no message was taken for an output


def test_what_has_something_to_do_is_not_measured(finished):
    (finished / "metrics.json").unlink()
    with pytest.raises(BenchmarkError, match="a second run would do something"):
        workflow.require_done(finished, JOBS)


@pytest.mark.parametrize("jobs", [600, 60, 18])
def test_the_sweeps_are_as_long_as_the_jobs_ask_for(jobs):
    sweep = workflow.params(jobs)["sweep"]
    values = [value for weight in ("bpp", "mse", "ce") for value in sweep[weight]]
    assert len(set(values)) == len(values) == (jobs - 18) / 6


def test_numbers_of_jobs_that_cannot_be_are_refused():
    for jobs in (12, 601):
        with pytest.raises(ValueError, match=f"{jobs} jobs"):
            workflow.params(jobs)


def test_a_source_without_dvc_yaml_says_so(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(workflow, "ROOT", tmp_path)
    for step in ("copy_project", "finish"):
        monkeypatch.setattr(
            workflow, step, lambda folder: folder.mkdir(parents=True, exist_ok=True)
        )
    assert workflow.numbers(["dvc"], 1, JOBS) == {}
    assert "no dvc.yaml" in capsys.readouterr().out


def test_the_paths_of_all_stages_are_found():
    stages = {
        "a": {"outs": ["x", {"y": {"persist": True}}]},
        "b": {"metrics": [{"m.json": {"cache": False}}]},
    }
    assert workflow.outs({"stages": stages}) == ["x", "y", "m.json"]


@pytest.mark.parametrize(("options", "rounds"), [([], 9), (["--quick"], 3)])
def test_the_workflow_benchmark_writes_one_flat_object(monkeypatch, tmp_path, options, rounds):
    asked = []
    monkeypatch.setattr(
        workflow, "numbers", lambda parts, rounds: asked.append((parts, rounds)) or {"a": 1.5}
    )
    assert workflow.main([*options, "--json", str(tmp_path / "w.json")]) == 0
    assert asked == [(workflow.PARTS, rounds)]
    written = json.loads((tmp_path / "w.json").read_text())
    assert written.keys() == {"a", "commit", "machine"}


def test_what_stops_the_workflow_benchmark_is_one_message(monkeypatch, capsys):
    def fail(*_args, **_options):
        raise BenchmarkError("no such program")

    monkeypatch.setattr(workflow, "numbers", fail)
    assert workflow.main(["--quick"]) == 2
    assert capsys.readouterr().err == "benchmarks/workflow.py: no such program\n"


def test_every_stage_has_a_cost(monkeypatch):
    """On tiny codecs and pictures; the keys are those that `mien plan` asks for."""
    monkeypatch.setattr(costs, "CHANNELS", ((8, 16),))
    monkeypatch.setattr(costs, "SIZE", 64)
    monkeypatch.setattr(costs, "BATCH", 2)
    seen = {key: costs._taken(work) for key, work in costs.works()}
    kinds = ("train_rate", "train_frozen", "train_joint", "train_read", "look_codec")
    expected = {f"{kind}_n8" for kind in (*kinds, "encode", "decode")}
    expected |= {"train_classifier", "classify", "distortion"}
    here = [codec for codec in CLASSIC if not classic.missing([codec])]
    expected |= {
        f"{w}_{codec.replace('-', '_')}" for w in ("encode", "decode") for codec in here
    }
    assert set(seen) == expected
    assert all(value > 0 for key, value in seen.items() if key.startswith(("train", "look")))


def test_data_have_a_cost_that_start_up_is_no_part_of(tmp_path, monkeypatch):
    def cost(count):
        return costs.measure.Cost(0, 3 + count / 100, 0)

    class Made:
        def __init__(self, folder, _drawn, train, test):
            self.count, self.shards, self.index = (
                train + test,
                folder / "shards",
                folder / "index",
            )
            self.shards.mkdir(parents=True)
            (self.shards / "a.tar").write_bytes(bytes(7 * self.count))
            self.index.write_bytes(bytes(2 * self.count))

        def ingest(self, _threads):
            return cost(self.count)

        def shard(self, _threads, _look):
            return cost(2 * self.count)

    monkeypatch.setattr(costs.workspace, "of_copies", Made)
    monkeypatch.setattr(costs, "_drawn", lambda _, count: cost(4 * count))
    monkeypatch.setattr(costs.measure, "run", lambda *_: cost(0))
    assert costs._data(tmp_path, images=600) == pytest.approx(
        {"draw": 0.04, "ingest": 0.01, "shard": 0.02, "start": 3}
        | {"shard_bytes": 7, "index_bytes": 2}
    )


def test_numbers_replace_those_of_the_same_key_and_device(tmp_path):
    path = tmp_path / "speeds.csv"
    costs.put_into(path, {"classify": 0.0123456, "shard_bytes": 71976.4}, "first")
    costs.put_into(path, {"classify": 2.0, "md5_gigabyte": 1.5, "start": 3}, "second")
    with path.open(newline="") as file:
        rows = {row["key"]: row for row in csv.DictReader(file)}
    assert {key: float(row["value"]) for key, row in rows.items()} == {
        "classify": 2.0,
        "shard_bytes": 71976,
        "md5_gigabyte": 1.5,
        "start": 3.0,
    }
    assert rows["shard_bytes"]["command"] == "first"
    assert [
        rows[key]["unit"] for key in ("classify", "shard_bytes", "md5_gigabyte", "start")
    ] == [
        "s/picture",
        "B",
        "s/GB",
        "s/job",
    ]
    assert costs._rounded(0.0123456) == "0.01235"
