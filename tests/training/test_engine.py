import csv

import pytest
import torch

from mien.data.shards import Batch
from mien.errors import MienError
from mien.training.engine import Plan, train, write_history

BATCH = Batch(["train-000001"], torch.zeros(1, dtype=torch.int64), torch.zeros(1, 3, 64, 64))


class Walk:
    """A task whose val loss follows a list; its only weight counts the steps."""

    def __init__(self, losses, train_losses=()):
        self.losses = iter(losses)
        self.train_losses = iter(train_losses)
        self.weight = torch.zeros(())

    def step(self, _batch):
        self.weight += 1
        return {"loss": next(self.train_losses, 1.0)}

    def evaluate(self, batches):
        assert [batch.keys for batch in batches] == [BATCH.keys]
        return {"loss": next(self.losses)}

    def state(self):
        return {"w": self.weight.clone()}

    def restore(self, state):
        self.weight = state["w"]

    def rate(self):
        return 0.5


def trained(task, epochs, patience=None):
    seen = []
    plan = Plan(epochs, patience, lambda epoch, loss: seen.append((epoch, loss)))
    history = train(task, plan, lambda _epoch: [BATCH, BATCH], lambda: [BATCH], "walk")
    return history, seen


def test_the_state_with_the_best_val_loss_is_kept():
    task = Walk([5.0, 3.0, 2.0, 4.0])
    history, seen = trained(task, 3)
    assert task.weight == 4  # two epochs of two steps
    assert [row["best"] for row in history] == [0, 0, 1, 0]
    assert seen == [(1, 3.0), (2, 2.0), (3, 4.0)]


def test_a_training_that_never_helps_leaves_its_input():
    task = Walk([1.0, 2.0, 3.0])
    history, _ = trained(task, 2)
    assert task.weight == 0
    assert history[0]["best"] == 1


def test_early_stopping_counts_epochs_since_the_best():
    history, _ = trained(Walk([5.0, 4.0, 6.0, 6.0, 1.0]), 4, patience=2)
    assert [row["epoch"] for row in history] == [0, 1, 2, 3]


def test_a_loss_that_is_not_finite_stops_with_step_and_keys():
    task = Walk([1.0, 1.0], train_losses=[2.0, float("nan")])
    with pytest.raises(MienError, match=r"not finite at step 2.*train-000001"):
        trained(task, 1)


def test_history_has_a_line_per_epoch(tmp_path):
    history, _ = trained(Walk([5.0, 3.25]), 1)
    write_history(tmp_path / "history.csv", history)
    rows = list(csv.DictReader((tmp_path / "history.csv").read_text().splitlines()))
    assert [row["val_loss"] for row in rows] == ["5", "3.25"]
    assert [row["train_loss"] for row in rows] == ["", "1"]
    assert [row["best"] for row in rows] == ["0", "1"]
