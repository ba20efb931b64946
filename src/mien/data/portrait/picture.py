"""One portrait, painted: from shape, looks, action units, pose and light to pixels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from mien.data.portrait import features, hair
from mien.data.portrait.canvas import Canvas
from mien.data.portrait.landmarks import Points, moved
from mien.data.portrait.light import Field, Light, lit
from mien.data.portrait.looks import Looks
from mien.data.portrait.scene import background, photographed, rough
from mien.data.portrait.shape import Head, Pose, project
from mien.data.portrait.units import Units
from mien.data.portrait.wrinkles import FLAT, paint_wrinkles


@dataclass(frozen=True)
class Portrait:
    """Everything about one picture but its textures and its noise."""

    head: Head
    looks: Looks
    units: Units
    pose: Pose
    light: Light

    @cached_property
    def marks(self) -> Points:
        """Landmarks [68, 2] with the action units at work, face coordinates."""
        return moved(self.head.landmarks, self.units)

    def landmarks(self, size: int) -> Points:
        """Return the landmarks [68, 2] in a picture of this size, pixels."""
        return project(self.marks, self.head, self.pose, size)

    def canvas(self, image: Image.Image) -> Canvas:
        """Return a canvas in this face's coordinates."""
        size = image.size[0]
        return Canvas(
            image, lambda p: project(p, self.head, self.pose, size), self.pose.unit * size
        )


def paint(
    portrait: Portrait, size: int, strokes: np.random.Generator, camera: np.random.Generator
) -> NDArray[np.uint8]:
    """Return the picture [size, size, 3] of a portrait.

    Args:
        strokes: The stream of hair and skin detail.
        camera: The stream of background, textures and sensor noise.
    """
    image = background(size, camera)
    strip = hair.hair_strip(portrait.head, portrait.looks)
    _paint_head(portrait, image, strip, strokes)
    _paint_openings(portrait, image)
    _paint_over(portrait, image, strip, strokes)
    picture = np.array(image, dtype=np.float32)
    _light_up(picture, portrait, strip, camera)
    return photographed(picture, camera)


def _paint_head(
    portrait: Portrait,
    image: Image.Image,
    strip: hair.Strip | None,
    strokes: np.random.Generator,
) -> None:
    marks, looks = portrait.marks, portrait.looks
    with portrait.canvas(image) as canvas:
        hair.paint_back_hair(canvas, strip, looks)
        features.paint_body(canvas, portrait.head, looks)
        canvas.fill(features.head_outline(marks, portrait.head), looks.skin)
        features.paint_skin_marks(canvas, looks, strokes)
        features.paint_nose(canvas, marks, looks)
        hair.paint_beard(canvas, marks, looks, strokes)
        features.paint_lips(canvas, marks, looks)


def _paint_openings(portrait: Portrait, image: Image.Image) -> None:
    """Show eyeballs, teeth and tongue where lids and lips are apart."""
    behind, mask = image.copy(), Image.new("L", image.size)
    with portrait.canvas(behind) as canvas:
        features.paint_behind_openings(
            canvas, portrait.marks, portrait.head.landmarks, portrait.looks, portrait.pose.gaze
        )
    with portrait.canvas(mask) as canvas:
        features.paint_openings(canvas, portrait.marks)
    image.paste(behind, mask=mask)


def _paint_over(
    portrait: Portrait,
    image: Image.Image,
    strip: hair.Strip | None,
    strokes: np.random.Generator,
) -> None:
    marks, rest, looks = portrait.marks, portrait.head.landmarks, portrait.looks
    with portrait.canvas(image) as canvas:
        features.paint_lids(canvas, marks, rest, looks)
        features.paint_brows(canvas, marks, looks, strokes)
        hair.paint_hair(canvas, strip, looks, strokes)
        features.paint_glasses(canvas, rest, looks)


def _masks(portrait: Portrait, size: int, strip: hair.Strip | None) -> tuple[Field, Field]:
    """Return where the person is and where bare skin is, both [size, size] in 0..1."""
    outline = features.head_outline(portrait.marks, portrait.head)
    skin, figure = Image.new("L", (size, size)), Image.new("L", (size, size))
    with portrait.canvas(figure) as canvas:
        hair.paint_back_hair(canvas, strip, portrait.looks.in_white())
        features.paint_body(canvas, portrait.head, portrait.looks.in_white())
        canvas.fill(outline, 255.0)
    with portrait.canvas(skin) as canvas:
        canvas.fill(outline, 255.0)
        if strip is not None:
            canvas.fill(strip.outline(), 0.0)
    return _unit(figure), _unit(skin)


def _light_up(
    picture: Field, portrait: Portrait, strip: hair.Strip | None, camera: np.random.Generator
) -> None:
    """Multiply the person's colours [size, size, 3] with the light that falls there, in place.

    The background keeps its own light. The sums are arranged so that most of them are over
    one channel.
    """
    size, light = picture.shape[0], portrait.light
    figure, skin = _masks(portrait, size, strip)
    on_skin, around, gloss = lit(
        portrait.head, portrait.pose, portrait.marks, portrait.units, light, size
    )
    lamp = (around + skin * (on_skin - around)) * _cast_shadows(portrait, size, strip)
    room: Field = figure * (1.0 + skin * _skin_texture(portrait, size, camera))
    shade: Field = room[..., None] * light.room.astype(np.float32)
    shade += (room * lamp)[..., None] * light.lamp.astype(np.float32)
    shade += (1.0 - figure)[..., None]
    picture *= shade
    shine = gloss * skin * np.float32(255.0 * light.gloss)
    picture += shine[..., None]


def _cast_shadows(portrait: Portrait, size: int, strip: hair.Strip | None) -> Field:
    """Return what is left of the lamp [size, size] under the chin, the hair and the nose."""
    half = max(size // 2, 32)
    image = Image.new("L", (half, half), 255)
    marks, down = portrait.marks, np.array([-0.1 * portrait.light.direction[0], 0.12])
    outline = features.head_outline(marks, portrait.head)
    with portrait.canvas(image) as canvas:
        canvas.fill(outline + 2 * down, 70.0, 0.8)
        canvas.fill(outline, 255.0)
        if strip is not None:
            canvas.fill(strip.outline() + 0.6 * down, 110.0, 0.7)
        canvas.fill(marks[[31, 30, 35, 34, 33, 32]] + 0.6 * down, 120.0, 0.6)
        canvas.fill(marks[[48, 51, 54, 57]] * (0.7, 1.0) + (0.0, 0.1), 150.0, 0.4)
    soft = image.filter(ImageFilter.GaussianBlur(0.035 * portrait.pose.unit * size))
    return _unit(soft.resize((size, size), Image.Resampling.BILINEAR))


def _skin_texture(portrait: Portrait, size: int, camera: np.random.Generator) -> Field:
    """Return what furrows and pores add to the brightness of skin, about -0.5..0.3."""
    creases = Image.new("L", (size, size), FLAT)
    with portrait.canvas(creases) as canvas:
        paint_wrinkles(canvas, portrait.marks, portrait.units, portrait.looks.age)
    soft = creases.filter(ImageFilter.GaussianBlur(0.011 * portrait.pose.unit * size))
    furrows = np.asarray(soft, dtype=np.float32) / FLAT - 1.0
    pores = (0.012 + 0.03 * portrait.looks.age) * rough(size, 0.8, camera, first=12)
    return furrows + pores


def _unit(mask: Image.Image) -> Field:
    return np.asarray(mask, dtype=np.float32) / np.float32(255.0)
