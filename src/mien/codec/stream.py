"""Pictures to bitstreams and back: the networks around the entropy coding.

x --g_a--> y --h_a--> z --Entropy.encode--> streams --Entropy.decode--> y_hat --g_s--> x_hat
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import torch
from torch import Tensor

from mien.codec.exact import ExactEntropy
from mien.codec.fast import Fast
from mien.codec.forward import DOWNSAMPLING, DTYPES, run_in
from mien.codec.integers import codec_id, exported
from mien.codec.latents import EXACT, STOCK, Coded, Entropy
from mien.codec.model import Codec, codec_from, likelihood_bits
from mien.codec.stock import StockEntropy
from mien.device import has_bfloat16, placed, say_if_slow
from mien.errors import CheckpointError
from mien.tensors import below, load_tensors

FAST = "fast"  # a precision, beside those of `forward`
Network: TypeAlias = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class Latents:
    """What the encoder's networks make of a batch.

    Attributes:
        y: float32 [B, M, H/16, W/16].
        z: float32 [B, N, H/64, W/64].
    """

    y: Tensor
    z: Tensor


@dataclass(frozen=True)
class BitMap:
    """Estimated bits of a batch, by place.

    Attributes:
        y: float32 [B, H/16, W/16]: of one place of y, over its channels.
        z: float32 [B]: of all of z, whose places are 64 pixels wide.
    """

    y: Tensor
    z: Tensor


class StreamCoder:
    """Encode and decode batches of pictures with one codec in eval mode."""

    def __init__(self, codec: Codec, entropy: Entropy, precision: str = "float32") -> None:
        """Join the parts.

        Args:
            codec: On the device, in eval mode.
            entropy: On the same device.
            precision: Of g_a, h_a and g_s: `float32`, or `bfloat16` or `fast`, which are faster
                and give slightly other symbols and pictures. What is decoded from a stream's
                bytes, up to y_hat, does not depend on it. `fast` is bfloat16 where the device
                has it, else float32 by the ways of `codec.fast`.
        """
        self.codec = codec
        self.entropy = entropy
        self.g_a: Network = partial(_by_parts, codec.g_a)
        self.g_s: Network = partial(_by_parts, codec.g_s)
        if precision == FAST and has_bfloat16():
            precision = "bfloat16"
        elif precision == FAST:
            precision = "float32"
            self.g_a, self.g_s = Fast(codec.g_a), Fast(codec.g_s)
        self.dtype = DTYPES[precision]

    @torch.inference_mode()
    def analyse(self, x: Tensor) -> Latents:
        """Return the latents of a batch, float32 [B, 3, H, W] in [0, 1].

        Raises:
            ValueError: If H or W is no multiple of 64.
        """
        if any(side % DOWNSAMPLING for side in x.shape[-2:]):
            raise ValueError(f"sides must be multiples of {DOWNSAMPLING}: {tuple(x.shape)}")
        with run_in(self.dtype, x):
            y = self.g_a(x)
            z = self.codec.h_a(y)
        return Latents(y.float(), z.float())

    @torch.inference_mode()
    def write(self, latents: Latents) -> Coded:
        """Return the streams of latents."""
        return self.entropy.encode(latents.y, latents.z)

    def encode(self, x: Tensor) -> Coded:
        """Return the streams of a batch, float32 [B, 3, H, W] in [0, 1]."""
        return self.write(self.analyse(x))

    @torch.inference_mode()
    def decode(
        self, streams: Sequence[bytes], height: int, width: int
    ) -> tuple[Tensor, list[bytes]]:
        """Return the pictures, uint8 [B, 3, H, W], and the digests of the symbols found.

        Args:
            streams: Of pictures of one size; with stock entropy coding, the very batch that
                was encoded together.
            height: Pixels, a multiple of 64.
            width: Pixels, a multiple of 64.

        Raises:
            StreamError: If a stream is damaged in a way that shows.
        """
        size = (height // DOWNSAMPLING, width // DOWNSAMPLING)
        decoded = self.entropy.decode(streams, size)
        with run_in(self.dtype, decoded.y_hat):
            x_hat = self.g_s(decoded.y_hat)
        return to_8_bit(x_hat.float()), decoded.symbols

    @torch.inference_mode()
    def bit_map(self, latents: Latents) -> BitMap:
        """Return where the bits of `estimated_bits` go."""
        likelihoods = self._likelihoods(latents)
        y, z = (-torch.log2(likelihoods[name]) for name in ("y", "z"))
        return BitMap(y=y.sum(dim=1), z=z.flatten(1).sum(dim=1))

    @torch.inference_mode()
    def estimated_bits(self, latents: Latents) -> Tensor:
        """Return what the model says the streams need: float32 [B], z and y together.

        The sum of -log2 of the likelihoods, from CompressAI's own entropy models and the
        hyper-synthesis in float32: independent of how the streams are coded.
        """
        return likelihood_bits(self._likelihoods(latents))

    def _likelihoods(self, latents: Latents) -> dict[str, Tensor]:
        z_hat, p_z = self.codec.entropy_bottleneck(latents.z, training=False)
        scales, means = self.codec.h_s(z_hat).chunk(2, 1)
        _, p_y = self.codec.gaussian_conditional(latents.y, scales, means=means, training=False)
        return {"y": p_y, "z": p_z}


@dataclass(frozen=True)
class Loaded:
    """A coder from a file.

    Attributes:
        coder: On the device.
        codec_id: 16 hexadecimal digits, of all tensors that coding depends on.
        record: The file's.
    """

    coder: StreamCoder
    codec_id: str
    record: dict[str, Any]


def load_coder(path: Path, entropy: str = EXACT, precision: str = "float32") -> Loaded:
    """Return the coder of a checkpoint, placed on the device.

    What integers a file of parameters alone lacks are made from them; streams are then sure to
    decode only where the same integers were made.

    Raises:
        CheckpointError: If the file is missing, damaged, or holds no codec.
    """
    tensors, record = load_tensors(path)
    try:
        N, M = record["channels"]
    except KeyError:
        raise CheckpointError(
            f"{path}: its record has no `channels`: it holds no codec"
        ) from None
    codec = placed(codec_from(below(tensors, "codec"), (N, M), path))
    integers = below(tensors, "exact") or exported(codec)
    name = codec_id(codec, integers)
    return Loaded(coder_of(codec, integers, entropy, precision), name, record)


def coder_of(
    codec: Codec,
    integers: Mapping[str, Tensor] | None = None,
    entropy: str = EXACT,
    precision: str = "float32",
) -> StreamCoder:
    """Return a coder where the codec is; `integers` are what `exported` made, or made now."""
    say_if_slow(precision)
    if entropy == STOCK:
        return StreamCoder(codec, StockEntropy(codec), precision)
    made = exported(codec) if integers is None else integers
    place = next(codec.parameters()).device
    return StreamCoder(codec, ExactEntropy(made, place), precision)


def _by_parts(network: Network, batch: Tensor) -> Tensor:
    """Return what a network makes of a batch; on a CPU picture by picture.

    The first layer's output is 8 MB a picture (256x256, N = 128), and more of them leave the
    caches: 8 or 16 at a time took a fifth more CPU time on one thread, a third more on two.
    """
    if batch.device.type != "cpu":
        return network(batch)
    return torch.cat([network(part) for part in torch.split(batch, 1)])


def to_8_bit(x_hat: Tensor) -> Tensor:
    """Return what a receiver stores: uint8 of pictures in [0, 1], clamped and rounded."""
    return x_hat.clamp(0, 1).mul(255).round().to(torch.uint8)
