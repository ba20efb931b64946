"""The integers that streams are coded with: made of a trained codec once, then only copied."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from mien.codec.hyperprior import quantised
from mien.codec.model import Codec
from mien.codec.tables import coding_tables
from mien.tensors import fingerprint, under

TRANSFORMS = ("g_a", "h_a", "h_s", "g_s")


def exported(codec: Codec) -> dict[str, Tensor]:
    """Return all that a codec's streams are coded with: `hyper.*` and `table.*`, int32.

    Raises:
        CheckpointError: If its h_s cannot be computed exactly.
    """
    return under(quantised(codec), "hyper") | under(coding_tables(codec), "table")


def codec_id(codec: Codec, integers: Mapping[str, Tensor]) -> str:
    """Return the name that ties streams to the codec able to decode them: 16 hex digits.

    Of the transforms' weights and of the integers, which files hold. CompressAI's tables and
    quantiles are left out: made anew from a file of weights alone they may differ in a last
    bit from machine to machine, and nothing that is coded with the integers depends on them.
    """
    weights = {
        name: tensor
        for name, tensor in codec.named_parameters()
        if name.partition(".")[0] in TRANSFORMS
    }
    return fingerprint({**weights, **integers})
