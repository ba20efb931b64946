"""Rate: what the bytes of a picture cost, per pixel of the coded picture."""

from __future__ import annotations


def bits_per_pixel(n_bytes: int, height: int, width: int) -> float:
    """Return the rate of one coded image, in bits per pixel of the coded picture.

    Args:
        n_bytes: Bytes on disk that belong to this image alone, its header included.
            Not a likelihood estimate.
        height: Height of the picture before padding, pixels.
        width: Width of the picture before padding, pixels.

    Returns:
        Rate in bit/pixel. AffectNet's 224x224 sources are coded at 256x256, so the
        same bytes are 1.306 times as many bits per *source* pixel.

    Raises:
        ValueError: If a dimension is not positive or `n_bytes` is negative.
    """
    if n_bytes < 0:
        raise ValueError(f"n_bytes is {n_bytes}, expected 0 or more")
    if height <= 0 or width <= 0:
        raise ValueError(f"a picture of {height}x{width} has no pixels")
    return 8 * n_bytes / (height * width)
