"""Light on a head: its relief, and the shade and the gloss that a lamp makes on it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mien.data.portrait.landmarks import Points
from mien.data.portrait.shape import Head, Pose, depth, face_coordinates
from mien.data.portrait.units import Units, unit_sides

Field = NDArray[np.float32]  # [size, size] or [size, size, 3]: a value for every pixel
Grid = NDArray[np.float64]


@dataclass(frozen=True)
class Light:
    """One lamp and the light of the room."""

    direction: Grid  # [3] unit vector to the lamp: right, down, towards the camera
    lamp: Grid  # [3] red, green, blue of the lamp, 1 is full
    room: Grid  # [3] of what reaches every side alike
    gloss: float  # of the skin


def sample_light(rng: np.random.Generator) -> Light:
    """Draw a light: mostly from above, from soft to hard, warm or cold."""
    direction = np.array(
        [rng.uniform(-0.85, 0.85), rng.uniform(-0.8, 0.1), rng.uniform(0.6, 1.0)]
    )
    soft, level, warmth = rng.uniform(0.3, 0.75), rng.normal(0.95, 0.09), rng.normal(0.03, 0.05)
    tint = np.array([1 + warmth, 1.0, 1 - warmth])
    return Light(
        direction=direction / np.linalg.norm(direction),
        lamp=level * (1 - soft) * 1.3 * tint,
        room=level * soft * (2.0 - tint) * (1.06, 0.98, 0.96),
        gloss=float(rng.uniform(0.03, 0.2)),
    )


def lit(
    head: Head, pose: Pose, marks: Points, units: Units, light: Light, size: int
) -> tuple[Field, Field, Field]:
    """Return how the lamp falls on a face, at half the picture's resolution, then enlarged.

    Returns:
        Three fields [size, size], the lamp's light on the skin, its light on hair and clothes
        (1 where it falls at a right angle), and the gloss on the skin, 0..1.
    """
    grid = max(size // 2, 32)
    points = face_coordinates(head, pose, grid)
    z = depth(points, head) + _relief(points, marks, units)
    skin = _normals(_towards_camera(points, z, pose), 1.0 / (pose.unit * grid))
    around = _normals(_shell(points, head), 1.0 / (pose.unit * grid))
    half = light.direction + np.array([0.0, 0.0, 1.0])
    gloss = np.power(np.maximum(_dot(skin, half / np.linalg.norm(half)), 0.0), 24.0)
    return (
        _enlarged(_wrapped(skin, light), size),
        _enlarged(_wrapped(around, light), size),
        _enlarged(gloss, size),
    )


def _relief(points: Points, marks: Points, units: Units) -> Grid:
    """Return the height of the features over the smooth head, at points [..., 2]."""
    x, y = points[..., 0], points[..., 1]
    height = np.zeros_like(x)
    for centre_x, centre_y, width, length, amount in _bumps(marks, units):
        u, v = (x - centre_x) / width, (y - centre_y) / length
        bell = 1.0 / (1.0 + u * u + v * v)
        height += amount * bell * bell
    return np.asarray(height)


def _bumps(marks: Points, units: Units) -> list[tuple[float, float, float, float, float]]:
    """Return what rises or sinks: x, y, width, length, height, all in face units."""
    (tip_x, tip_y), (chin_x, chin_y) = marks[30], marks[8]
    upper, lower = marks[51], marks[57]
    bumps = [
        (tip_x, tip_y - 0.2, 0.09, 0.3, 0.09),
        (tip_x, tip_y, 0.12, 0.11, 0.12),
        (0.0, -0.04, 0.12, 0.12, -0.025),
        (upper[0], upper[1] + 0.02, 0.28, 0.06, 0.07),
        (lower[0], lower[1] - 0.03, 0.24, 0.07, 0.07),
        (lower[0], lower[1] + 0.09, 0.22, 0.07, -0.05),
        (chin_x, chin_y - 0.14, 0.2, 0.14, 0.08),
    ]
    cheeks, jaws = unit_sides(units, 6, 12), unit_sides(units, 4, 9)
    for side, eye, brow, wing, lift, knit in (
        (-1, marks[36:42].mean(axis=0), marks[19], marks[31], cheeks[0], jaws[0]),
        (1, marks[42:48].mean(axis=0), marks[24], marks[35], cheeks[1], jaws[1]),
    ):
        bumps += [
            (eye[0], eye[1] - 0.02, 0.24, 0.14, -0.08),
            (eye[0], eye[1], 0.16, 0.1, 0.05),
            (brow[0], brow[1] + 0.02, 0.26, 0.08, 0.04),
            (side * 0.09, brow[1] + 0.06, 0.06, 0.09, 0.05 * knit),
            (wing[0], wing[1] - 0.03, 0.06, 0.06, 0.05),
            (side * 0.42, 0.42 - 0.06 * lift, 0.2, 0.17, 0.05 + 0.07 * lift),
        ]
    return bumps


def _towards_camera(points: Points, z: Grid, pose: Pose) -> Grid:
    """Return the depth [n, n] of the turned head, as the camera has it."""
    x, y = points[..., 0], points[..., 1]
    turned = z * np.cos(pose.yaw) * np.cos(pose.pitch) - x * np.sin(pose.yaw)
    return np.asarray(turned + y * np.sin(pose.pitch))


def _shell(points: Points, head: Head) -> Grid:
    """Return a larger, smoother head: the form of hair, neck and shoulders."""
    x, y = points[..., 0] / (head.half_width * 1.5), (points[..., 1] - 0.1) / 1.75
    return np.asarray(1.3 * np.sqrt(np.maximum(1.0 - x * x - y * y, 0.02)))


def _normals(z: Grid, spacing: float) -> Grid:
    """Return unit normals [n, n, 3] of a height field with this distance between samples."""
    down, right = np.gradient(z, spacing)
    normals = np.stack([-right, -down, np.ones_like(z)], axis=-1)
    normals /= np.sqrt(1.0 + right * right + down * down)[..., None]
    return np.asarray(normals)


def _dot(normals: Grid, direction: Grid) -> Grid:
    x, y, z = (float(part) for part in direction)
    return np.asarray(normals[..., 0] * x + normals[..., 1] * y + normals[..., 2] * z)


def _wrapped(normals: Grid, light: Light) -> Grid:
    """Return Lambert's cosine, wrapped a little around the form as skin scatters light."""
    return np.asarray(np.maximum((_dot(normals, light.direction) + 0.25) / 1.25, 0.0))


def _enlarged(field: Grid, size: int) -> Field:
    image = Image.fromarray(field.astype(np.float32))
    return np.asarray(image.resize((size, size), Image.Resampling.BILINEAR))
