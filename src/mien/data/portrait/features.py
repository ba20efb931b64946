"""The parts of a face, painted flat: light and skin come on top of them.

`marks` are the landmarks [68, 2] of the face as it is, in face coordinates.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mien.data.portrait.canvas import Canvas, blend, curve, ellipse, shifted
from mien.data.portrait.landmarks import Points
from mien.data.portrait.looks import Looks
from mien.data.portrait.shape import Head

IRIS_RADIUS = 0.074
DARK = np.array([38.0, 24.0, 22.0])


def head_outline(marks: Points, head: Head) -> Points:
    """Return the outline of the face and the skull above it [n, 2]."""
    angle = np.linspace(0.0, np.pi, 11)[1:-1]
    round_ = np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.85
    top = np.mean(marks[[0, 16], 1])
    right, left = marks[16, 0], marks[0, 0]
    x = (right + left) / 2 + (right - left) / 2 * round_ * 1.02
    y = top + (head.crown - top) * np.sin(angle) ** 0.85
    return curve(np.concatenate([marks[:17], np.stack([x, y], axis=1)]), closed=True, steps=4)


def paint_body(canvas: Canvas, head: Head, looks: Looks) -> None:
    """Paint neck, shoulders and ears."""
    covered = looks.hair_style == "scarf"
    neck = np.array([[-0.46, 0.55], [-0.44, 1.3], [-0.6, 2.2], [0.6, 2.2], [0.44, 1.3],
                     [0.46, 0.55]])  # fmt: skip
    canvas.fill(neck, looks.hair * 0.8 if covered else looks.skin * 0.8)
    left = np.array([[-2.2, 2.2], [-1.9, 1.6], [-1.2, 1.42], [-0.5, 1.3], [-0.25, 1.52],
                     [0.0, 1.6]])  # fmt: skip
    canvas.fill(curve(np.concatenate([left, left[-2::-1] * (-1, 1)])), looks.clothes)
    for side in (-1, 1):
        ear = np.array([side * head.half_width * 1.03, 0.13])
        canvas.fill(ellipse(ear, (0.085, 0.2)), looks.skin * (0.93, 0.86, 0.84))
        canvas.stroke(
            ellipse(ear, (0.045, 0.13))[4:24], looks.skin * 0.62, width=0.025, opacity=0.5
        )


def paint_skin_marks(canvas: Canvas, looks: Looks, rng: np.random.Generator) -> None:
    """Paint freckles and moles on the cheeks and the nose."""
    spots = rng.normal((0.0, 0.3), (0.32, 0.12), (40, 2))
    sizes = rng.uniform(0.006, 0.013, 40)
    moles = rng.uniform((-0.5, -0.5), (0.5, 1.0), (3, 2))
    if looks.freckles > 0:
        dots = np.stack([spots, spots + sizes[:, None] * (0.8, 0.3)], axis=1)
        tones = np.tile(looks.skin * 0.62, (len(dots), 1))
        canvas.strokes(dots, tones, width=0.016, opacity=looks.freckles)
    if looks.age > 0.3:
        for mole in moles:
            canvas.fill(ellipse(mole, (0.012, 0.011), 10), looks.skin * 0.5, 0.6)


def paint_nose(canvas: Canvas, marks: Points, looks: Looks) -> None:
    """Paint the nostrils and the lower edge of the nose."""
    shade = looks.skin * (0.5, 0.38, 0.36)
    wings = marks[[31, 32, 33, 34, 35]]
    canvas.stroke(curve(shifted(wings, 0.0, 0.018)), shade, width=0.022, opacity=0.35)
    for nostril, side in ((marks[32], -1), (marks[34], 1)):
        canvas.fill(
            ellipse(shifted(nostril, side * 0.008, 0.0), (0.036, 0.019)), shade * 0.6, 0.75
        )
    for wing, side in ((marks[31], -1), (marks[35], 1)):
        bow = np.array([[-0.01, -0.085], [0.03, -0.05], [0.035, 0.0], [0.0, 0.025]])
        canvas.stroke(curve(wing + bow * (side, 1)), shade, width=0.016, opacity=0.35)


def paint_brows(canvas: Canvas, marks: Points, looks: Looks, rng: np.random.Generator) -> None:
    """Paint both brows: a ground and hairs that lean outwards."""
    for brow, side in ((marks[17:22], -1), (marks[22:27][::-1], 1)):
        middle = curve(brow, steps=5)  # from the outer end to the inner one
        along = np.linspace(0.0, 1.0, len(middle))
        half = 0.034 * looks.brow_weight * np.minimum(1.0, 0.25 + 1.3 * along)
        up = np.stack([np.zeros_like(half), half], axis=1)
        outline = np.concatenate([middle - up, (middle + up)[::-1]])
        canvas.fill(outline, looks.brows, 0.7)
        roots = rng.integers(0, len(middle), 34)
        level = rng.uniform(-1.0, 1.0, 34) * half[roots]
        root = middle[roots] + np.stack([0 * level, level], axis=1)
        lean = np.stack([side * rng.uniform(0.015, 0.04, 34), rng.normal(-0.008, 0.01, 34)], 1)
        hairs = np.stack([root, root + lean], axis=1)
        canvas.strokes(hairs, looks.brows * rng.lognormal(-0.1, 0.25, (34, 1)), 0.011, 0.6)


def paint_lips(canvas: Canvas, marks: Points, looks: Looks) -> None:
    """Paint both lips around the opening, and the line where they meet."""
    upper, lower = curve(marks[48:55]), curve(marks[[54, 55, 56, 57, 58, 59, 48]])
    above, below = mouth_opening(marks)
    canvas.fill(np.concatenate([upper, above[::-1]]), looks.lips * 0.88)
    canvas.fill(np.concatenate([lower, below[::-1]]), looks.lips)
    meeting = np.concatenate([marks[48:49], above, marks[54:55]])
    canvas.stroke(meeting, looks.lips * 0.35, width=0.016, opacity=0.75)
    canvas.stroke(np.concatenate([below, above[:1]]), looks.lips * 0.4, width=0.01, opacity=0.5)
    canvas.stroke(shifted(lower[3:-3], 0.0, 0.012), looks.skin * 0.6, width=0.02, opacity=0.3)


def mouth_opening(marks: Points) -> tuple[Points, Points]:
    """Return the inner edges of the upper lip (left to right) and of the lower (back)."""
    return curve(marks[60:65]), curve(marks[[64, 65, 66, 67, 60]])


def eye_openings(marks: Points) -> tuple[tuple[Points, Points], tuple[Points, Points]]:
    """Return the upper and the lower lid of both eyes, each from left to right."""
    left = curve(marks[36:40]), curve(marks[[36, 41, 40, 39]])
    right = curve(marks[42:46]), curve(marks[[42, 47, 46, 45]])
    return left, right


def paint_openings(mask: Canvas, marks: Points) -> None:
    """Paint white where eyes and mouth are open."""
    for upper, lower in eye_openings(marks):
        mask.fill(np.concatenate([upper, lower[::-1]]), 255.0)
    above, below = mouth_opening(marks)
    if np.max(marks[[65, 66, 67], 1] - marks[[63, 62, 61], 1]) > 0.006:
        mask.fill(np.concatenate([above, below]), 255.0)


def paint_behind_openings(
    canvas: Canvas, marks: Points, rest: Points, looks: Looks, gaze: tuple[float, float]
) -> None:
    """Paint what the openings show: the mouth's inside, teeth, tongue, and the eyeballs.

    Args:
        rest: Landmarks at rest: eyeballs do not move with the lids.
        gaze: How far the irises look right and down, face units.
    """
    _paint_mouth_inside(canvas, marks)
    for numbers in (slice(36, 42), slice(42, 48)):
        centre = rest[numbers].mean(axis=0)
        canvas.fill(ellipse(centre, (0.22, 0.17)), np.array([224.0, 216.0, 211.0]))
        _paint_iris(canvas, centre + gaze, looks)
    for upper, _ in eye_openings(marks):  # the upper lid and its lashes darken the eyeball
        canvas.stroke(shifted(upper, 0.0, 0.012), DARK, width=0.05, opacity=0.35)


def paint_lids(canvas: Canvas, marks: Points, rest: Points, looks: Looks) -> None:
    """Paint lid edges, lashes and the crease of the upper lid."""
    fold = looks.skin * (0.55, 0.43, 0.4)
    for (upper, lower), (upper_at_rest, _) in zip(
        eye_openings(marks), eye_openings(rest), strict=True
    ):
        arch = np.sin(np.linspace(0, np.pi, len(upper)))[:, None]
        lash = np.concatenate([shifted(upper, 0.0, 0.004), (upper - (0.0, 0.022) * arch)[::-1]])
        canvas.fill(lash, DARK, 0.35 + 0.6 * looks.lashes)
        canvas.stroke(lower, fold * 0.8, width=0.012, opacity=0.3 + 0.3 * looks.lashes)
        crease = np.minimum(upper, upper * 0.35 + upper_at_rest * 0.65) - (0.0, 0.055) * arch
        canvas.stroke(crease, fold, width=0.016, opacity=0.5)


def paint_glasses(canvas: Canvas, rest: Points, looks: Looks) -> None:
    """Paint glasses, if any, where they sit on the face at rest."""
    if looks.glasses is None:
        return
    power = 1.0 if looks.glasses == "round" else 0.55
    angle = np.linspace(0, 2 * np.pi, 37)
    rim = np.stack(
        [_power(np.cos(angle), power) * 0.235, _power(np.sin(angle), power) * 0.17], 1
    )
    for numbers, side in ((slice(36, 42), -1), (slice(42, 48), 1)):
        lens = rim + shifted(rest[numbers].mean(axis=0), side * 0.01, 0.03)
        canvas.fill(lens, np.full(3, 235.0), 0.07)
        canvas.stroke(lens, looks.frame, width=0.026, opacity=0.95)
        hinge = lens[np.argmax(side * lens[:, 0])] - (0.0, 0.03)
        canvas.stroke(np.array([hinge, [side * 0.76, -0.03]]), looks.frame, 0.026, 0.95)
    bridge = np.array([[-0.11, 0.02], [0.0, -0.015], [0.11, 0.02]])
    canvas.stroke(curve(bridge), looks.frame, width=0.024, opacity=0.95)


def _paint_mouth_inside(canvas: Canvas, marks: Points) -> None:
    above, below = mouth_opening(marks)
    below = below[::-1]
    canvas.fill(
        np.concatenate([shifted(above, 0, -0.03), shifted(below[::-1], 0, 0.03)]),
        DARK * (1.6, 0.8, 0.8),
    )
    gap = np.maximum(below[:, 1:] - above[:, 1:], 0.0)
    bow = np.sin(np.linspace(0, np.pi, len(above)))[:, None]
    tongue = below - np.minimum(0.55 * gap, 0.12) * bow * (0.0, 1.0)
    canvas.fill(
        np.concatenate([tongue, shifted(below[::-1], 0, 0.02)]), np.array([168.0, 84.0, 84.0])
    )
    seen = np.clip(np.max(gap) / 0.09, 0.0, 1.0)  # lips that are just apart keep teeth dark
    enamel = blend(DARK, (232, 225, 212), float(seen))
    teeth = above + np.minimum(0.4 * gap + 0.012, 0.06) * bow**0.5 * (0.0, 1.0)
    canvas.fill(np.concatenate([shifted(above, 0, -0.02), teeth[::-1]]), enamel)


def _paint_iris(canvas: Canvas, centre: Points, looks: Looks) -> None:
    r = IRIS_RADIUS
    canvas.fill(ellipse(centre, (r, r)), looks.iris * 0.55)
    canvas.fill(ellipse(centre, (r * 0.86, r * 0.86)), looks.iris)
    canvas.fill(
        ellipse(shifted(centre, 0, r * 0.3), (r * 0.6, r * 0.45)),
        blend(looks.iris, (255, 240, 210), 0.25),
        0.6,
    )
    canvas.fill(ellipse(centre, (r * 0.42, r * 0.42)), DARK * 0.4)
    canvas.fill(
        ellipse(shifted(centre, -r * 0.35, -r * 0.4), (r * 0.2, r * 0.2), 12),
        np.full(3, 250.0),
        0.9,
    )


def _power(value: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    return np.asarray(np.sign(value) * np.abs(value) ** exponent)
