"""Training a codec, alone or with the classifier that reads what it decodes."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mien.codec.model import Codec, settled
from mien.data.shards import Batch
from mien.device import device
from mien.tensors import below, under
from mien.training.inputs import Augment, raw
from mien.training.loss import Weighting, bits_per_pixel, scaled_mse
from mien.training.optimizers import clip
from mien.training.reader import Reader
from mien.training.resume import Row
from mien.training.team import ALONE, Team

Forward = Callable[[Tensor], dict[str, Any]]  # x [B, 3, H, W] -> x_hat, likelihoods


@dataclass(frozen=True)
class RateWarmUp:
    """The weight of the rate on its way to its own, over the first steps of a training.

    Attributes:
        steps: It moves over so many, evenly.
        start: What it is at the first of them: 0, or the weight that the models were trained
            with that this training starts from.
    """

    steps: int = 0
    start: float = 0.0

    def at(self, step: int, weighting: Weighting) -> Weighting:
        """Return the weights of a step, counted from 0."""
        if step >= self.steps:
            return weighting
        share = step / self.steps
        return weighting.with_rate((1 - share) * self.start + share * weighting.bpp)


NO_WARM_UP = RateWarmUp()


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
        forward: Forward | None = None,
        warm_up: RateWarmUp = NO_WARM_UP,
        team: Team = ALONE,
    ) -> None:
        """Join what is trained with what trains it.

        Args:
            codec: Trained.
            reader: Reads what the codec decodes; None: nobody does.
            weighting: Of the terms.
            optimizer: Of the codec, and of a classifier that is trained.
            auxiliary: Of the quantiles.
            clip_norm: Of the gradients of all that `optimizer` owns.
            augment: Changes the pictures of a training step.
            forward: What a step calls in place of `codec`: it may be faster, and round where
                that adds noise. None: the codec itself.
            warm_up: How the weight of the rate comes to its own; what `val` is judged by has
                all of it from the start.
            team: Who trains the same weights on other parts of each batch.
        """
        self.codec = codec
        self.reader = reader
        self.weighting = weighting
        self.optimizer = optimizer
        self.auxiliary = auxiliary
        self.clip_norm = clip_norm
        self.augment = augment
        self.forward = forward or codec
        self.warm_up = warm_up
        self.team = team

    def step(self, batch: Batch, step: int) -> Row:
        """Train on one batch.

        A loss or gradient that is not finite changes no weight. A frozen reader whose cross
        entropy has no weight is not asked.
        """
        self.codec.train()
        if self.reader:
            self.reader.train_mode()
        images = self.augment(batch.images, step)
        reader = self.reader if self.weighting.ce else None
        x = raw(images)
        terms, _ = self._terms(x, self.forward(x), batch.labels.to(device()), reader)
        weighting = self.warm_up.at(step, self.weighting)
        loss = weighting.total(terms)
        row = self.team.means(weighting.row(loss, terms))
        if not math.isfinite(row["loss"]):
            return row | {"gradient_norm": math.nan}
        self.optimizer.zero_grad(set_to_none=True)
        self.auxiliary.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        self.team.average_gradients(self.optimizer)
        row["gradient_norm"] = clip(self.optimizer, self.clip_norm).item()
        if math.isfinite(row["gradient_norm"]):
            self.optimizer.step()
            self.auxiliary.zero_grad(set_to_none=True)
            self.codec.aux_loss().backward()
            self.auxiliary.step()
        return row

    @torch.inference_mode()
    def evaluate(self, batches: Iterable[Batch]) -> Row:
        """Return means over all pictures, latents rounded: loss, terms, accuracy in %.

        By the codec itself, whatever computes it faster in a step: encoding will use that.
        """
        self.codec.eval()
        if self.reader:
            self.reader.classifier.eval()
        with settled(self.codec):
            return self._means(batches)

    def _means(self, batches: Iterable[Batch]) -> Row:
        reader = self.reader.exact() if self.reader else None
        sums: dict[str, float] = {}
        n = 0
        for batch in batches:
            labels = batch.labels.to(device())
            x = raw(batch.images)
            terms, logits = self._terms(x, self.codec(x), labels, reader)
            if logits is not None:
                terms["accuracy"] = 100.0 * (logits.argmax(1) == labels).float().mean()
            for name, term in terms.items():
                sums[name] = sums.get(name, 0.0) + term.item() * len(labels)
            n += len(labels)
        means = {name: torch.tensor(value / n) for name, value in sums.items()}
        return self.weighting.row(self.weighting.total(means), means)

    def weights(self) -> dict[str, Tensor]:
        """Return a copy of `codec.*`, and of `classifier.*` when it is trained."""
        tensors = under(self.codec.state_dict(), "codec")
        if self.reader and self.reader.trained:
            tensors |= under(self.reader.classifier.state_dict(), "classifier")
        return {name: tensor.clone() for name, tensor in tensors.items()}

    def set_weights(self, weights: Mapping[str, Tensor]) -> None:
        """Set what `weights` returned."""
        self.codec.load_state_dict(below(weights, "codec"))
        if self.reader and self.reader.trained:
            self.reader.classifier.load_state_dict(below(weights, "classifier"))

    def state(self) -> dict[str, Any]:
        """Return the weights and both optimisers."""
        owners = [self.optimizer.state_dict(), self.auxiliary.state_dict()]
        return {"weights": self.weights(), "optimizers": owners}

    def set_state(self, state: Mapping[str, Any]) -> None:
        """Set what `state` returned."""
        self.set_weights(state["weights"])
        self.optimizer.load_state_dict(state["optimizers"][0])
        self.auxiliary.load_state_dict(state["optimizers"][1])

    def rate(self) -> float:
        """Return the codec's learning rate."""
        lr: float = self.optimizer.param_groups[0]["lr"]
        return lr

    def _terms(
        self, x: Tensor, out: Mapping[str, Any], labels: Tensor, reader: Reader | None
    ) -> tuple[dict[str, Tensor], Tensor | None]:
        terms = {
            "bpp": bits_per_pixel(out["likelihoods"], x.numel() // x.shape[1]),
            "mse": scaled_mse(out["x_hat"], x),
        }
        if reader is None:
            return terms, None
        terms["ce"], logits = reader.cross_entropy(out["x_hat"], labels)
        return terms, logits
