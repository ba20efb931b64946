"""How many channels the codecs have: known without loading a network."""

from __future__ import annotations

from mien.params import Codec as Section


def zoo_channels(quality: int) -> tuple[int, int]:
    """Return (N, M) of CompressAI's mbt2018-mean at one quality."""
    return (128, 192) if quality <= 4 else (192, 320)


def channels_of(section: Section, quality: int) -> tuple[int, int]:
    """Return (N, M) as `codec.channels` asks for: null means the zoo's."""
    return section.channels or zoo_channels(quality)
