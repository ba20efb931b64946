"""g_a and g_s in float32, faster on a CPU, and nearly the same numbers: the fast mode.

    g_a   3 -> N --GDN--> N --GDN--> N --GDN--> M      g_s   M -> N --IGDN--> N --...--> 3

Layers between many channels go by polyphase Winograd: from N = 64 and 16 tiles on, as 256x256
pictures have in the smallest layer, it takes less time than torch's convolution (narrower, or
for pictures of 64x64, more). The last layer is one matrix product, and GDN is computed a few
rows at a time, in place: that stays in the caches, where CompressAI's goes through memory four
times. Only the first layer is torch's. A picture has one thread, and several pictures one each:
its layers are too small to be shared, and on any number of threads the numbers are the same,
which those of torch's transposed convolution are not.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from compressai.layers import GDN
from torch import Tensor, nn

from mien.codec.polyphase import Polyphase
from mien.codec.threads import in_threads

Step = Callable[[Tensor], Tensor]  # one picture, [H, W, C] -> [H', W', C']

AT_ONCE = 1024  # pixels: at 128 channels half a megabyte, what a core's cache holds
RGB = 3


class Fast:
    """What computes `g_a` or `g_s` of a codec on a CPU, as its weights are now."""

    def __init__(self, network: nn.Sequential) -> None:
        """Take the network over, layer by layer."""
        self.steps = [_step(layer) for layer in network]

    def __call__(self, x: Tensor) -> Tensor:
        """Return what the network makes of pictures, [B, C, H, W]."""
        return torch.stack(in_threads(self._picture, x))

    @torch.inference_mode()
    def _picture(self, x: Tensor) -> Tensor:
        a = x.permute(1, 2, 0).clone(memory_format=torch.contiguous_format)
        for step in self.steps:
            a = step(a)
        return a.permute(2, 0, 1)


def _step(layer: nn.Module) -> Step:
    if isinstance(layer, GDN):
        return Gdn.of(layer)
    if isinstance(layer, nn.ConvTranspose2d):
        return ToFew.of(layer) if layer.out_channels == RGB else Polyphase.of(layer)
    if isinstance(layer, nn.Conv2d):
        return partial(_plain, layer) if layer.in_channels == RGB else Polyphase.of(layer)
    raise TypeError(f"no layer of g_a or g_s: {layer}")


def _plain(layer: nn.Conv2d, a: Tensor) -> Tensor:
    out: Tensor = layer(a.permute(2, 0, 1)[None])
    return out[0].permute(1, 2, 0).contiguous()


@dataclass(frozen=True)
class Gdn:
    """GDN, x / sqrt(beta + gamma x^2), or its inverse.

    Attributes:
        beta: [C].
        gamma: [C, C], transposed: from the channels that norm to those that are normed.
        root: Of the sum: what x is multiplied by.
    """

    beta: Tensor
    gamma: Tensor
    root: Callable[[Tensor], Tensor]

    @classmethod
    def of(cls, layer: GDN) -> Gdn:
        """Return what computes a layer."""
        beta = layer.beta_reparam(layer.beta).detach()
        gamma = layer.gamma_reparam(layer.gamma).detach().t().contiguous()
        return cls(beta, gamma, torch.sqrt_ if layer.inverse else torch.rsqrt_)

    def __call__(self, a: Tensor) -> Tensor:
        """Norm a picture in place."""
        squares, norms = torch.empty(2, AT_ONCE, len(self.beta))
        for rows in torch.split(a.flatten(0, 1), AT_ONCE):
            square, norm = squares[: len(rows)], norms[: len(rows)]
            torch.square(rows, out=square)
            torch.addmm(self.beta, square, self.gamma, out=norm)
            rows.mul_(self.root(norm))
        return a


@dataclass(frozen=True)
class ToFew:
    """A transposed convolution of stride 2 and 5x5 taps to a few channels, as one matrix.

    What each pixel adds to the 25 around it is the product; the four pixels made of one lie in
    planes of their own until the end.
    """

    matrix: Tensor  # [25 * C_out, C_in]
    bias: Tensor

    @classmethod
    def of(cls, layer: nn.ConvTranspose2d) -> ToFew:
        """Return what computes a layer."""
        assert layer.bias is not None
        taps = layer.weight.detach().permute(2, 3, 1, 0)
        return cls(taps.flatten(0, 2).contiguous(), layer.bias.detach())

    def __call__(self, a: Tensor) -> Tensor:
        """Return the layer's result."""
        height, width, _ = a.shape
        products = torch.empty(len(self.matrix), height * width)
        parts = torch.split(products, AT_ONCE, dim=1)
        for part, rows in zip(parts, torch.split(a.flatten(0, 1), AT_ONCE), strict=True):
            torch.mm(self.matrix, rows.t(), out=part)
        taps = products.reshape(5, 5, -1, height, width)
        planes = self.bias.repeat_interleave(height * width).reshape(-1, 1, 1, height, width)
        planes = planes.repeat(1, 2, 2, 1, 1)
        for ky in range(5):
            to_y, from_y = _shifted(1 - ky // 2, height)
            for kx in range(5):
                to_x, from_x = _shifted(1 - kx // 2, width)
                planes[:, ky % 2, kx % 2, to_y, to_x] += taps[ky, kx, :, from_y, from_x]
        out = F.pixel_shuffle(planes.flatten(0, 2)[None], 2)[0]
        return out.permute(1, 2, 0)


def _shifted(d: int, size: int) -> tuple[slice, slice]:
    """Return the places that have one d further on, and those."""
    here = slice(max(0, -d), size - max(0, d))
    return here, slice(here.start + d, here.stop + d)
