"""Who trains which parameter, and at what rate.

CompressAI's `net_aux_optimizer` refuses a model that is partly frozen, so the parameters are
divided here; every trainable one has exactly one owner.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any, Protocol

import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim import Adam, AdamW, Optimizer
from torch.optim.lr_scheduler import ReduceLROnPlateau

from mien.codec.model import Codec


class Schedule(Protocol):
    """Sets the learning rates, epoch by epoch."""

    def step(self, epoch: int, val_loss: float) -> None:
        """Set the rates of the next epoch, `epoch` of them being done."""

    def state(self) -> list[dict[str, Any]]:
        """Return what `step` depends on beside the optimisers' own state."""

    def set_state(self, state: list[dict[str, Any]]) -> None:
        """Set what `state` returned."""


def quantiles(codec: Codec) -> list[Tensor]:
    """Return the auxiliary parameters: they are fitted to the densities, not to pictures."""
    return [codec.entropy_bottleneck.quantiles]


def codec_groups(codec: Codec, lr: float, weight_decay: float) -> list[dict[str, object]]:
    """Return AdamW's groups of the codec: only convolution weights decay.

    Decay would pull GDN's beta and gamma, and the densities of z, away from what they model.
    """
    kept = {id(tensor) for module in _undecayed(codec) for tensor in module.parameters()}
    auxiliary = {id(tensor) for tensor in quantiles(codec)}
    trained = [p for p in codec.parameters() if p.requires_grad and id(p) not in auxiliary]
    return _groups(trained, kept, lr, weight_decay)


def classifier_groups(
    classifier: nn.Module, lr: float, weight_decay: float
) -> list[dict[str, object]]:
    """Return AdamW's groups of the classifier: biases and batch norm do not decay."""
    norms = [module for module in classifier.modules() if isinstance(module, _BatchNorm)]
    kept = {id(tensor) for module in norms for tensor in module.parameters()}
    return _groups(
        [p for p in classifier.parameters() if p.requires_grad], kept, lr, weight_decay
    )


def main_optimizer(groups: list[dict[str, object]]) -> AdamW:
    """Return the optimiser of everything that the loss of eq. 1 trains, a kernel a tensor.

    Unfused it runs a dozen small operations for each tensor.
    """
    return AdamW(groups, fused=True)


def auxiliary_optimizer(codec: Codec, lr: float) -> Adam:
    """Return the optimiser of the quantiles."""
    return Adam(quantiles(codec), lr=lr)


class Plateau:
    """Multiplies the rates by `factor` after `patience` epochs without a better val loss."""

    def __init__(self, optimizers: Iterable[Optimizer], factor: float, patience: int) -> None:
        self._schedulers = [
            ReduceLROnPlateau(optimizer, factor=factor, patience=patience)
            for optimizer in optimizers
        ]

    def step(self, epoch: int, val_loss: float) -> None:  # noqa: ARG002 - a Schedule
        """Compare the val loss with the best one so far."""
        for scheduler in self._schedulers:
            scheduler.step(val_loss)

    def state(self) -> list[dict[str, Any]]:
        """Return the best loss so far, and for how long it has been that."""
        return [scheduler.state_dict() for scheduler in self._schedulers]

    def set_state(self, state: list[dict[str, Any]]) -> None:
        """Set what `state` returned."""
        for scheduler, own in zip(self._schedulers, state, strict=True):
            scheduler.load_state_dict(own)


class Cosine:
    """Lets the rates fall from their start towards 0 along half a cosine over `epochs`.

    With `warm_up` the first epoch runs at a tenth: batch norm has seen nothing yet.
    """

    def __init__(
        self, optimizers: Iterable[Optimizer], epochs: int, *, warm_up: bool = False
    ) -> None:
        self._optimizers = list(optimizers)
        self._starts = [group["lr"] for group in self._groups()]
        self._epochs = epochs
        if warm_up:
            for group in self._groups():
                group["lr"] /= 10

    def step(self, epoch: int, val_loss: float) -> None:  # noqa: ARG002 - a Schedule
        """Set the rates by the share of epochs done."""
        share = 0.5 * (1 + math.cos(math.pi * epoch / self._epochs))
        for group, start in zip(self._groups(), self._starts, strict=True):
            group["lr"] = start * share

    def state(self) -> list[dict[str, Any]]:
        """Return nothing: the epoch alone decides."""
        return []

    def set_state(self, state: list[dict[str, Any]]) -> None:
        """Accept what `state` returned."""
        assert not state

    def _groups(self) -> list[dict[str, Any]]:
        """Return the groups as they are now: an optimiser set to a state has new ones."""
        return [group for optimizer in self._optimizers for group in optimizer.param_groups]


def clip(optimizer: Optimizer, norm: float) -> Tensor:
    """Scale the gradients of everything `optimizer` owns to a joint norm of at most `norm`.

    Returns:
        Their norm before, a scalar, which may be infinite or NaN.
    """
    owned = [p for group in optimizer.param_groups for p in group["params"]]
    return torch.nn.utils.clip_grad_norm_(owned, norm)


def _undecayed(codec: Codec) -> list[nn.Module]:
    gdns = [module for module in codec.modules() if isinstance(module, GDN)]
    return [*gdns, codec.entropy_bottleneck]


def _groups(
    trained: list[nn.Parameter], kept: set[int], lr: float, weight_decay: float
) -> list[dict[str, object]]:
    decayed = [p for p in trained if p.ndim > 1 and id(p) not in kept]
    undecayed = [p for p in trained if p.ndim <= 1 or id(p) in kept]
    return [
        {"params": decayed, "lr": lr, "weight_decay": weight_decay},
        {"params": undecayed, "lr": lr, "weight_decay": 0.0},
    ]
