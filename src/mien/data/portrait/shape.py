"""One person's face shape and pose, and the projection from face coordinates to pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.data.portrait.landmarks import Points, landmarks_at_rest


@dataclass(frozen=True)
class Head:
    """The shape of one person's head, in face coordinates."""

    landmarks: Points  # [68, 2], at rest
    half_width: float  # at the cheekbones
    crown: float  # y of the top of the skull, negative


@dataclass(frozen=True)
class Pose:
    """Where the head is, how it is turned, and where the eyes look."""

    yaw: float  # radians; positive turns the nose to the right of the picture
    pitch: float  # radians; positive looks up
    roll: float  # radians; positive tilts the head clockwise
    unit: float  # pixels per face unit, relative to the picture's side
    centre: tuple[float, float]  # of the eye line, relative to the picture's side
    gaze: tuple[float, float]  # of the irises, right and down, face units


def sample_head(rng: np.random.Generator) -> Head:
    """Draw the shape of one person's head and of the face at rest."""
    points = landmarks_at_rest()
    wide, jaw, chin = rng.normal(1.0, (0.055, 0.08, 0.035))
    points[:17, 0] *= wide * (1 + (jaw - 1) * np.sin(np.linspace(0, np.pi, 17)) ** 2)
    points[3:14, 1] *= chin
    _vary(points[17:27], rng, about=(0.0, -0.25), scale_sd=(0.04, 0.25), shift_sd=0.022)
    _vary(points[27:36], rng, about=(0.0, 0.0), scale_sd=(0.13, 0.05), shift_sd=0.0)
    _vary_eyes(points, rng)
    _vary(points[48:68], rng, about=(0.0, 0.74), scale_sd=(0.07, 0.14), shift_sd=0.02)
    points[[48, 54, 60, 64], 1] += rng.normal(0.0, 0.012)  # corners hang or rise at rest
    points += rng.normal(0.0, 0.004, points.shape)  # nobody is symmetric
    return Head(points, float(0.74 * wide), float(rng.normal(-1.1, 0.03)))


def sample_pose(rng: np.random.Generator) -> Pose:
    """Draw a pose as loose crops of found photographs have it."""
    yaw, pitch, roll = np.clip(rng.normal(0.0, (0.13, 0.07, 0.09)), -0.28, 0.28)
    x, y = rng.normal((0.5, 0.43), 0.018)
    unit = float(rng.uniform(0.36, 0.425))
    right, down = rng.normal(0.0, (0.022, 0.01))
    gaze = (float(right), float(down))
    return Pose(float(yaw), float(pitch), float(roll), unit, (float(x), float(y)), gaze)


def depth(points: Points, head: Head) -> Points:
    """Return how far points [..., 2] lie in front of the plane of the ears, face units."""
    x, y = points[..., 0], points[..., 1]
    radius2 = (x / (head.half_width * 1.1)) ** 2 + ((y - 0.05) / 1.3) ** 2
    nose = 0.22 * np.exp(-((x / 0.11) ** 2) - ((y - 0.38) / 0.2) ** 2)
    return np.asarray(0.7 * np.sqrt(np.maximum(1.0 - radius2, 0.0)) + nose)


def project(points: Points, head: Head, pose: Pose, size: int) -> Points:
    """Return where points [n, 2] of the face lie in a picture: pixels [n, 2], x and y.

    The head turns about its vertical, then its horizontal axis, is seen from afar, and then
    tilts in the picture. The upper left corner of the picture is (0, 0).
    """
    z = depth(points, head)
    x = points[:, 0] * np.cos(pose.yaw) + z * np.sin(pose.yaw)
    y = points[:, 1] * np.cos(pose.pitch) - z * np.sin(pose.pitch)
    return _placed(np.stack([x, y], axis=1), pose, size)


def face_coordinates(head: Head, pose: Pose, size: int) -> Points:
    """Return the face coordinates [size, size, 2] of a picture's pixel centres.

    Inverts `project` by fixed-point iteration: exact to about 0.01 within the face, which is
    enough for light and texture.
    """
    axis = (np.arange(size) + 0.5) / size
    x = (axis[None, :] - pose.centre[0]) / pose.unit
    y = (axis[:, None] - pose.centre[1]) / pose.unit
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    seen = np.stack([x * cos + y * sin, y * cos - x * sin], axis=-1)
    tilt = np.array([np.cos(pose.yaw), np.cos(pose.pitch)])
    lean = np.array([np.sin(pose.yaw), -np.sin(pose.pitch)])
    points = seen / tilt
    for _ in range(2):
        points = (seen - depth(points, head)[..., None] * lean) / tilt
    return np.asarray(points)


def _placed(seen: Points, pose: Pose, size: int) -> Points:
    cos, sin = np.cos(pose.roll), np.sin(pose.roll)
    rotated = seen @ np.array([[cos, sin], [-sin, cos]])
    return np.asarray((rotated * pose.unit + pose.centre) * size)


def _vary(
    part: Points,
    rng: np.random.Generator,
    about: tuple[float, float],
    scale_sd: tuple[float, float],
    shift_sd: float,
) -> None:
    """Scale a view of some landmarks about a point, and shift it up or down, in place."""
    scale = np.clip(rng.normal(1.0, scale_sd), 0.6, 1.4)
    part[:] = (part - about) * scale + about
    part[:, 1] += rng.normal(0.0, shift_sd)


def _vary_eyes(points: Points, rng: np.random.Generator) -> None:
    apart, large, opening, slant = rng.normal((1, 1, 1, 0), (0.03, 0.05, 0.12, 0.04))
    for side, eye in ((-1, points[36:42]), (1, points[42:48])):
        centre = eye.mean(axis=0)
        eye[:] = (eye - centre) * (large, large * opening) + centre * (apart, 1.0)
        eye[:, 1] -= side * slant * (eye[:, 0] - eye[:, 0].mean())
