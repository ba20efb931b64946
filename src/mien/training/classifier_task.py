"""Training the classifier on raw pictures."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer

from mien.classifier.resnet18 import Classifier, scores
from mien.data.shards import Batch
from mien.device import device
from mien.expressions import N_EXPRESSIONS
from mien.tensors import below, under
from mien.training import augment
from mien.training.engine import Row
from mien.training.optimizers import clip


class ClassifierTask:
    """Cross entropy on raw pictures, rare classes weighted by 1 / sqrt(their share)."""

    def __init__(
        self,
        classifier: Classifier,
        output: str,
        class_weights: Tensor,
        label_smoothing: float,
        optimizer: Optimizer,
        seed: int,
    ) -> None:
        self.classifier = classifier
        self.output = output
        self.class_weights = class_weights
        self.label_smoothing = label_smoothing
        self.optimizer = optimizer
        self.seed = seed
        self._steps = 0

    def step(self, batch: Batch) -> Row:
        """Train on one batch: mirrored, and cut by a sixteenth, which shifts the faces."""
        self.classifier.train()
        self._steps += 1
        random = augment.generator(self.seed, self._steps)
        side = batch.images.shape[-1]
        mirrored = augment.flipped(batch.images, random)
        images = augment.cropped(mirrored, side - side // 16, random)
        x = images.to(device()).float().div(255)
        logits = scores(self.classifier(x), self.output)
        loss = F.cross_entropy(
            logits,
            batch.labels.to(device()),
            weight=self.class_weights,
            label_smoothing=self.label_smoothing,
        )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clip(self.optimizer, 5.0)
        self.optimizer.step()
        return {"loss": loss.item()}

    @torch.inference_mode()
    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return the mean cross entropy (nats, unweighted, unsmoothed) and accuracy (%)."""
        self.classifier.eval()
        loss, correct, n = 0.0, 0, 0
        for batch in batches:
            labels = batch.labels.to(device())
            logits = self.classifier(batch.images.to(device()).float().div(255))
            seen = scores(logits, self.output)
            loss += F.cross_entropy(seen, labels, reduction="sum").item()
            correct += int((logits.argmax(1) == labels).sum())
            n += len(labels)
        return {"loss": loss / n, "accuracy": 100.0 * correct / n}

    def state(self) -> dict[str, Tensor]:
        """Return a copy of `classifier.*`."""
        tensors = under(self.classifier.state_dict(), "classifier")
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set the weights that `state` returned."""
        self.classifier.load_state_dict(below(state, "classifier"))

    def rate(self) -> float:
        """Return the learning rate."""
        lr: float = self.optimizer.param_groups[0]["lr"]
        return lr


def class_weights(labels: npt.NDArray[np.int64]) -> Tensor:
    """Return float32 [8]: 1 / sqrt(count) of each class, 1 on average over `labels`.

    A class without samples gets 0.
    """
    counts = np.bincount(labels, minlength=N_EXPRESSIONS).astype(np.float64)
    weights = np.zeros_like(counts)
    np.divide(1.0, np.sqrt(counts), out=weights, where=counts > 0)
    mean = float((weights * counts).sum() / counts.sum())
    return torch.from_numpy((weights / mean).astype(np.float32)).to(device())
