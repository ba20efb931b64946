"""One picture of any size to the bytes of a `.mien` file, and back.

    picture --pad to multiples of 64--> x --StreamCoder--> stream --Container--> bytes
    picture <--crop-- x_hat <--StreamCoder-- stream <--Container-- bytes

Each is coded by itself: the bytes do not depend on what else is encoded beside it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from torch import Tensor

from mien.codec.container import CODEC_BYTES, MOST_PIXELS, Container, parse
from mien.codec.forward import DOWNSAMPLING
from mien.codec.stream import Loaded
from mien.device import device
from mien.errors import StreamError

Picture = npt.NDArray[np.uint8]  # [H, W, 3], RGB


@dataclass(frozen=True)
class Encoded:
    """A picture as bytes.

    Attributes:
        data: Of the file.
        symbols: Digest of the integers that a decoder must find.
    """

    data: bytes
    symbols: bytes


def encode_picture(loaded: Loaded, picture: Picture) -> Encoded:
    """Return a picture, uint8 [H, W, 3], as the bytes of a `.mien` file.

    Raises:
        StreamError: If the picture is larger than any that is decoded, or cannot be coded.
    """
    height, width = picture.shape[:2]
    _require_size(height, width)
    x = torch.from_numpy(np.array(picture)).permute(2, 0, 1)[None].to(device())
    coded = loaded.coder.encode(padded(x.float().div(255)))
    container = Container(loaded.codec_id[: 2 * CODEC_BYTES], width, height, coded.streams[0])
    return Encoded(container.to_bytes(), coded.symbols[0])


def decode_picture(loaded: Loaded, data: bytes) -> tuple[Picture, bytes]:
    """Return the picture, uint8 [H, W, 3], of a `.mien` file and the digest of its integers.

    Raises:
        StreamError: If the file is damaged, too large, or was written by another codec.
    """
    container = parse(data)
    if not loaded.codec_id.startswith(container.codec):
        raise StreamError(
            f"written by codec {container.codec}.., not by {loaded.codec_id}: name the codec "
            "that wrote it"
        )
    height, width = container.height, container.width
    _require_size(height, width)
    images, symbols = loaded.coder.decode(
        [container.stream], _multiple(height), _multiple(width)
    )
    image = images[0, :, :height, :width].permute(1, 2, 0).cpu().numpy()
    return np.ascontiguousarray(image), symbols[0]


def padded(x: Tensor) -> Tensor:
    """Return pictures [B, 3, H, W] with their last row and column repeated up to a multiple.

    The codec halves a picture six times. A border that goes on as it ends costs the fewest
    bits; a decoder cuts it off again.
    """
    height, width = x.shape[-2:]
    margin = (0, _multiple(width) - width, 0, _multiple(height) - height)
    return F.pad(x, margin, mode="replicate") if any(margin) else x


def _multiple(side: int) -> int:
    return -(-side // DOWNSAMPLING) * DOWNSAMPLING


def _require_size(height: int, width: int) -> None:
    if _multiple(height) * _multiple(width) > MOST_PIXELS:
        raise StreamError(
            f"a picture of {width}x{height} pixels: at most {MOST_PIXELS} (16 million) are "
            "coded in one piece: scale it down, or cut out the faces"
        )
