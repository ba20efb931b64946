"""The classifier in a training: frozen or trained, and what it makes of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mien.classifier.resnet18 import Classifier, scores


@dataclass(frozen=True)
class Reader:
    """The classifier that reads pictures, decoded ones or raw ones.

    Attributes:
        classifier: Frozen unless `trained`.
        output: `logits` or `sigmoid`: what the cross entropy sees.
        trained: Whether the training changes it.
        update_batch_norm: Whether training moves its running statistics.
    """

    classifier: Classifier
    output: str
    trained: bool
    update_batch_norm: bool

    def train_mode(self) -> None:
        """Enter training: a frozen classifier stays in eval mode, dropout and all."""
        self.classifier.train(self.trained)
        if not self.update_batch_norm:
            for module in self.classifier.modules():
                if isinstance(module, _BatchNorm):
                    module.eval()

    def freeze(self) -> None:
        """Keep a classifier that is not trained out of every optimiser; gradients pass."""
        self.classifier.requires_grad_(self.trained)

    def cross_entropy(self, x_hat: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean cross entropy in nats and the logits [B, 8] of pictures in [0, 1]."""
        logits: Tensor = self.classifier(x_hat.clamp(0, 1))
        return F.cross_entropy(scores(logits, self.output), labels), logits
