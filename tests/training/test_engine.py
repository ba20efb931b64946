import csv
import json
import math

import pytest
import torch

from mien.data.shards import Batch
from mien.errors import CheckpointError, TrainingError
from mien.training.engine import Plan, train, write_history
from mien.training.resume import Keeper

BATCH = Batch(["train-000001"], torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3, 64, 64))


class TwoSteps:
    """Epochs of two batches."""

    batch_size = 1

    def steps(self, _epoch):
        return 2

    def __call__(self, _epoch, start):
        return [BATCH] * (2 - start)


class Walk:
    """A task whose losses follow lists; its weight walks at random, as training noise does."""

    def __init__(self, losses, train_losses=None, killed_at=None):
        self.losses = dict(enumerate(losses))  # by the number of looks so far
        self.train_losses = train_losses or {}  # by step
        self.killed_at = killed_at
        self.weight = torch.zeros(())
        self.steps, self.looks = 0, 0

    def step(self, _batch, step):
        if step == self.killed_at:
            raise KeyboardInterrupt
        loss = self.train_losses.get(step, float(step))
        if math.isfinite(loss):
            self.weight = self.weight + torch.rand(())
        self.steps += 1
        return {"loss": loss, "gradient_norm": 1.0}

    def evaluate(self, batches):
        assert [batch.keys for batch in batches] == [BATCH.keys]
        self.looks += 1
        return {"loss": self.losses[self.looks - 1]}

    def weights(self):
        return {"w": self.weight.clone()}

    def set_weights(self, weights):
        self.weight = weights["w"]

    def state(self):
        return {"weights": self.weights(), "looks": self.looks}

    def set_state(self, state):
        self.set_weights(state["weights"])
        self.looks = state["looks"]

    def rate(self):
        return 0.5


class Seen:
    """A schedule that remembers what it was told."""

    def __init__(self):
        self.calls = []

    def step(self, epoch, val_loss):
        self.calls.append((epoch, val_loss))

    def state(self):
        return [{"calls": self.calls}]

    def set_state(self, state):
        self.calls = [tuple(call) for call in state[0]["calls"]]


def trained(folder, task, epochs, patience=None, max_skipped=0, seconds=1e9):
    schedule = Seen()
    plan = Plan("walk", epochs, patience, max_skipped, schedule)
    history = train(task, plan, TwoSteps(), lambda: [BATCH], Keeper(folder, seconds))
    return history, schedule.calls


def test_the_weights_with_the_best_val_loss_are_kept(tmp_path):
    torch.manual_seed(0)
    expected = torch.rand(4).sum()  # two epochs of two steps
    torch.manual_seed(0)
    task = Walk([5.0, 3.0, 2.0, 4.0])
    history, seen = trained(tmp_path, task, 3)
    assert task.weight == pytest.approx(expected)
    assert [row["best"] for row in history] == [0, 0, 1, 0]
    assert seen == [(1, 3.0), (2, 2.0), (3, 4.0)]


def test_a_training_that_never_helps_leaves_its_input(tmp_path):
    task = Walk([1.0, 2.0, 3.0])
    history, _ = trained(tmp_path, task, 2)
    assert task.weight == 0
    assert history[0]["best"] == 1


def test_early_stopping_counts_epochs_since_the_best(tmp_path):
    history, _ = trained(tmp_path, Walk([5.0, 4.0, 6.0, 6.0, 1.0]), 4, patience=2)
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]


def test_terms_are_means_over_the_steps_of_the_epoch(tmp_path):
    history, _ = trained(tmp_path, Walk([5.0, 4.0, 3.0]), 2)
    assert [row.get("train_loss") for row in history] == [None, 1.5, 3.5]


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_left_out_and_told(tmp_path, bad):
    task = Walk([5.0, 4.0, 3.0], {3: bad})
    history, _ = trained(tmp_path, task, 2, max_skipped=1)
    assert [row["skipped"] for row in history] == [0, 0, 1]
    assert history[2]["train_loss"] == 4.0
    facts = json.loads((tmp_path / "not-finite-2-1.json").read_text())
    assert facts["keys"] == ["train-000001"]
    assert (facts["epoch"], facts["step"], facts["terms"]["loss"]) == (2, 1, str(bad))


def test_too_many_of_them_stop_the_training_with_step_terms_and_keys(tmp_path):
    task = Walk([5.0, 4.0], {1: math.nan, 2: math.nan})
    with pytest.raises(
        TrainingError,
        match=r"epoch 1, step 2: not finite: .*nan.*train-000001.*max_skipped is 1",
    ):
        trained(tmp_path, task, 1, max_skipped=1)
    assert (tmp_path / "not-finite-1-2.json").is_file()


LOSSES = [5.0, 4.0, 4.5, 3.0, 3.5]


@pytest.mark.parametrize("killed_at", range(1, 9))
@pytest.mark.parametrize("seconds", [0, 1e9], ids=["every step", "every epoch"])
def test_a_killed_training_ends_as_one_that_was_not(tmp_path, killed_at, seconds):
    torch.manual_seed(1)
    whole = Walk(LOSSES)
    expected = trained(tmp_path / "whole", whole, 4)

    torch.manual_seed(1)
    with pytest.raises(KeyboardInterrupt):
        trained(tmp_path / "cut", Walk(LOSSES, killed_at=killed_at), 4, seconds=seconds)
    torch.manual_seed(99)  # another process: everything comes from the saved state
    second = Walk(LOSSES)
    assert trained(tmp_path / "cut", second, 4, seconds=seconds) == expected
    assert second.weight == whole.weight
    done_before = 2 * ((killed_at - 1) // 2) if seconds else killed_at - 1
    assert second.steps == 8 - done_before


def test_a_training_that_ended_is_not_begun_again(tmp_path):
    expected = trained(tmp_path, Walk([5.0, 4.0, 6.0, 6.0]), 9, patience=2)
    task = Walk([])
    assert trained(tmp_path, task, 9, patience=2) == expected
    assert task.steps == 0


def test_a_damaged_state_is_named(tmp_path):
    (tmp_path / "state.pt").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(
        CheckpointError, match=r"state\.pt: not the state of a training.*delete"
    ):
        trained(tmp_path, Walk([1.0]), 1)


def test_only_the_best_weights_and_one_state_stay_on_disk(tmp_path):
    trained(tmp_path, Walk([5.0, 4.0, 3.0, 3.5]), 3)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["best-2.pt", "state.pt"]
    Keeper(tmp_path, 0).remove()
    assert not tmp_path.exists()


def test_history_has_a_line_per_epoch(tmp_path):
    history, _ = trained(tmp_path, Walk([5.0, 3.25]), 1)
    write_history(tmp_path / "history.csv", history)
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["val_loss"] for row in rows] == ["5", "3.25"]
    assert [row["train_loss"] for row in rows] == ["", "1.5"]
    assert [row["best"] for row in rows] == ["0", "1"]
