"""mbt2018-mean (Minnen et al. 2018, mean-scale hyperprior) as CompressAI builds it.

    x --g_a--> y --------Q--> y_hat --g_s--> x_hat
               |         |
               h_a   scales, means
               |         |
               z --Q--> z_hat --h_s

For 256x256 pictures y is M x 16 x 16 and z is N x 4 x 4.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

import torch
from compressai.models import MeanScaleHyperprior
from torch import Tensor

from mien.errors import CheckpointError
from mien.tensors import below, check_names, load_tensors

Codec: TypeAlias = MeanScaleHyperprior
# Made from the weights, and sized by them: a new codec has none to compare with.
TABLES = ("_quantized_cdf", "_cdf_length", "_offset", "scale_table")


def new_codec(channels: tuple[int, int]) -> Codec:
    """Return a codec with random weights (from torch's global generator)."""
    N, M = channels
    return MeanScaleHyperprior(N, M)


def codec_from(tensors: Mapping[str, Tensor], channels: tuple[int, int], source: Path) -> Codec:
    """Return a codec with these weights; without entropy tables, a file of parameters alone.

    The tables are then made from the weights, and constants are those of the architecture.

    Args:
        tensors: CompressAI's state dict, in float32 or half precision.
        channels: (N, M).
        source: The file they came from, for the error message.

    Raises:
        CheckpointError: If a tensor is missing, unknown or has another shape.
    """
    codec = new_codec(channels)
    state = {
        name: tensor.float() if tensor.is_floating_point() else tensor
        for name, tensor in tensors.items()
    }
    has_tables = any(name.endswith("_quantized_cdf") for name in state)
    if not has_tables:
        state = dict(codec.named_buffers()) | state
    what = f"mbt2018-mean with N, M = {list(channels)}"
    check_names(source, _weights(state), _weights(codec.state_dict()), what)
    try:
        codec.load_state_dict(state)
    except (RuntimeError, KeyError) as error:
        detail = " ".join(str(error).split())
        raise CheckpointError(f"{source}: its entropy tables do not fit: {detail}") from None
    if not has_tables:
        make_tables(codec)
    return codec.eval()


def _weights(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return a state dict without its entropy tables."""
    return {name: tensor for name, tensor in state.items() if not name.endswith(TABLES)}


def load_codec(path: Path) -> tuple[Codec, dict[str, Any]]:
    """Return a checkpoint's codec (tensors `codec.*`), in eval mode, and its record."""
    tensors, record = load_tensors(path)
    try:
        N, M = record["channels"]
    except KeyError:
        raise CheckpointError(
            f"{path}: its record has no `channels`: it holds no codec"
        ) from None
    return codec_from(below(tensors, "codec"), (N, M), path), record


def make_tables(codec: Codec) -> None:
    """Fit the quantiles to the trained densities and make the CDF tables that coding needs.

    Without `force` the tables of before the training stay; with a small learning rate the
    quantiles lag behind, and the real rate would be far above the estimate.
    """
    codec.update(force=True, update_quantiles=True)


@contextmanager
def settled(codec: Codec) -> Iterator[None]:
    """Give a codec the quantiles that `make_tables` will, for as long as the block runs.

    z is rounded about their medians. With the lagging ones of a training, a val loss would be
    that of a codec which nobody ever gets.
    """
    bottleneck = codec.entropy_bottleneck
    trained = bottleneck.quantiles.detach().clone()
    bottleneck._update_quantiles()
    try:
        yield
    finally:
        bottleneck.quantiles.data.copy_(trained)


def likelihood_bits(likelihoods: Mapping[str, Tensor]) -> Tensor:
    """Return the estimated bits of each picture, y and z together: float32 [B]."""
    bits = [-torch.log2(p).flatten(1).sum(dim=1) for p in likelihoods.values()]
    return torch.stack(bits).sum(dim=0)
