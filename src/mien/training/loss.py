"""Eq. 1 of the paper: `w_bpp * R + w_mse * D + w_ce * CE`, its terms by name."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from mien.params import LossWeights

PEAK_SQUARED = 255.0**2


@dataclass(frozen=True)
class Weighting:
    """The three weights as the loss applies them.

    Attributes:
        bpp: Per bit/pixel.
        mse: Per 255^2 * MSE on [0, 1] images; holds the zoo's lambda of the quality.
        ce: Per nat.
    """

    bpp: float
    mse: float
    ce: float

    @classmethod
    def of(cls, weights: LossWeights, lmbda: float) -> Weighting:
        """Return the weights of section `loss` at the quality whose lambda is `lmbda`."""
        return cls(bpp=weights.bpp, mse=weights.mse * lmbda, ce=weights.ce)

    def with_rate(self, bpp: float) -> Weighting:
        """Return these weights with another one of the rate."""
        return replace(self, bpp=bpp)

    def weighted(self, terms: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return what each of `bpp`, `mse` and `ce` adds to the loss, by its name.

        A term of weight 0 is left out, not multiplied by 0: it may be infinite or absent.
        """
        weights = {"bpp": self.bpp, "mse": self.mse, "ce": self.ce}
        return {name: weight * terms[name] for name, weight in weights.items() if weight}

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the sum of what unweighted terms add to the loss."""
        parts = list(self.weighted(terms).values())
        if not parts:
            raise ValueError("all loss weights are 0: there is nothing to train for")
        return torch.stack(parts).sum()

    def row(self, loss: Tensor, terms: Mapping[str, Tensor]) -> dict[str, float]:
        """Return `loss`, each term by its name, and what it adds to the loss: `weighted_*`."""
        weighted = {f"weighted_{name}": term for name, term in self.weighted(terms).items()}
        every = {"loss": loss, **terms, **weighted}
        return {name: value.item() for name, value in every.items()}


def bits_per_pixel(likelihoods: Mapping[str, Tensor], n_pixels: int) -> Tensor:
    """Return the estimated rate of y and z together: a scalar in bit/pixel.

    Args:
        likelihoods: Of `y` and `z`, any shapes.
        n_pixels: Pixels of all pictures of the batch, B * H * W.
    """
    nats = torch.stack([-p.log().sum() for p in likelihoods.values()]).sum()
    return nats / (math.log(2) * n_pixels)


def scaled_mse(x_hat: Tensor, x: Tensor) -> Tensor:
    """Return 255^2 * MSE of pictures in [0, 1]: a scalar in squared 8-bit steps."""
    return PEAK_SQUARED * F.mse_loss(x_hat, x)
