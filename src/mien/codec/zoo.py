"""Pretrained codecs: CompressAI's zoo files, or a folder of ours."""

from __future__ import annotations

import hashlib
import pickle
from pathlib import Path
from urllib.error import URLError

import torch
from compressai.zoo.image import model_urls
from compressai.zoo.pretrained import load_pretrained

from mien.codec.model import Codec, codec_from, load_codec, zoo_channels
from mien.errors import CheckpointError
from mien.params import ZOO

ZOO_FOLDER = Path("data/raw/compressai")


def pretrained_codec(weights: str, quality: int, channels: tuple[int, int]) -> Codec:
    """Return the pretrained codec that `codec.weights` names.

    Args:
        weights: `compressai` (the zoo), or a folder with `codec-q<quality>.safetensors`.
        quality: 1..8.
        channels: (N, M) as params say; the file must agree.

    Raises:
        CheckpointError: If the file is missing, damaged or of another architecture.
    """
    if weights == ZOO:
        return zoo_codec(quality, channels)
    path = Path(weights) / f"codec-q{quality}.safetensors"
    codec, record = load_codec(path)
    if tuple(record["channels"]) != channels:
        raise CheckpointError(
            f"{path}: N, M = {record['channels']}, but codec.channels asks for {list(channels)}"
        )
    return codec


def zoo_codec(quality: int, channels: tuple[int, int]) -> Codec:
    """Return CompressAI's mbt2018-mean (MSE), downloaded once to `data/raw/compressai`."""
    if channels != zoo_channels(quality):
        raise CheckpointError(
            f"codec.channels {list(channels)}: the zoo's quality {quality} has "
            f"{list(zoo_channels(quality))}; set codec.channels to null"
        )
    url = model_urls["mbt2018-mean"]["mse"][quality]
    path = ZOO_FOLDER / url.rsplit("/", 1)[-1]
    if not path.is_file():
        _download(url, path)
    _check_name(path)
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError) as error:
        raise CheckpointError(f"{path}: not a whole weights file: {error}") from None
    return codec_from(load_pretrained(state), channels, path)


def _download(url: str, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        torch.hub.download_url_to_file(url, str(path), hash_prefix=_hash_in(path.name))
    except (URLError, OSError, RuntimeError) as error:
        raise CheckpointError(
            f"{path}: no such file, and it could not be downloaded ({error}): "
            f"fetch {url} elsewhere and put it there"
        ) from None


def _check_name(path: Path) -> None:
    """Compare a file with the hash in its name: CompressAI itself never does."""
    expected = _hash_in(path.name)
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if not seen.startswith(expected):
        raise CheckpointError(
            f"{path}: sha256 {seen[:8]} is not {expected} as its name says: delete it"
        )


def _hash_in(name: str) -> str:
    """Return the hash of `mbt2018-mean-1-e522738d.pth.tar`."""
    return name.removesuffix(".pth.tar").rsplit("-", 1)[-1]
