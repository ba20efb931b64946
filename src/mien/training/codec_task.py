"""Training a codec, alone or with the classifier that reads what it decodes."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Optimizer

from mien.classifier.resnet18 import Classifier, scores
from mien.codec.model import Codec
from mien.data.shards import Batch
from mien.device import device
from mien.tensors import below, under
from mien.training.engine import Row
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse
from mien.training.optimizers import clip

Augment = Callable[[Tensor, int], Tensor]  # uint8 [B, 3, H, W], steps so far


@dataclass(frozen=True)
class Reader:
    """The classifier that reads decoded pictures.

    Attributes:
        classifier: Frozen unless `trained`.
        output: `logits` or `sigmoid`: what the cross entropy sees.
        trained: Strategy `joint`.
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
        logits = self.classifier(x_hat.clamp(0, 1))
        return F.cross_entropy(scores(logits, self.output), labels), logits


class CodecTask:
    """Eq. 1 on a codec; without a reader it is rate and distortion alone."""

    def __init__(
        self,
        codec: Codec,
        reader: Reader | None,
        weighting: Weighting,
        optimizer: Optimizer,
        auxiliary: Optimizer,
        clip_norm: float,
        augment: Augment,
    ) -> None:
        self.codec = codec
        self.reader = reader
        self.weighting = weighting
        self.optimizer = optimizer
        self.auxiliary = auxiliary
        self.clip_norm = clip_norm
        self.augment = augment
        self._steps = 0

    def step(self, batch: Batch) -> Row:
        """Train on one batch, with additive uniform noise in place of rounding."""
        self.codec.train()
        if self.reader:
            self.reader.train_mode()
        self._steps += 1
        images = self.augment(batch.images, self._steps)
        terms, _ = self._terms(_pictures(images), batch.labels.to(device()))
        loss = self.weighting.total(terms)
        self.optimizer.zero_grad(set_to_none=True)
        self.auxiliary.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        clip(self.optimizer, self.clip_norm)
        self.optimizer.step()
        self.codec.aux_loss().backward()
        self.auxiliary.step()
        return {"loss": loss.item()} | {name: term.item() for name, term in terms.items()}

    @torch.inference_mode()
    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return means over all pictures, latents rounded: loss, its terms, accuracy in %."""
        self.codec.eval()
        if self.reader:
            self.reader.classifier.eval()
        sums: dict[str, float] = {}
        n = 0
        for batch in batches:
            labels = batch.labels.to(device())
            terms, logits = self._terms(_pictures(batch.images), labels)
            if logits is not None:
                terms["accuracy"] = 100.0 * (logits.argmax(1) == labels).float().mean()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + term.item() * len(labels)
            n += len(labels)
        means = {name: torch.tensor(value / n) for name, value in sums.items()}
        loss = self.weighting.total(means)
        return {"loss": loss.item()} | {name: mean.item() for name, mean in means.items()}

    def state(self) -> dict[str, Tensor]:
        """Return a copy of `codec.*`, and of `classifier.*` when it is trained."""
        tensors = under(self.codec.state_dict(), "codec")
        if self.reader and self.reader.trained:
            tensors |= under(self.reader.classifier.state_dict(), "classifier")
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Set the weights that `state` returned."""
        self.codec.load_state_dict(below(state, "codec"))
        if self.reader and self.reader.trained:
            self.reader.classifier.load_state_dict(below(state, "classifier"))

    def rate(self) -> float:
        """Return the codec's learning rate."""
        lr: float = self.optimizer.param_groups[0]["lr"]
        return lr

    def _terms(self, x: Tensor, labels: Tensor) -> tuple[dict[str, Tensor], Tensor | None]:
        out = self.codec(x)
        terms = {
            "bpp": bits_per_pixel(out["likelihoods"], x.numel() // x.shape[1]),
            "mse": scaled_mse(out["x_hat"], x),
        }
        if self.reader is None:
            return terms, None
        terms["ce"], logits = self.reader.cross_entropy(out["x_hat"], labels)
        return terms, logits


def _pictures(images: Tensor) -> Tensor:
    """Return uint8 [B, 3, H, W] as float32 in [0, 1] on the device."""
    moved = images.to(device(), memory_format=torch.channels_last, non_blocking=True)
    return moved.float().div(255)
