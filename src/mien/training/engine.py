"""One training loop for codecs and classifiers; the state with the best val loss is kept.

A training that is killed goes on from its last saved state, and ends with the same weights and
the same history as one that was not: on the CPU, bit for bit.
"""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import Tensor
from tqdm import tqdm

from mien.data.shards import Batch
from mien.errors import TrainingError
from mien.files import write_json, write_text
from mien.training.events import NOWHERE, Events
from mien.training.optimizers import Schedule
from mien.training.resume import Keeper, Progress, Row
from mien.training.team import ALONE, Team


class Task(Protocol):
    """What is trained: one step, one look at `val`, and its state."""

    def step(self, batch: Batch, step: int) -> Row:
        """Train on one batch.

        Args:
            batch: Some samples.
            step: Counted from 1 over all epochs; what is random in the data depends on it.

        Returns:
            The terms of the loss before the step, `loss` and `gradient_norm` among them. If
            one of these two is not finite, nothing was changed.
        """

    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return the means over all samples of `batches`, `loss` among them, with rounding."""

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of all weights that the training may change."""

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set what `weights` returned."""

    def state(self) -> dict[str, Any]:
        """Return all that the next steps depend on: weights, optimisers."""

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `state` returned."""

    def rate(self) -> float:
        """Return the learning rate of the next step."""


class Batches(Protocol):
    """The training data."""

    @property
    def batch_size(self) -> int:
        """Return the samples per batch."""

    def steps(self, epoch: int) -> int:
        """Return the number of batches in an epoch."""

    def __call__(self, epoch: int, start: int) -> Iterable[Batch]:
        """Return the batches of an epoch, counted from 1, behind its first `start`."""


@dataclass(frozen=True)
class Plan:
    """How long to train.

    Attributes:
        name: For the progress bar and messages.
        epochs: At most.
        patience: Epochs without a better val loss before stopping; None: never stop early.
        max_skipped: Steps of an epoch that may be left out since their loss was not finite.
        schedule: Called after each epoch.
    """

    name: str
    epochs: int
    patience: int | None
    max_skipped: int
    schedule: Schedule

    def ended(self, progress: Progress) -> bool:
        """Return whether no epoch is left, or none of the last ones was better."""
        stale = progress.epoch - 1 - progress.best
        early = self.patience is not None and stale >= self.patience
        return progress.epoch > self.epochs or early


def train(
    task: Task,
    plan: Plan,
    batches: Batches,
    val_batches: Callable[[], Iterable[Batch]],
    keeper: Keeper,
    team: Team = ALONE,
    events: Events = NOWHERE,
) -> list[Row]:
    """Train, or go on, set the weights with the best val loss, and return a row per epoch.

    Row 0 is the start, before any step: a training that never helps leaves its input as it was.

    Args:
        task: What is trained.
        plan: For how long.
        batches: The training data; in a team, this process's share of it.
        val_batches: Returns the validation data, all of it.
        keeper: Of the state; in a team it writes in the leader alone.
        team: Who trains together. The leader looks at `val`, and its weights are set.
        events: What is to be watched.

    Raises:
        TrainingError: If more steps than allowed had a loss that was not finite.
    """

    def validated() -> Row:
        return team.of_leader(lambda: task.evaluate(val_batches()))

    progress = _continued(task, plan, keeper, team) or _begun(task, plan, validated, keeper)
    events.begin(_steps_before(batches, progress) + progress.steps)
    while not plan.ended(progress):
        rate = task.rate()
        means = _one_epoch(task, plan, batches, progress, keeper, team, events)
        row = _row(progress.epoch, progress, rate, means, validated())
        events.epoch(_steps_before(batches, progress) + progress.steps, row)
        plan.schedule.step(progress.epoch, row["val_loss"])
        if row["val_loss"] < progress.history[progress.best]["val_loss"]:
            progress.best = progress.epoch
            keeper.save_best(progress.epoch, task.weights())
        history = [*progress.history, row]
        progress = Progress(progress.epoch + 1, history=history, best=progress.best)
        keeper.save(progress, _state(task, plan))
    events.end()
    if team.leads:
        task.set_weights(keeper.load_best(progress.best))
    best = progress.history[progress.best]
    return [row | {"best": float(row is best)} for row in progress.history]


def write_history(path: Path, history: list[Row]) -> None:
    """Write one line per epoch; what epoch 0 has not got is left empty."""
    text = io.StringIO()
    writer = csv.DictWriter(text, fieldnames=list(history[-1]), lineterminator="\n")
    writer.writeheader()
    for row in history:
        writer.writerow({key: f"{value:.6g}" for key, value in row.items()})
    write_text(path, text.getvalue())


def _begun(task: Task, plan: Plan, validated: Callable[[], Row], keeper: Keeper) -> Progress:
    progress = Progress()
    progress.history = [_row(0, progress, task.rate(), {}, validated())]
    keeper.save_best(0, task.weights())
    keeper.save(progress, _state(task, plan))
    return progress


def _continued(task: Task, plan: Plan, keeper: Keeper, team: Team) -> Progress | None:
    found = keeper.load()
    team.wait()  # or one would find what the leader, finding nothing, has begun to write
    if found is None:
        return None
    progress, state = found
    task.set_state(state["task"])
    plan.schedule.set_state(state["schedule"])
    if team.leads:
        print(f"{plan.name}: goes on in epoch {progress.epoch} behind step {progress.steps}")
    return progress


def _state(task: Task, plan: Plan) -> dict[str, Any]:
    return {"task": task.state(), "schedule": plan.schedule.state()}


def _steps_before(batches: Batches, progress: Progress) -> int:
    """Return the steps of the epochs that are done."""
    return sum(batches.steps(epoch) for epoch in range(1, progress.epoch))


def _one_epoch(
    task: Task,
    plan: Plan,
    batches: Batches,
    progress: Progress,
    keeper: Keeper,
    team: Team,
    events: Events,
) -> Row:
    """Train on the rest of an epoch and return the mean of each term over all of it."""
    earlier = _steps_before(batches, progress)
    rest = batches(progress.epoch, progress.steps)
    with _bar(plan, batches, progress, shown=team.leads) as bar:
        for batch in rest:
            progress.steps += 1
            terms = task.step(batch, earlier + progress.steps)
            if math.isfinite(terms["loss"]) and math.isfinite(terms["gradient_norm"]):
                for term, value in terms.items():
                    progress.sums[term] = progress.sums.get(term, 0.0) + value
            else:
                _skip(plan, progress, terms, team.joined(batch.keys), keeper)
            events.step(earlier + progress.steps, terms)
            means = {k: v for k, v in _means(progress).items() if not k.startswith("weighted_")}
            bar.set_postfix(_shown(means), refresh=False)
            bar.update(team.share.total(len(batch.keys)))
            if keeper.due():
                keeper.save(progress, _state(task, plan))
    return _means(progress)


def _bar(plan: Plan, batches: Batches, progress: Progress, *, shown: bool) -> tqdm[Any]:
    """Return the bar of an epoch: images per second, the time left, means of the terms."""
    return tqdm(
        desc=f"{plan.name} {progress.epoch}/{plan.epochs}",
        total=batches.steps(progress.epoch) * batches.batch_size,
        initial=progress.steps * batches.batch_size,
        unit="img",
        mininterval=5.0,
        leave=False,
        disable=not shown,
    )


def _skip(plan: Plan, progress: Progress, terms: Row, keys: list[str], keeper: Keeper) -> None:
    """Count a step that changed nothing; stop when there were too many."""
    progress.skipped += 1
    path = keeper.folder / f"not-finite-{progress.epoch}-{progress.steps}.json"
    facts = {"epoch": progress.epoch, "step": progress.steps, "keys": keys}
    if keeper.writes:
        write_json(path, facts | {"terms": {name: str(value) for name, value in terms.items()}})
    told = (
        f"{plan.name}: epoch {progress.epoch}, step {progress.steps}: not finite: "
        f"{_shown(terms)}, images {', '.join(keys[:4])}.. ({path})"
    )
    if progress.skipped > plan.max_skipped:
        raise TrainingError(
            f"{told}: {progress.skipped} steps of the epoch left out, compute.max_skipped is "
            f"{plan.max_skipped}: lower the learning rate, or look at those images"
        )
    if keeper.writes:
        tqdm.write(f"{told}: left out")


def _means(progress: Progress) -> Row:
    n = max(1, progress.steps - progress.skipped)
    return {term: value / n for term, value in progress.sums.items()}


def _shown(row: Row) -> dict[str, str]:
    return {term: f"{value:.4g}" for term, value in row.items()}


def _row(epoch: int, progress: Progress, rate: float, trained: Row, validated: Row) -> Row:
    row = {"epoch": float(epoch), "steps": float(progress.steps), "lr": rate}
    row["skipped"] = float(progress.skipped)
    row |= {f"train_{term}": value for term, value in trained.items()}
    return row | {f"val_{term}": value for term, value in validated.items()}
