"""What each strategy moves, and that a kill changes nothing."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch

from mien import paths
from mien.data import shards
from mien.errors import MienError
from mien.runs import ALL, TRAINS_CLASSIFIER, TRAINS_CODEC, Run
from mien.stages import finetune as stage
from mien.stages.finetune import finetune, prepared
from mien.stages.ingest import ingest
from mien.stages.pretrain import pretrain_classifier, pretrain_codec
from mien.stages.shard import shard
from mien.tensors import load_tensors
from mien.training.codec_task import CodecTask
from tests.data.conftest import affectnet_folder, load

RUNS = {
    strategy: Run(strategy, ALL if strategy == "classifier-raw" else "q1")
    for strategy in (
        "compression-only",
        "joint",
        "codec-rd",
        "classifier-raw",
        "classifier-decoded",
    )
}
PARAMS = {
    "pretrain": {"evaluations": 1},
    "finetune": {"epochs": 2, "lr": 1e-3, "classifier_lr": 1e-3},
    "compute": {"save_seconds": 0.0},
}


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Return a folder with shards of 18 training pictures and pretrained models."""
    folder = tmp_path_factory.mktemp("finetune")
    before = Path.cwd()
    os.chdir(folder)
    affectnet_folder(folder / "raw")
    params = load(folder, **PARAMS)
    ingest(params, workers=1)
    shard(params, workers=1)
    pretrain_codec(params, 1)
    pretrain_classifier(params)
    os.chdir(before)
    return folder


@pytest.fixture
def params(home, monkeypatch):
    monkeypatch.chdir(home)
    yield load(home, **PARAMS)
    for path in [*home.glob("results/*/*/*"), *home.glob("work/*/*")]:
        path.unlink()


def start():
    tensors = load_tensors(paths.codec(1))[0] | load_tensors(paths.CLASSIFIER)[0]
    return {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}


def trained(params, run):
    finetune(params, run)
    return load_tensors(paths.checkpoint(run))[0]


@pytest.mark.parametrize("strategy", RUNS)
def test_a_strategy_moves_its_own_weights_and_nothing_else(params, strategy):
    torch.manual_seed(0)
    task, _ = prepared(params, RUNS[strategy])
    networks = {"classifier": task.reader.classifier}
    if isinstance(task, CodecTask):
        networks["codec"] = task.codec
    before = {
        f"{name}.{key}": tensor.clone()
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
    }
    batches = shards.training_batches(paths.SHARDS_MANIFEST, "train", 4, 0, 0, None)
    for step, batch in enumerate(batches, 1):
        task.step(batch, step)
    moved = {
        f"{name}.{key}"
        for name, network in networks.items()
        for key, tensor in network.state_dict().items()
        if not torch.equal(before[f"{name}.{key}"], tensor)
    }
    expected = {
        f"{name}.{key}"
        for name, network in networks.items()
        for key, _ in network.named_parameters()
        if strategy in (TRAINS_CODEC if name == "codec" else TRAINS_CLASSIFIER)
    }
    assert moved == expected  # no buffer: batch norm's statistics and the tables stay


@pytest.mark.parametrize("strategy", RUNS)
def test_a_checkpoint_holds_what_was_trained(params, strategy):
    tensors = trained(params, RUNS[strategy])
    assert any(name.startswith("codec.") for name in tensors) == (strategy in TRAINS_CODEC)
    assert any(name.startswith("classifier.") for name in tensors) == (
        strategy in TRAINS_CLASSIFIER
    )
    record = json.loads(paths.manifest_of(paths.checkpoint(RUNS[strategy])).read_text())[
        "record"
    ]
    assert record["strategy"] == strategy
    assert not list(paths.WORK.glob("*/*"))


def test_without_cross_entropy_compression_only_is_codec_rd(home, params):
    rd = trained(params, RUNS["codec-rd"])
    only = trained(load(home, **PARAMS, loss={"ce": 0.0}), RUNS["compression-only"])
    assert rd.keys() == only.keys()
    assert all(torch.equal(rd[name], only[name]) for name in rd)
    other = trained(load(home, **PARAMS), RUNS["compression-only"])
    assert not all(torch.equal(rd[name], other[name]) for name in rd)


def test_the_best_val_loss_is_that_of_the_checkpoint(params):
    run = RUNS["joint"]
    tensors = trained(params, run)
    lines = (paths.run_folder(run) / "history.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    (best,) = [row for row in rows if row["best"] == "1"]

    task, _ = prepared(params, run)
    task.set_weights({k: v for k, v in tensors.items() if "_cdf" not in k} | tables_of(task))
    seen = task.evaluate(shards.split_batches(paths.SHARDS_MANIFEST, "val", 4))
    assert seen["loss"] == pytest.approx(float(best["val_loss"]), rel=1e-4)


def tables_of(task):
    return {
        f"codec.{name}": tensor
        for name, tensor in task.codec.state_dict().items()
        if "_cdf" in name or "_offset" in name
    }


class KilledError(Exception):
    pass


def interrupted(monkeypatch, params, run, after):
    """Train until `after` steps are done, then die."""
    original = stage.prepared

    def dying(params, run):
        task, plan = original(params, run)
        step, done = task.step, iter(range(after))

        def counted(batch, number):
            if next(done, None) is None:
                raise KilledError
            return step(batch, number)

        task.step = counted
        return task, plan

    with monkeypatch.context() as patch:
        patch.setattr(stage, "prepared", dying)
        with pytest.raises(KilledError):
            finetune(params, run)


@pytest.mark.parametrize("strategy", ["joint", "classifier-decoded"])
def test_a_training_that_dies_at_random_steps_ends_as_one_that_did_not(
    params, monkeypatch, strategy
):
    run = RUNS[strategy]
    finetune(params, run)
    expected = {path.name: path.read_bytes() for path in paths.run_folder(run).iterdir()}
    for path in paths.run_folder(run).iterdir():
        path.unlink()

    rng = random.Random(0)
    for _ in range(5):
        interrupted(monkeypatch, params, run, rng.randrange(1, 4))  # 18 steps in all
    finetune(params, run)
    for path in paths.run_folder(run).iterdir():
        assert path.read_bytes() == expected[path.name], path.name


def test_kill_9_of_the_process_changes_nothing(params):
    run = RUNS["joint"]
    finetune(params, run)
    expected = {path.name: path.read_bytes() for path in paths.run_folder(run).iterdir()}
    for path in paths.run_folder(run).iterdir():
        path.unlink()

    command = [sys.executable, "-m", "mien.cli", "finetune", run.strategy, run.setting]
    threads = ["--threads", str(torch.get_num_threads())]
    with subprocess.Popen([*command, *threads], stderr=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + 120
        while not list(paths.WORK.glob("finetune-*/state.pt")) and time.monotonic() < deadline:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert not paths.checkpoint(run).exists()
    subprocess.run([*command, *threads], check=True, capture_output=True)
    for path in paths.run_folder(run).iterdir():
        assert path.read_bytes() == expected[path.name], path.name


def test_other_params_do_not_go_on_from_this_state(home, params, monkeypatch):
    run = RUNS["compression-only"]
    interrupted(monkeypatch, params, run, 5)
    (folder,) = paths.WORK.glob("finetune-*")
    changed = load(home, **(PARAMS | {"finetune": PARAMS["finetune"] | {"lr": 2e-3}}))
    interrupted(monkeypatch, changed, run, 5)
    assert len(list(paths.WORK.glob("finetune-*/state.pt"))) == 2
    assert (folder / "state.pt").is_file()


def test_a_run_that_params_do_not_name_is_refused(params):
    with pytest.raises(MienError, match="setting 'q7' is not in params"):
        finetune(params, Run("joint", "q7"))
