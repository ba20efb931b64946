"""What is behind a head and inside the camera: backgrounds, textures, blur and sensor noise."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mien.data.portrait.canvas import Canvas, Colour, ellipse
from mien.data.portrait.light import Field

# Sky, leaves, grass, wood, brick, sand, plaster, concrete, steel, cloth: sRGB, 0..255.
PLACES = np.array([
    (150, 185, 215), (92, 118, 66), (128, 140, 82), (134, 98, 66), (158, 92, 72),
    (204, 184, 150), (222, 214, 202), (150, 148, 144), (96, 110, 126), (120, 72, 92),
    (58, 92, 110), (215, 170, 96),
])  # fmt: skip
MID_GREY = np.float32(118.0)
SHOULDER = np.float32(175.0)  # brightness from which on highlights are compressed
BACKGROUNDS = ("wall", "gradient", "lights", "blocks", "foliage")


def rough(size: int, decay: float, rng: np.random.Generator, first: int = 3) -> Field:
    """Return a random field [size, size] with a natural power spectrum, zero mean.

    Octaves of smoothed noise, each twice as fine and `decay` times as strong as the one before;
    0.5 is the 1/f amplitude of photographs. Standard deviation about 1.

    Args:
        first: Cells of the coarsest octave along a side.
    """
    cells, amplitude, energy = first, 1.0, 0.0
    total = np.zeros((cells, cells), dtype=np.float32)
    while cells < size:
        total = _resized(total, cells)
        total += np.float32(amplitude) * rng.standard_normal((cells, cells), dtype=np.float32)
        energy += (0.7 * amplitude) ** 2  # interpolation smooths: less than unit variance
        cells, amplitude = cells * 2, amplitude * decay
    return _resized(total, size) / np.float32(np.sqrt(energy))


def background(size: int, rng: np.random.Generator) -> Image.Image:
    """Return what is behind a person: a wall, a gradient, lights, blocks or foliage.

    Made at half the resolution: a background is a little out of focus.
    """
    kind, half = str(rng.choice(BACKGROUNDS)), (size + 1) // 2
    first, second = _place_colour(rng), _place_colour(rng)
    mixture = rough(half, 0.55, rng, first=2)
    if kind in ("wall", "gradient"):
        mixture = 0.25 * mixture + _ramp(half, rng) * (0.4 if kind == "wall" else 1.4)
    share = np.clip(0.5 + 0.3 * mixture, 0.0, 1.0)[..., None]
    colours = first * (1.0 - share) + second * share
    if kind == "foliage":
        leaves = rough(half, 0.85, rng, first=6)
        colours *= np.clip(0.85 + rng.uniform(0.08, 0.25) * leaves, 0.25, 1.5)[..., None]
    image = Image.fromarray(np.clip(colours, 0, 255).astype(np.uint8))
    if kind == "lights":
        _paint_lights(image, rng)
    if kind == "blocks":
        _paint_blocks(image, rng)
    if (blur := float(rng.uniform(-0.7, 1.7)) * size / 256) > 0.1:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    return image.resize((size, size), Image.Resampling.BICUBIC)


def photographed(picture: Field, rng: np.random.Generator) -> NDArray[np.uint8]:
    """Return a picture [size, size, 3] as a camera stores it: exposed, blurred, noisy."""
    size = picture.shape[0]
    gain, contrast = rng.normal(1.0, 0.07), rng.normal(1.0, 0.08)
    exposed = picture * np.float32(gain * contrast) + MID_GREY * np.float32(1.0 - contrast)
    image = Image.fromarray(np.clip(_shoulder(exposed), 0, 255).astype(np.uint8))
    blur = max(float(rng.normal(0.35, 0.35)), 0.0) * size / 256
    if blur > 0.15:
        image = image.filter(ImageFilter.GaussianBlur(blur))
    noisy = np.array(image, dtype=np.float32)
    luminance, colour = rng.uniform(0.8, 4.5), rng.uniform(0.3, 1.5)
    grain = rng.standard_normal((size, size, 1), dtype=np.float32) * np.float32(luminance)
    half = (size + 1) // 2  # one colour sample per two pixels, as behind a Bayer mosaic
    chroma = rng.standard_normal((half, half), dtype=np.float32) * np.float32(colour)
    noisy += grain + np.float32(0.5)
    noisy += _resized(chroma, size)[..., None] * np.array([1.0, -0.3, -1.0], dtype=np.float32)
    return np.clip(noisy, 0, 255, out=noisy).astype(np.uint8)


def _shoulder(picture: Field) -> Field:
    """Return a picture whose highlights fade towards white instead of being cut off."""
    over = np.maximum(picture - SHOULDER, 0.0)
    room = np.float32(255.0 - SHOULDER)
    return np.asarray(picture - over * over / (over + room))


def _place_colour(rng: np.random.Generator) -> Colour:
    """Return a colour as places have it, in more or less light."""
    colour = PLACES[int(rng.integers(len(PLACES)))] * rng.normal(1.0, 0.08, 3)
    return np.asarray(colour * rng.uniform(0.4, 1.15))


def _resized(field: Field, size: int) -> Field:
    image = Image.fromarray(field)
    return np.array(image.resize((size, size), Image.Resampling.BICUBIC))


def _ramp(size: int, rng: np.random.Generator) -> Field:
    angle = rng.uniform(0, 2 * np.pi)
    axis = np.linspace(-1.0, 1.0, size, dtype=np.float32)
    return np.asarray(np.cos(angle) * axis[None, :] + np.sin(angle) * axis[:, None])


def _whole_picture(image: Image.Image) -> Canvas:
    """Return a canvas whose unit is the side of the picture, from its upper left corner."""
    size = image.size[0]
    return Canvas(image, lambda points: points * size, size)


def _paint_lights(image: Image.Image, rng: np.random.Generator) -> None:
    with _whole_picture(image) as canvas:
        for _ in range(int(rng.integers(8, 26))):
            radius = float(rng.uniform(0.01, 0.09))
            disc = ellipse(rng.uniform(0, 1, 2), (radius, radius))
            canvas.fill(disc, _place_colour(rng) * 1.3, float(rng.uniform(0.15, 0.6)))


def _paint_blocks(image: Image.Image, rng: np.random.Generator) -> None:
    """Paint upright and level edges: windows, shelves, houses."""
    with _whole_picture(image) as canvas:
        for _ in range(int(rng.integers(6, 22))):
            (x, y), (w, h) = rng.uniform(-0.1, 1.0, 2), rng.uniform(0.02, 0.4, 2)
            block = np.array([[x, y], [x + w, y], [x + w, y + h], [x, y + h]])
            canvas.fill(block, _place_colour(rng), float(rng.uniform(0.2, 0.85)))
