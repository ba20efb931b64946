"""Pretrained codecs: CompressAI's zoo files, or a folder of ours."""

from __future__ import annotations

from pathlib import Path

from compressai.models.utils import remap_old_keys
from compressai.zoo.image import model_urls
from compressai.zoo.pretrained import load_pretrained

from mien.codec.model import Codec, codec_from, load_codec
from mien.download import (
    cache_folder,
    check,
    fetch,
    named_by_sha256,
)
from mien.errors import CheckpointError
from mien.params import ZOO, zoo_channels
from mien.tensors import tensors_in


def pretrained_codec(weights: str, quality: int, channels: tuple[int, int]) -> Codec:
    """Return the pretrained codec that `codec.weights` names.

    Args:
        weights: `compressai` (the zoo's file, fetched once), or a folder with
            `codec-q<quality>.safetensors` or with the zoo's file under the zoo's name.
        quality: 1..8.
        channels: (N, M) as params say; the file must agree.

    Raises:
        CheckpointError: If the file is missing, damaged or of another architecture.
    """
    if weights == ZOO:
        _check_channels(quality, channels)
        url = zoo_url(quality)
        path = fetch(url, cache_folder() / "compressai" / _name(url), named_by_sha256)
        return codec_from_zoo(path, channels)
    folder = Path(weights)
    own = folder / f"codec-q{quality}.safetensors"
    return _own_codec(own, channels) if own.is_file() else _kept(folder, quality, channels)


def codec_from_zoo(path: Path, channels: tuple[int, int]) -> Codec:
    """Return a codec from a file in the zoo's format, whichever names its tensors have.

    The entropy bottleneck's were `_matrices.0`, then `_matrix0`, and are `matrices.0` now.

    Raises:
        CheckpointError: If the file is damaged or not mbt2018-mean of these channels.
    """
    state = remap_old_keys("entropy_bottleneck", load_pretrained(tensors_in(path)))
    return codec_from(state, channels, path)


def zoo_url(quality: int) -> str:
    """Return where CompressAI publishes mbt2018-mean (MSE) of one quality."""
    url: str = model_urls["mbt2018-mean"]["mse"][quality]
    return url


def _own_codec(path: Path, channels: tuple[int, int]) -> Codec:
    codec, record = load_codec(path)
    if tuple(record["channels"]) != channels:
        raise CheckpointError(
            f"{path}: N, M = {record['channels']}, but codec.channels asks for {list(channels)}"
        )
    return codec


def _kept(folder: Path, quality: int, channels: tuple[int, int]) -> Codec:
    """Return the codec of a zoo file in a folder of the user's."""
    url = zoo_url(quality)
    path = folder / _name(url)
    if not path.is_file():
        raise CheckpointError(
            f"codec.weights {folder}: holds neither codec-q{quality}.safetensors nor "
            f"{path.name}: put {url} there, or say `{ZOO}`"
        )
    _check_channels(quality, channels)
    check(path, named_by_sha256, f"replace it with {url}")
    return codec_from_zoo(path, channels)


def _check_channels(quality: int, channels: tuple[int, int]) -> None:
    if channels != zoo_channels(quality):
        raise CheckpointError(
            f"codec.channels {list(channels)}: the zoo's quality {quality} has "
            f"{list(zoo_channels(quality))}: set codec.channels to null"
        )


def _name(url: str) -> str:
    return url.rsplit("/", 1)[-1]
