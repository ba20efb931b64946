"""The precision benchmark reads the right epoch and judges right."""

import contextlib
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from mien import cli
from mien.params import load_params

sys.path.append(str(Path(__file__).parent.parent))  # nobody installs the benchmarks
from benchmarks import measure, precision
from benchmarks.precision import Spread

SMALL = precision.Extent(
    ("float32", "bfloat16"), seeds=1, faces=200, epochs=2, images_per_epoch=80
)


def spread(*values: float) -> Spread:
    return Spread(values)


def rows_of(bpp: dict[str, list[float]]) -> precision.Rows:
    """Return trainings that differ in `val_bpp` alone."""
    names = (*precision.COMPARED, "wall_seconds", "cpu_seconds")
    same = dict.fromkeys(names, 1.0) | {f"start_{term}": 2.0 for term in precision.TERMS}
    return {mode: [same | {"val_bpp": value} for value in bpp[mode]] for mode in bpp}


@pytest.mark.parametrize(
    ("reference", "other", "same"),
    [
        (spread(1.0, 2.0, 3.0), spread(3.0, 4.0, 5.0), True),  # 2 apart, as wide as either
        (spread(1.0, 2.0, 3.0), spread(4.0, 4.25, 4.5), False),
        (spread(2.0, 2.0, 2.0), spread(1.0, 3.0, 5.0), True),  # the wider one counts
        (spread(1.0, 3.0, 5.0), spread(2.0, 2.0, 2.0), True),
        (spread(3.0, 4.0, 5.0), spread(0.0, 1.0, 2.0), False),  # lower is different, too
        (spread(2.0, 2.0), spread(2.0, 2.0), True),
        (spread(2.0, 2.0), spread(2.0, 2.5, 3.0), True),
        (spread(1.0, 2.0), spread(1.0, math.nan), False),
    ],
)
def test_means_are_equal_up_to_the_larger_spread(reference, other, same):
    assert precision.equal(reference, other) is same


def test_a_spread_is_the_mean_and_both_ends():
    found = spread(4.0, 1.0, 1.0)
    assert (found.mean, found.width) == (2.0, 3.0)
    assert str(found) == "        2 (1 to 4)"


@pytest.mark.parametrize("values", [(), (1.0,)])
def test_one_seed_has_no_spread(values):
    with pytest.raises(ValueError, match="at least 2 seeds"):
        Spread(values)


def test_differences_are_seed_by_seed():
    assert precision.differences(spread(1.0, 5.0), spread(2.0, 4.0)) == (1.0, -1.0)
    with pytest.raises(ValueError, match="shorter"):
        precision.differences(spread(1.0, 2.0, 3.0), spread(1.0, 2.0))


def test_the_table_has_both_verdicts(capsys):
    bpp = {"float32": [1.0, 1.5], "bfloat16": [1.5, 1.75], "bfloat16_compiled": [3.0, 3.5]}
    table = precision.compared(rows_of(bpp))
    assert table["seeds"] == 2
    assert table["start_val_bpp"] == 2.0
    assert table["float32_val_bpp_mean"] == 1.25
    assert table["bfloat16_val_bpp_difference_mean"] == 0.375
    assert table["bfloat16_val_bpp_difference_max"] == 0.5
    assert [table[f"{mode}_val_bpp_equal"] for mode in bpp if mode != "float32"] == [1.0, 0.0]
    assert table["bfloat16_compiled_kept_mse_equal"] == 1.0
    assert "float32_val_bpp_equal" not in table
    assert capsys.readouterr().out.count("NOT equal within spread") == 1


HEADER = "epoch,train_bpp,val_loss,val_bpp,val_mse,val_accuracy,best\n"
START = "0,,4,0.4,40,44,0\n"


def test_the_best_epoch_is_read_on_val(tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(HEADER + START + "1,9,1,0.1,10,11,1\n" + "2,9,2,0.2,20,22,0\n")
    row = precision.best_row(path)
    val = {"val_loss": 1.0, "val_bpp": 0.1, "val_mse": 10.0, "val_accuracy": 11.0}
    start = {"start_loss": 4.0, "start_bpp": 0.4, "start_mse": 40.0, "start_accuracy": 44.0}
    assert row == {"epoch": 1.0} | val | start


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (HEADER + START, "0 best epochs"),
        (HEADER + START + "1,9,1,0.1,10,11,1\n" * 2, "2 best epochs"),
        (HEADER + START.replace("44,0", "44,1"), "no epoch was better than the start"),
        (HEADER + START + "1,9,1,nan,10,11,1\n", "val_bpp is 'nan'"),
        (HEADER + START + "1,9,1,,10,11,1\n", "val_bpp is ''"),
        (HEADER.replace("val_mse", "mse") + START + "1,9,1,0.1,10,11,1\n", "val_mse is None"),
    ],
)
def test_a_history_that_cannot_be_compared_is_refused(text, said, tmp_path):
    path = tmp_path / "history.csv"
    path.write_text(text)
    with pytest.raises(measure.BenchmarkError, match=said):
        precision.best_row(path)


@pytest.mark.parametrize("mode", precision.MODES)
def test_modes_differ_in_precision_alone(mode, tmp_path):
    found = []
    for name in ("float32", mode):
        precision.write_params(tmp_path, precision.FULL, name, seed=2)
        found.append(load_params(tmp_path / "params.yaml"))
    one, other = found
    wanted = one.compute.model_copy(update=precision.MODES[mode])
    assert other == one.model_copy(update={"compute": wanted})
    assert other.finetune.seed == 2
    assert other.compute.compile is mode.endswith("compiled")


def test_modes_take_turns_seed_by_seed(monkeypatch):
    turns = []

    def noted(_folder, _extent, mode, seed, _threads):
        turns.append((seed, mode))
        return {"seed": float(seed)}

    monkeypatch.setattr(precision, "begin", lambda *_: None)
    monkeypatch.setattr(precision, "training", noted)
    rows = precision.trained(precision.FULL, threads=1)
    assert turns == [(seed, mode) for seed in range(3) for mode in precision.MODES]
    assert rows == {mode: [{"seed": s} for s in (0.0, 1.0, 2.0)] for mode in precision.MODES}


def test_kept_weights_are_looked_at_in_float32(monkeypatch):
    def in_this_process(command, folder, _environment=None):
        with contextlib.chdir(folder):
            assert cli.main(command[len(precision.MIEN) :]) == 0
        return measure.Cost(1.0, 2.0, 0)

    threads = torch.get_num_threads()
    monkeypatch.setattr(measure, "run", in_this_process)
    rows = precision.trained(SMALL, threads)
    full, half = rows["float32"][0], rows["bfloat16"][0]
    assert half["val_loss"] != full["val_loss"]
    for row in (full, half):  # both look in float32, whatever the steps were computed in
        for term in precision.TERMS:
            assert row[f"kept_{term}"] == pytest.approx(row[f"val_{term}"], rel=1e-4)
    assert (half["wall_seconds"], half["cpu_seconds"]) == (1.0, 2.0)


def test_the_file_has_the_numbers(monkeypatch, tmp_path):
    rows = rows_of({"float32": [1.0, 2.0], "bfloat16": [1.0, 2.0]})
    monkeypatch.setattr(precision, "trained", lambda *_: rows)
    path = tmp_path / "precision.json"
    threads = str(torch.get_num_threads())
    assert precision.main(["--quick", "--threads", threads, "--json", str(path)]) == 0
    table = json.loads(path.read_text())
    assert {"commit", "machine"} < set(table)
    assert {name: table[name] for name in precision.compared(rows)} == precision.compared(rows)


def test_a_command_that_fails_is_told(monkeypatch, capsys):
    def failing(*_):
        raise measure.BenchmarkError("mien faces: exit code 2")

    monkeypatch.setattr(measure, "run", failing)
    assert precision.main(["--threads", str(torch.get_num_threads())]) == 2
    assert "benchmarks/precision.py: mien faces: exit code 2" in capsys.readouterr().err


def test_it_runs_as_a_script_from_anywhere(tmp_path):
    asked = [sys.executable, "-W", "ignore", precision.__file__, "--help"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--quick" in done.stdout
