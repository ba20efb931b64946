"""What each strategy moves, and that a kill changes nothing."""

from __future__ import annotations

import json
import random
import shutil
import signal
import subprocess
import sys
import time
from itertools import pairwise

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch.nn import functional as F

from mien import paths
from mien.classifier.resnet18 import load_classifier
from mien.codec.model import load_codec
from mien.data import shards
from mien.errors import MienError
from mien.params import LAMBDAS
from mien.runs import TRAINS_CLASSIFIER, TRAINS_CODEC, Run, loss_weights
from mien.stages import finetune as stage
from mien.stages.finetune import finetune, prepared
from mien.stages.pretrain import pretrain_codec
from mien.tensors import load_tensors
from mien.training.codec_task import CodecTask, RateWarmUp
from tests.data.conftest import load
from tests.support.trainings import PARAMS, RUNS


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


@pytest.mark.usefixtures("params")
@pytest.mark.parametrize("strategy", ["joint", "classifier-raw"])
def test_a_repeated_run_is_trained_as_one_with_that_seed(home, strategy):
    run = RUNS[strategy]
    again = Run(strategy, f"{run.setting}-seed7")
    repeated = load(home, **PARAMS, repeat={"qualities": [1], "seeds": [7]})
    tensors = trained(repeated, again)
    seeded = load(home, **(PARAMS | {"finetune": PARAMS["finetune"] | {"seed": 7}}))
    expected, other = trained(seeded, run), trained(repeated, run)
    assert all(torch.equal(tensors[name], expected[name]) for name in expected)
    assert not all(torch.equal(tensors[name], other[name]) for name in other)


@pytest.mark.usefixtures("params")
def test_a_rate_warm_up_is_in_epochs(home):
    warm = load(home, **(PARAMS | {"finetune": PARAMS["finetune"] | {"rate_warm_up": 1.5}}))
    task, _ = prepared(warm, RUNS["joint"])
    assert isinstance(task, CodecTask)
    steps = shards.count(paths.SHARDS_MANIFEST, "train") // warm.finetune.batch_size
    assert task.warm_up == RateWarmUp(round(1.5 * steps), 0.0)
    assert task.warm_up.steps > steps


@pytest.fixture
def chained(home, request):
    """Return params of two qualities, the lower one trained from the run of the higher."""
    request.getfixturevalue("params")  # the working directory
    codec = {"qualities": [1, 3]}
    section = PARAMS["finetune"] | {"start": "higher", "rate_warm_up": 1.0}
    loss = {"bpp": {1: 20.0, 3: 4.0}}
    chained = load(home, **(PARAMS | {"codec": codec, "finetune": section, "loss": loss}))
    pretrain_codec(chained, 3)
    yield chained
    for path in paths.codec(3).parent.glob("q3.*"):
        path.unlink()


def test_each_quality_trains_for_its_own_epochs(chained):
    epochs = {"epochs": {1: 2, 3: 3}, "patience": 9}
    finetune_ = chained.finetune.model_copy(update=epochs)
    longer = chained.model_copy(update={"finetune": finetune_})
    for setting, expected in (("q3", 3), ("q1", 2)):
        run = Run("joint", setting)
        trained(longer, run)
        _, *rows = paths.history(run).read_text().splitlines()
        assert [int(row.split(",")[0]) for row in rows] == list(range(expected + 1))


@pytest.mark.parametrize("strategy", [name for name in RUNS if name != "classifier-raw"])
def test_a_run_goes_on_from_that_of_the_next_higher_quality(chained, strategy):
    own, higher = Run(strategy, "q1"), Run(strategy, "q3")
    tensors = trained(chained, higher)
    task, _ = prepared(chained, own)
    began = {f"classifier.{k}": v for k, v in task.reader.classifier.state_dict().items()}
    if isinstance(task, CodecTask):
        began |= {f"codec.{k}": v for k, v in task.codec.state_dict().items()}
        assert task.warm_up.start == 4.0
    expected = load_tensors(paths.CLASSIFIER)[0] | tensors
    assert all(torch.equal(tensor.cpu(), expected[name]) for name, tensor in began.items())
    before = load_tensors(paths.CLASSIFIER)[0] | load_tensors(paths.codec(1))[0]
    assert not all(torch.equal(tensor.cpu(), before[name]) for name, tensor in began.items())


@pytest.mark.parametrize("strategy", ["compression-only", "joint"])
def test_a_run_that_goes_on_needs_no_other_codec(chained, strategy, tmp_path):
    trained(chained, Run(strategy, "q3"))
    for path in paths.codec(1).parent.glob("q1.*"):
        shutil.move(path, tmp_path)
    try:
        finetune(chained, Run(strategy, "q1"))
    finally:
        for path in tmp_path.glob("q1.*"):
            shutil.move(path, paths.codec(1).parent)
    record = load_tensors(paths.checkpoint(Run(strategy, "q1")))[1]
    assert record["quality"] == 1
    assert record["channels"] == load_tensors(paths.codec(1))[1]["channels"]


def test_a_classifier_that_goes_on_is_shown_its_own_rate_points_pictures(chained, monkeypatch):
    finetune(chained, Run("classifier-decoded", "q3"))
    shown = []
    monkeypatch.setattr(
        stage, "load_codec", lambda path: shown.append(path) or load_codec(path)
    )
    prepared(chained, Run("classifier-decoded", "q1"))
    assert shown == [paths.codec(1)]


def test_a_run_that_goes_on_is_trained_anew_when_the_higher_one_is(chained):
    own, higher = Run("joint", "q1"), Run("joint", "q3")
    trained(chained, higher)
    before = stage._inputs(chained, own)
    slower = chained.model_copy(
        update={"finetune": chained.finetune.model_copy(update={"lr": 1e-4})}
    )
    trained(slower, higher)
    assert stage._inputs(chained, own) != before


def test_without_cross_entropy_compression_only_is_codec_rd(home, params):
    rd = trained(params, RUNS["codec-rd"])
    only = trained(load(home, **PARAMS, loss={"ce": 0.0}), RUNS["compression-only"])
    assert rd.keys() == only.keys()
    assert all(torch.equal(rd[name], only[name]) for name in rd)
    other = trained(load(home, **PARAMS), RUNS["compression-only"])
    assert not all(torch.equal(rd[name], other[name]) for name in rd)


@pytest.mark.usefixtures("params")
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_the_best_val_loss_is_that_of_the_checkpoint(home, precision):
    params = load(home, **(PARAMS | {"compute": {"precision": precision}}))
    run = RUNS["joint"]
    finetune(params, run)
    lines = (paths.run_folder(run) / "history.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines[1:]]
    (best,) = [row for row in rows if row["best"] == "1"]

    codec = load_codec(paths.checkpoint(run))[0].eval()
    classifier = load_classifier(paths.checkpoint(run), params.classifier)[0].eval()
    val = shards.read_split(paths.SHARDS_MANIFEST, "val")
    x = val.images.contiguous().float() / 255
    with torch.no_grad():
        out = codec(x)  # CompressAI's own forward pass, rounded, tables made
        logits = classifier(out["x_hat"].clamp(0, 1))
    bits = sum(-p.double().log2().sum() for p in out["likelihoods"].values())
    weights = loss_weights(params, run)
    expected = {
        "bpp": (bits / (len(x) * x.shape[-1] * x.shape[-2])).item(),
        "mse": 255**2 * F.mse_loss(out["x_hat"], x).item(),
        "ce": F.cross_entropy(logits, val.labels).item(),
    }
    assert {term: float(best[f"val_{term}"]) for term in expected} == pytest.approx(
        expected, rel=1e-4
    )
    total = (
        weights.bpp * expected["bpp"]
        + weights.mse * LAMBDAS[1] * expected["mse"]
        + weights.ce * expected["ce"]
    )
    assert float(best["val_loss"]) == pytest.approx(total, rel=1e-4)


class KilledError(Exception):
    pass


def interrupted(monkeypatch, params, run, after):
    """Train until `after` steps are done, then die."""
    original = stage.prepared

    def dying(params, run, team):
        task, plan = original(params, run, team)
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

    n_batches = shards.count(paths.SHARDS_MANIFEST, "train") // params.finetune.batch_size
    deaths = sorted(random.Random(0).sample(range(1, n_batches * params.finetune.epochs), 10))
    for before, step in pairwise([0, *deaths]):
        interrupted(monkeypatch, params, run, step - before)
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


def test_tensorboard_shows_the_history_on_request(home, params):
    run = RUNS["codec-rd"]
    finetune(params, run)
    assert not paths.TENSORBOARD.exists()
    finetune(load(home, **(PARAMS | {"compute": {"tensorboard": True}})), run)
    folder = paths.TENSORBOARD / run.strategy / run.setting
    shown = EventAccumulator(str(folder)).Reload().Scalars("val/loss")
    lines = (paths.run_folder(run) / "history.csv").read_text().splitlines()
    rows = [dict(zip(lines[0].split(","), line.split(","), strict=True)) for line in lines]
    assert [event.value for event in shown] == pytest.approx(
        [float(row["val_loss"]) for row in rows[2:]], rel=1e-5
    )
