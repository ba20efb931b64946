"""One training loop for codecs and classifiers; the state with the best val loss is kept."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from torch import Tensor
from tqdm import tqdm

from mien.data.shards import Batch
from mien.errors import MienError
from mien.files import write_text
from mien.training.optimizers import Schedule

Row = dict[str, float]


class Task(Protocol):
    """What is trained: one step, one look at `val`, and its state."""

    def step(self, batch: Batch) -> Row:
        """Train on one batch; return the terms of its loss, `loss` among them."""

    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return the means over all samples of `batches`, `loss` among them, with rounding."""

    def state(self) -> dict[str, Tensor]:
        """Return a copy of all weights."""

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set all weights."""

    def rate(self) -> float:
        """Return the learning rate of the next step."""


@dataclass(frozen=True)
class Plan:
    """How long to train.

    Attributes:
        epochs: At most.
        patience: Epochs without a better val loss before stopping; None: never stop early.
        schedule: Called after each epoch.
    """

    epochs: int
    patience: int | None
    schedule: Schedule


def train(
    task: Task,
    plan: Plan,
    epoch_batches: Callable[[int], Iterable[Batch]],
    val_batches: Callable[[], Iterable[Batch]],
    name: str,
) -> list[Row]:
    """Train, restore the state with the best val loss, and return a row per epoch.

    Row 0 is the start, before any step: a training that never helps leaves its input as it was.

    Raises:
        MienError: If a loss is not finite; it names the epoch, the step and the terms.
    """
    history = [_row(0, 0, task.rate(), {}, task.evaluate(val_batches()))]
    best, best_state = 0, task.state()
    for epoch in range(1, plan.epochs + 1):
        rate = task.rate()
        steps, means = _one_epoch(task, epoch_batches(epoch), f"{name} {epoch}/{plan.epochs}")
        row = _row(epoch, steps, rate, means, task.evaluate(val_batches()))
        history.append(row)
        if row["val_loss"] < history[best]["val_loss"]:
            best, best_state = epoch, task.state()
        plan.schedule(epoch, row["val_loss"])
        if plan.patience is not None and epoch - best >= plan.patience:
            break
    task.restore(best_state)
    return [row | {"best": float(row is history[best])} for row in history]


def write_history(path: Path, history: list[Row]) -> None:
    """Write one line per epoch; what epoch 0 has not got is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[-1]), lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({key: f"{value:.6g}" for key, value in row.items()})
    write_text(path, text.getvalue())


def _one_epoch(task: Task, batches: Iterable[Batch], label: str) -> tuple[int, Row]:
    sums: Row = {}
    steps = 0
    with tqdm(batches, desc=label, unit="step", mininterval=5.0, leave=False) as bar:
        for steps, batch in enumerate(bar, 1):
            terms = task.step(batch)
            if not math.isfinite(terms["loss"]):
                raise MienError(
                    f"{label}: the loss is not finite at step {steps}: {terms}, "
                    f"images {', '.join(batch.keys)}: lower the learning rate"
                )
            for term, value in terms.items():
                sums[term] = sums.get(term, 0.0) + value
            bar.set_postfix(
                {term: f"{value / steps:.4g}" for term, value in sums.items()}, refresh=False
            )
    return steps, {term: value / steps for term, value in sums.items()}


def _row(epoch: int, steps: int, rate: float, trained: Row, validated: Row) -> Row:
    row = {"epoch": float(epoch), "steps": float(steps), "lr": rate}
    row |= {f"train_{term}": value for term, value in trained.items()}
    return row | {f"val_{term}": value for term, value in validated.items()}
