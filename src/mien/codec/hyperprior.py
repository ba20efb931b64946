"""The hyper-synthesis h_s in integers: the same answer on every machine, in any order of sums.

    z symbols --+ medians--> a --W a + b, shift, leaky ReLU--> a --...--> scale index | mean

Every number is an integer over 2^12: activations, medians, means; weights as well, so that a
product has 24 fractional bits and a shift by 12 brings it back. They are held in float64, where
integers below 2^53 are exact and so is any sum of them that stays below, whatever the order,
the device, the library or the number of threads. Activations are cut to 26 bits; with that the
largest sum that any z could cause follows from the weights, and `quantised` refuses weights
that could exceed 2^53.

A layer is one matrix product of the 3x3 neighbourhoods of its input, since a library may choose
an algorithm (Winograd, FFT) that is not a plain sum for a convolution. A transposed convolution
of stride 2 and 5x5 taps is that, too: each of the four pixels that it makes of one sees at most
3x3 of the input.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from mien.codec.limbs import Limbs
from mien.codec.model import Codec
from mien.codec.plans import Phases, Winograd, around
from mien.errors import CheckpointError

FRACTION = 12  # bits
ONE = 1 << FRACTION
LIMIT = 1 << 25  # activations are in [-LIMIT, LIMIT): 26 bits with the sign
SLOPE = 41  # of the leaky ReLU, over 2^12: 0.01001, CompressAI's is 0.01
EXACT = 1 << 53  # float64 holds every integer up to here
IN_CACHE = 4  # pictures at a time on a CPU: with 8 or 16 it takes a third longer
TRANSPOSED = {0: True, 2: True, 4: False}  # the layers of h_s


@dataclass(frozen=True)
class Layer:
    """One layer of h_s.

    Attributes:
        matrix: float64 integers [9 * C_in, P * C_out]: taps from the upper left, row by row,
            channels within a tap; P is 4 for a transposed convolution, pixels row by row.
        bias: float64 integers [C_out], over 2^24; half a unit of the result is in it, so that
            the shift rounds.
        limbs: The same matrix for 8-bit arithmetic, where that is exact and fast.
        plan: A cheaper way to the same product in float64, where that is exact.
    """

    matrix: Tensor
    bias: Tensor
    limbs: Limbs | None
    plan: Phases | Winograd | None

    def __call__(self, a: Tensor) -> Tensor:
        """Return activations [B, H, W, C_out] over 2^12 of activations [B, h, w, C_in]."""
        shape = a.shape[:3]
        total = self._product(a).reshape(*shape, -1, len(self.bias))
        activations = _cut(torch.floor((total + self.bias) / ONE))
        if activations.shape[3] == 1:
            return activations.squeeze(3)
        batch, height, width = shape
        pixels = activations.reshape(*shape, 2, 2, -1).permute(0, 1, 3, 2, 4, 5)
        return pixels.reshape(batch, 2 * height, 2 * width, -1)

    def _product(self, a: Tensor) -> Tensor:
        if self.limbs and (product := self.limbs.product(a, _neighbourhoods)) is not None:
            return product
        return self.plan(a) if self.plan else _neighbourhoods(a) @ self.matrix

    def to(self, device: torch.device) -> Layer:
        """Return the layer on another device."""
        matrix = self.matrix.to(device)
        plan = self.plan.to(device) if self.plan else None
        return Layer(matrix, self.bias.to(device), Limbs.of(matrix), plan)

    def largest_sum(self) -> int:
        """Return a bound on every partial sum, for any activations."""
        sums = self.matrix.abs().sum(0).reshape(-1, len(self.bias)).amax(0) * LIMIT
        return int((sums + self.bias.abs()).max().item())


@dataclass(frozen=True)
class HyperSynthesis:
    """h_s, the medians before it and the thresholds of the scales behind it, in integers.

    Attributes:
        layers: Three.
        medians: float64 integers [N], over 2^12: what z was rounded about.
        thresholds: float64 integers [63], over 2^12: the index of a scale is how many of them
            it reaches.
    """

    layers: list[Layer]
    medians: Tensor
    thresholds: Tensor

    @torch.inference_mode()
    def __call__(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return what y is coded with.

        Args:
            z: Symbols, integers [B, N, H/64, W/64].

        Returns:
            The scale index, int32 [B, M, H/16, W/16] in 0..63, and the mean, int32 of the same
            shape, over 2^12.
        """
        if z.device.type == "cpu" and len(z) > IN_CACHE:
            parts = [self(part) for part in torch.split(z, IN_CACHE)]
            return torch.cat([part[0] for part in parts]), torch.cat(
                [part[1] for part in parts]
            )
        a = _cut(z.permute(0, 2, 3, 1).double() * ONE + self.medians)
        for layer in self.layers[:-1]:
            a = layer(a)
            a = torch.where(a < 0, torch.floor(a * SLOPE / ONE), a)
        parameters = self.layers[-1](a).permute(0, 3, 1, 2).contiguous()
        scales, means = parameters.chunk(2, 1)  # CompressAI's order
        # `right`: a scale that equals a threshold has reached it.
        indexes = torch.bucketize(scales.contiguous(), self.thresholds, right=True)
        return indexes.int(), means.int()

    def to(self, device: torch.device) -> HyperSynthesis:
        """Return it on another device."""
        return HyperSynthesis(
            [layer.to(device) for layer in self.layers],
            self.medians.to(device),
            self.thresholds.to(device),
        )

    def largest_sum(self) -> int:
        """Return a bound on every sum that any z could cause."""
        return max(layer.largest_sum() for layer in self.layers)


def quantised(codec: Codec) -> dict[str, Tensor]:
    """Return the integers of a codec's h_s, by name: what a checkpoint holds of it.

    `weight.<layer>` and `bias.<layer>` (with the half unit) as CompressAI shapes them,
    `medians` [N], `thresholds` [63]; int32. Scales are told apart at the geometric means of
    neighbouring levels: the nearest level, where CompressAI takes the next larger one.

    Raises:
        CheckpointError: If a sum could exceed 2^53 for some z.
    """
    tensors: dict[str, Tensor] = {}
    for index in TRANSPOSED:
        layer = codec.h_s[index]
        tensors[f"weight.{index}"] = _rounded(layer.weight, ONE)
        tensors[f"bias.{index}"] = _rounded(layer.bias, ONE * ONE) + ONE // 2
    tensors["medians"] = _rounded(codec.entropy_bottleneck._get_medians().flatten(), ONE)
    levels = codec.gaussian_conditional.scale_table.detach().cpu().double()
    middles = (levels[:-1] * levels[1:]).sqrt()
    tensors["thresholds"] = torch.ceil(middles * ONE).to(torch.int32)
    if (bound := hyper_synthesis(tensors).largest_sum()) >= EXACT:
        raise CheckpointError(
            f"the codec's h_s has weights so large that a sum could reach {bound:.3g}, beyond "
            "the 2^53 that are exact: it cannot be exported; train it anew with a smaller lr"
        )
    return tensors


def hyper_synthesis(tensors: Mapping[str, Tensor]) -> HyperSynthesis:
    """Return what `quantised` tensors compute.

    Raises:
        CheckpointError: If one is missing.
    """
    try:
        layers = [
            _layer(tensors[f"weight.{index}"], tensors[f"bias.{index}"], transposed)
            for index, transposed in TRANSPOSED.items()
        ]
        medians, thresholds = tensors["medians"], tensors["thresholds"]
    except KeyError as error:
        raise CheckpointError(f"the integers of h_s lack {error}") from None
    return HyperSynthesis(layers, medians.double(), thresholds.double())


def _layer(weight: Tensor, bias: Tensor, transposed: bool) -> Layer:
    taps = _transposed_taps(weight) if transposed else weight.permute(2, 3, 1, 0)[..., None, :]
    matrix = taps.flatten(3).flatten(0, 2).double().contiguous()
    plan = Phases.of(taps) if transposed else Winograd.of(taps[..., 0, :])
    exact = plan.largest_sum(LIMIT) < EXACT
    return Layer(matrix, bias.double(), Limbs.of(matrix), plan if exact else None)


def _transposed_taps(weight: Tensor) -> Tensor:
    """Return the taps [3, 3, C_in, 4, C_out] of a stride-2 transposed convolution.

    The output pixel 2 p + e sees input pixel p + d through tap 2 + e - 2 d of the five, where
    there is one.
    """
    c_in, c_out = weight.shape[:2]
    taps = weight.new_zeros(3, 3, c_in, 2, 2, c_out)
    seen = [(d, e, 2 + e - 2 * d) for d in (-1, 0, 1) for e in (0, 1) if 2 + e - 2 * d < 5]
    for dy, ey, ty in seen:
        for dx, ex, tx in seen:
            taps[dy + 1, dx + 1, :, ey, ex] = weight[:, :, ty, tx]
    return taps.flatten(3, 4)


def _neighbourhoods(a: Tensor) -> Tensor:
    """Return the 3x3 pixels around each in a row: [B * H * W, 9 * C]."""
    return around(a).flatten(1)


def _rounded(values: Tensor, unit: int) -> Tensor:
    """Return the nearest integers of values over `unit`; exact, as units are powers of 2."""
    return torch.round(values.detach().cpu().double() * unit).to(torch.int32)


def _cut(a: Tensor) -> Tensor:
    return a.clamp(-LIMIT, LIMIT - 1)
