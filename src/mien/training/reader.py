"""The classifier in a training: frozen or trained, and what it makes of a picture."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from mien.classifier.resnet18 import Classifier, scores
from mien.codec.forward import DTYPES, run_in


@dataclass(frozen=True)
class Reader:
    """The classifier that reads pictures, decoded ones or raw ones.

    Attributes:
        classifier: Frozen unless `trained`.
        output: `logits` or `sigmoid`: what the cross entropy sees.
        trained: Whether the training changes it.
        update_batch_norm: Whether training moves its running statistics.
        precision: `float32` or `bfloat16`, of its layers; its weights and logits are float32.
    """

    classifier: Classifier
    output: str
    trained: bool
    update_batch_norm: bool
    precision: str = "float32"

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

    def exact(self) -> Reader:
        """Return the same classifier in float32, as it reads what `val` and test set hold."""
        return replace(self, precision="float32")

    def logits(self, x: Tensor) -> Tensor:
        """Return logits, float32 [B, 8], of pictures float32 [B, 3, H, W] in [0, 1]."""
        with run_in(DTYPES[self.precision], x):
            logits: Tensor = self.classifier(x)
        return logits.float()

    def cross_entropy(self, x_hat: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Return the mean cross entropy in nats and the logits [B, 8] of pictures in [0, 1]."""
        logits = self.logits(x_hat.clamp(0, 1))
        return F.cross_entropy(scores(logits, self.output), labels), logits
