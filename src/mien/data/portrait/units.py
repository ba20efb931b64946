"""What a face does: FACS action units with intensities, and the expressions made of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mien.expressions import EXPRESSIONS

# Action unit -> intensity on the left and on the right of the picture, both in [0, 1].
Units = dict[int, tuple[float, float]]

# (action unit, intensity relative to the expression's, how often it takes part). The first
# units are the prototypes of Ekman and Friesen's FACS; those that take part less often are
# what people add: a laugh opens the mouth, grief pushes the chin up.
RECIPES: dict[str, tuple[tuple[int, float, float], ...]] = {
    "neutral": (),
    "happy": ((6, 0.9, 0.95), (12, 1.0, 1.0), (25, 0.8, 0.5), (26, 0.35, 0.25)),
    "sad": ((1, 1.0, 0.95), (4, 0.55, 0.85), (15, 1.0, 0.95), (17, 0.7, 0.5)),
    "surprise": ((1, 1.0, 1.0), (2, 1.0, 1.0), (5, 0.8, 0.9), (25, 0.7, 0.9), (26, 0.9, 0.85)),
    "fear": (
        (1, 1.0, 1.0),
        (2, 0.5, 0.8),
        (4, 0.7, 0.9),
        (5, 1.0, 0.95),
        (7, 0.4, 0.6),
        (20, 1.0, 0.95),
        (25, 0.6, 0.8),
        (26, 0.4, 0.6),
    ),
    "disgust": (
        (9, 1.0, 1.0),
        (10, 0.9, 0.95),
        (15, 0.5, 0.7),
        (17, 0.4, 0.4),
        (25, 0.4, 0.3),
    ),
    "anger": (
        (4, 1.0, 1.0),
        (5, 0.4, 0.6),
        (7, 0.8, 0.9),
        (23, 1.0, 0.9),
        (10, 0.4, 0.2),
        (25, 0.6, 0.2),
    ),
    "contempt": ((12, 0.95, 1.0), (14, 1.15, 1.0)),
}
UNITS = tuple(sorted({unit for recipe in RECIPES.values() for unit, _, _ in recipe}))

# Valence and arousal at full intensity: where the class lies on Russell's circumplex.
CIRCUMPLEX: dict[str, tuple[float, float]] = {
    "neutral": (0.0, 0.0),
    "happy": (0.85, 0.35),
    "sad": (-0.75, -0.3),
    "surprise": (0.2, 0.85),
    "fear": (-0.55, 0.85),
    "disgust": (-0.75, 0.45),
    "anger": (-0.6, 0.75),
    "contempt": (-0.6, 0.35),
}
ANNOTATOR_SD = 0.06  # two annotators of one picture rarely write the same number
RESIDUAL = 0.16  # strongest activation that means nothing, in every class
RESIDUAL_OFTEN = 0.35


@dataclass(frozen=True)
class Act:
    """One expression on one face: its action units, and the annotations they deserve."""

    units: Units
    valence: float  # [-1, 1]
    arousal: float  # [-1, 1]


def sample_act(label: int, rng: np.random.Generator) -> Act:
    """Draw how one person shows an expression: the intensity, the units, the two sides.

    Intensities are spread over [0.15, 1], weak ones as common as strong ones, so that
    neighbouring classes overlap at the weak end.

    Args:
        label: AffectNet's code, 0..7.
        rng: The stream of this picture's expression.
    """
    name = EXPRESSIONS[label]
    intensity = 0.15 + 0.85 * float(rng.beta(1.4, 1.2))
    units = _residual(rng)
    for unit, weight, often in RECIPES[name]:
        strength = intensity * weight * float(rng.uniform(0.75, 1.2))
        takes_part = float(rng.uniform()) < often
        both = _two_sided(strength if takes_part else 0.0, rng)
        units[unit] = _stronger(units[unit], both)
    if name == "contempt":
        units = _one_sided(units, rng)
    valence, arousal = _annotated(name, intensity, rng)
    return Act(units, valence, arousal)


def unit_sides(units: Units, *numbers: int) -> tuple[float, float]:
    """Return the strongest intensity among some action units on either side."""
    left = max(units.get(number, (0.0, 0.0))[0] for number in numbers)
    right = max(units.get(number, (0.0, 0.0))[1] for number in numbers)
    return left, right


def _residual(rng: np.random.Generator) -> Units:
    present = rng.uniform(size=len(UNITS)) < RESIDUAL_OFTEN
    strength = rng.uniform(0.0, RESIDUAL, len(UNITS)) * present
    return {
        number: _two_sided(float(s), rng) for number, s in zip(UNITS, strength, strict=True)
    }


def _two_sided(strength: float, rng: np.random.Generator) -> tuple[float, float]:
    left, right = np.clip(strength * rng.normal(1.0, 0.07, 2), 0.0, 1.0)
    return float(left), float(right)


def _stronger(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    return max(a[0], b[0]), max(a[1], b[1])


def _one_sided(units: Units, rng: np.random.Generator) -> Units:
    """Take units 12 and 14 from one side of the mouth: the mark of contempt."""
    other = float(rng.uniform(0.0, 0.15))
    on_left = float(rng.uniform()) < 0.5
    gains = (1.0, other) if on_left else (other, 1.0)
    return {
        number: (left * gains[0], right * gains[1]) if number in (12, 14) else (left, right)
        for number, (left, right) in units.items()
    }


def _annotated(name: str, intensity: float, rng: np.random.Generator) -> tuple[float, float]:
    written = np.multiply(CIRCUMPLEX[name], intensity) + rng.normal(0.0, ANNOTATOR_SD, 2)
    valence, arousal = np.clip(written, -1.0, 1.0)
    return float(valence), float(arousal)
