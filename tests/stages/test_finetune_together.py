"""One fine-tuning in two processes that share every batch."""

from __future__ import annotations

import csv
import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mien import paths
from mien.errors import DataError, ParamsError
from mien.stages.finetune import finetune
from mien.tensors import load_tensors
from tests.data.conftest import load
from tests.support.trainings import PARAMS, RUNS

# Two halves of a sum in float32 are rounded elsewhere than the whole; the steps carry it on.
TOLERANCE = 1e-4


def on(home, devices, **finetuned):
    section = PARAMS["finetune"] | {"batch_size": 4, "update_batch_norm": False} | finetuned
    compute = PARAMS["compute"] | {"devices": devices}
    return load(home, **(PARAMS | {"finetune": section, "compute": compute}))


def history(run):
    with (paths.run_folder(run) / "history.csv").open() as file:
        return [{k: float(v or "nan") for k, v in row.items()} for row in csv.DictReader(file)]


pytestmark = pytest.mark.usefixtures("params")


@pytest.mark.parametrize("strategy", ["compression-only", "codec-rd"])
def test_two_processes_have_the_losses_of_one(home, strategy):
    run = RUNS[strategy]
    seen = {}
    for devices in (1, 2):
        finetune(on(home, devices), run)
        seen[devices] = history(run), load_tensors(paths.checkpoint(run))[0]
        for path in paths.run_folder(run).iterdir():
            path.unlink()
    (alone, weights), (shared, shared_weights) = seen[1], seen[2]
    assert len(alone) == len(shared) == 3
    for one, two in zip(alone, shared, strict=True):
        assert two == pytest.approx(one, rel=TOLERANCE, nan_ok=True)
    assert alone[1]["train_loss"] != alone[2]["train_loss"]
    moved = weights.keys() - {name for name in weights if "_cdf" in name or "_offset" in name}
    for name in moved:
        torch.testing.assert_close(weights[name], shared_weights[name], rtol=1e-2, atol=1e-4)


@pytest.mark.parametrize("strategy", ["joint", "classifier-raw", "classifier-decoded"])
def test_a_classifier_is_trained_by_two_processes(home, strategy):
    run = RUNS[strategy]
    finetune(on(home, 2), run)
    rows = history(run)
    assert all(math.isfinite(row["val_loss"]) for row in rows)
    assert rows[1]["train_loss"] != rows[2]["train_loss"]
    assert paths.checkpoint(run).is_file()
    assert not list(paths.WORK.glob("*/*"))


def test_batch_norm_over_processes_is_refused_without_gpus(home):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU: batch norm is shared")
    with pytest.raises(ParamsError, match=r"compute\.devices is more than 1 and finetune\.upd"):
        finetune(on(home, 2, update_batch_norm=True), RUNS["joint"])
    assert not paths.checkpoint(RUNS["joint"]).exists()


def test_a_batch_that_devices_do_not_divide_is_refused(home):
    with pytest.raises(ParamsError, match=r"batch_size 5 cannot be divided by compute\.d"):
        on(home, 2, batch_size=5)


def test_a_damaged_sample_in_one_process_stops_all(home):
    (tar, *_) = sorted(paths.SHARDS.glob("train/*.tar"))
    whole = tar.read_bytes()
    damaged = bytearray(whole)
    damaged[1024 + 600] ^= 1
    tar.write_bytes(damaged)
    try:
        with pytest.raises(DataError, match=tar.name):
            finetune(on(home, 2), RUNS["codec-rd"])
    finally:
        tar.write_bytes(whole)


def test_processes_end_with_one_that_is_killed_and_the_next_start_goes_on(home):
    run = RUNS["codec-rd"]
    finetune(on(home, 2), run)
    expected = {path.name: path.read_bytes() for path in paths.run_folder(run).iterdir()}
    for path in paths.run_folder(run).iterdir():
        path.unlink()

    command = [sys.executable, "-m", "mien.cli", "finetune", run.strategy, run.setting]
    threads = ["--threads", str(torch.get_num_threads())]
    with subprocess.Popen([*command, *threads], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(paths.WORK.glob("finetune-*/state.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        workers = below(process.pid)
        process.send_signal(signal.SIGKILL)
    assert len(workers) >= 2
    deadline = time.monotonic() + 20
    while any(map(alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(map(alive, workers))
    subprocess.run([*command, *threads], check=True, capture_output=True)
    for path in paths.run_folder(run).iterdir():
        assert path.read_bytes() == expected[path.name], path.name


def below(pid):
    """Return the processes that one started."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parent = int(stat.read_text().rpartition(")")[2].split()[1])
        except OSError:
            continue
        if parent == pid:
            found.append(int(stat.parent.name))
    return found


def alive(pid):
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
