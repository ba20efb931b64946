"""Training a classifier alone, on raw pictures or on those of a frozen codec."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from mien.classifier.resnet18 import scores
from mien.data.shards import Batch
from mien.device import device
from mien.expressions import N_EXPRESSIONS
from mien.tensors import below, under
from mien.training.inputs import Augment, Shown
from mien.training.optimizers import clip
from mien.training.reader import Reader
from mien.training.resume import Row
from mien.training.team import ALONE, Team


class ClassifierTask:
    """Cross entropy of a classifier; the pictures it is shown are not trained."""

    def __init__(
        self,
        reader: Reader,
        optimizer: Optimizer,
        clip_norm: float,
        augment: Augment,
        shown: Shown,
        class_weights: Tensor | None = None,
        label_smoothing: float = 0.0,
        team: Team = ALONE,
    ) -> None:
        """Join the classifier with what trains it.

        Args:
            reader: Trained.
            optimizer: Of the classifier.
            clip_norm: Of its gradients.
            augment: Changes the pictures of a training step.
            shown: Makes of 8-bit pictures what the classifier sees, in `evaluate` too.
            class_weights: Of the cross entropy in training, [8]; None: all 1. Not for a team: a
                weighted mean over a batch is not that of its parts' means.
            label_smoothing: In training.
            team: Who trains the same weights on other parts of each batch.
        """
        self.reader = reader
        self.optimizer = optimizer
        self.clip_norm = clip_norm
        self.augment = augment
        self.shown = shown
        self.class_weights = class_weights
        self.label_smoothing = label_smoothing
        self.team = team

    def step(self, batch: Batch, step: int) -> Row:
        """Train on one batch; a loss or gradient that is not finite changes no weight."""
        self.reader.train_mode()
        logits = self.reader.logits(self.shown(self.augment(batch.images, step)))
        loss = F.cross_entropy(
            scores(logits, self.reader.output),
            batch.labels.to(device()),
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
        )
        row = self.team.means({"loss": loss.item()})
        if not math.isfinite(row["loss"]):
            return row | {"gradient_norm": math.nan}
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.average_gradients(self.optimizer)
        norm = clip(self.optimizer, self.clip_norm).item()
        if math.isfinite(norm):
            self.optimizer.step()
        return row | {"gradient_norm": norm}

    @torch.inference_mode()
    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return the mean cross entropy (nats, unweighted, unsmoothed) and accuracy (%)."""
        classifier = self.reader.classifier.eval()
        loss, correct, n = 0.0, 0, 0
        for batch in batches:
            labels = batch.labels.to(device())
            logits = classifier(self.shown(batch.images))
            seen = scores(logits, self.reader.output)
            loss += F.cross_entropy(seen, labels, reduction="sum").item()
            correct += int((logits.argmax(1) == labels).sum())
            n += len(labels)
        return {"loss": loss / n, "accuracy": 100.0 * correct / n}

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of `classifier.*`."""
        tensors = under(self.reader.classifier.state_dict(), "classifier")
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set what `weights` returned."""
        self.reader.classifier.load_state_dict(below(weights, "classifier"))

    def state(self) -> dict[str, Any]:
        """Return the weights and the optimiser."""
        return {"weights": self.weights(), "optimizer": self.optimizer.state_dict()}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `state` returned."""
        self.set_weights(state["weights"])
        self.optimizer.load_state_dict(state["optimizer"])

    def rate(self) -> float:
        """Return the learning rate."""
        lr: float = self.optimizer.param_groups[0]["lr"]
        return lr


def class_weights(labels: npt.NDArray[np.int64]) -> Tensor:
    """Return float32 [8]: 1 / sqrt(count) of each class, 1 on average over `labels`.

    Rare classes weigh more. A class without samples gets 0.
    """
    counts = np.bincount(labels, minlength=N_EXPRESSIONS).astype(np.float64)
    weights = np.zeros_like(counts)
    np.divide(1.0, np.sqrt(counts), out=weights, where=counts > 0)
    mean = float((weights * counts).sum() / counts.sum())
    return torch.from_numpy((weights / mean).astype(np.float32)).to(device())
