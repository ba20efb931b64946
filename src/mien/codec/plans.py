"""Fewer multiplications for the same integers: how a layer of h_s is computed in float64.

    Phases     a transposed convolution of stride 2 and 5x5 taps makes four pixels of each, by
               9, 6, 6 and 4 taps: 25, where one matrix for all four would multiply 11 zeros
    Winograd   a 3x3 convolution by Winograd's F(2x2, 3x3) (Lavin and Gray 2016, "Fast
               Algorithms for Convolutional Neural Networks"): 16 products for 4 pixels, not 36

Winograd's weights are halves and quarters; times 4 they are integers, and the sum is 4 times
the plain one. All are sums of integers below 2^53, so they are exact, as plain products are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

Plan = Callable[[Tensor], Tensor]  # [B, H, W, C_in] -> [B * H * W, P * C_out], as by the matrix

# Of F(2, 3) along one axis; G times 2, so that the weights stay integers.
_TWICE_G = [[2, 0, 0], [1, 1, 1], [1, -1, 1], [0, 0, 2]]
_B_T = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
_A_T = [[1, 1, 1, 0], [0, 1, -1, -1]]
_TAPS = (slice(0, 3), slice(1, 3))  # the rows (columns) of 3x3 that an even (odd) pixel sees


@dataclass(frozen=True)
class Phases:
    """A transposed convolution.

    Attributes:
        matrices: float64 integers [taps * C_in, C_out] of the pixels (0, 0), (0, 1), (1, 0),
            (1, 1).
    """

    matrices: list[Tensor]

    @classmethod
    def of(cls, taps: Tensor) -> Phases:
        """Return the plan for taps [3, 3, C_in, 4, C_out]."""
        return cls(
            [
                taps[rows, columns, :, 2 * ey + ex].flatten(0, 2).double().contiguous()
                for ey, rows in enumerate(_TAPS)
                for ex, columns in enumerate(_TAPS)
            ]
        )

    def __call__(self, a: Tensor) -> Tensor:
        """Return the four products side by side."""
        seen = around(a)
        places = [(rows, columns) for rows in _TAPS for columns in _TAPS]
        products = [
            seen[:, rows, columns].flatten(1) @ matrix
            for (rows, columns), matrix in zip(places, self.matrices, strict=True)
        ]
        return torch.cat(products, dim=1)

    def to(self, device: torch.device) -> Phases:
        """Return the plan on another device."""
        return Phases([matrix.to(device) for matrix in self.matrices])

    def largest_sum(self, limit: int) -> int:
        """Return a bound on every partial sum, for activations up to `limit`."""
        return max(int(m.abs().sum(0).max().item()) * limit for m in self.matrices)


@dataclass(frozen=True)
class Winograd:
    """A 3x3 convolution of stride 1, of pictures with even sides.

    Attributes:
        weights: float64 integers [16, C_in, C_out]: 4 G w G^T, position by position.
        inputs: [16, 16]: B^T over rows and columns of a 4x4 tile.
        outputs: [4, 16]: A^T over rows and columns.
    """

    weights: Tensor
    inputs: Tensor
    outputs: Tensor

    @classmethod
    def of(cls, taps: Tensor) -> Winograd:
        """Return the plan for taps [3, 3, C_in, C_out]."""
        twice_g, b_t, a_t = (torch.tensor(rows).double() for rows in (_TWICE_G, _B_T, _A_T))
        weights = torch.einsum("pk,ql,klio->pqio", twice_g, twice_g, taps.double())
        inputs, outputs = torch.kron(b_t, b_t), torch.kron(a_t, a_t)
        return cls(weights.flatten(0, 1).contiguous(), inputs, outputs)

    def __call__(self, a: Tensor) -> Tensor:
        """Return the product."""
        batch, height, width, c_in = a.shape
        padded = F.pad(a, (0, 0, 1, 1, 1, 1))
        tiles = padded.unfold(1, 4, 2).unfold(2, 4, 2).permute(4, 5, 0, 1, 2, 3)
        v = self.inputs @ tiles.reshape(16, -1)
        m = torch.bmm(v.reshape(16, -1, c_in), self.weights)
        out = (self.outputs @ m.flatten(1)) / 4
        pixels = out.reshape(2, 2, batch, height // 2, width // 2, -1)
        return pixels.permute(2, 3, 0, 4, 1, 5).reshape(batch * height * width, -1)

    def to(self, device: torch.device) -> Winograd:
        """Return the plan on another device."""
        parts = (self.weights, self.inputs, self.outputs)
        return Winograd(*(part.to(device) for part in parts))

    def largest_sum(self, limit: int) -> int:
        """Return a bound on every partial sum, for activations up to `limit`."""
        tiles = self.inputs.abs().sum(1) * limit
        sums = self.weights.abs().sum(1) * tiles[:, None]
        return int((self.outputs.abs() @ sums).max().item())


def around(a: Tensor) -> Tensor:
    """Return the 3x3 pixels around each, zeros beyond the border: [B * H * W, 3, 3, C]."""
    batch, height, width, channels = a.shape
    padded = F.pad(a, (0, 0, 1, 1, 1, 1))
    seen = padded.unfold(1, 3, 1).unfold(2, 3, 1).permute(0, 1, 2, 4, 5, 3)
    return seen.reshape(batch * height * width, 3, 3, channels)
