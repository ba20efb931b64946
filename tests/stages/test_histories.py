"""Stage `histories`: one table of all trainings."""

import csv

import pytest

from mien import paths
from mien.errors import DataError
from mien.runs import Run, trained_runs
from mien.stages.histories import histories


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def write(run, text):
    path = paths.history(run)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_every_training_is_there_once_under_the_name_of_its_run(toy_params):
    runs = trained_runs(toy_params)
    for number, run in enumerate(runs):
        write(run, f"epoch,val_loss,val_ce\n0,{number}.5,1\n1,{number}.25,1\n")
    write(Run("classifier-raw", "all"), "epoch,val_ce\n0,7\n")

    histories(toy_params)

    with paths.HISTORIES.open(newline="") as file:
        rows = list(csv.DictReader(file))
    names = [row["run"] for row in rows]
    assert names.count("joint/q3") == names.count("joint/q3-ce0.5") == 2
    assert names.count("classifier-raw/all") == 1
    last = [row for row in rows if row["run"] == "joint/q3"][-1]
    assert last["val_loss"] == f"{runs.index(Run('joint', 'q3'))}.25"
    (raw,) = (row for row in rows if row["run"] == "classifier-raw/all")
    assert (raw["val_loss"], raw["val_ce"]) == ("", "7")


def test_a_missing_history_is_named(toy_params):
    with pytest.raises(DataError, match=r"results/compression-only/q1/history.csv: no such"):
        histories(toy_params)
    assert not paths.HISTORIES.exists()
