"""What a person looks like beyond the shape of the head: colours, hair, beard, glasses, age."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from mien.data.portrait.canvas import Colour, blend

# Palettes are sRGB, 0..255, neighbours being alike so that a mixture of two is natural.
SKINS = ((232, 196, 174), (222, 178, 149), (204, 154, 119), (181, 128, 92), (138, 92, 64),
         (98, 64, 47))  # fmt: skip
HAIRS = ((22, 19, 20), (42, 30, 25), (72, 48, 34), (108, 72, 44), (150, 106, 62),
         (196, 158, 100), (222, 190, 138))  # fmt: skip
IRISES = ((52, 34, 24), (84, 54, 32), (116, 88, 48), (92, 112, 74), (100, 124, 136),
          (86, 118, 160))  # fmt: skip
RED_HAIR, GREY_HAIR = (140, 66, 34), (176, 174, 172)

HAIR_STYLES = (
    "short",
    "parted",
    "fringe",
    "long",
    "curly",
    "receding",
    "bald",
    "tied",
    "scarf",
)
HAIR_OFTEN = (0.2, 0.14, 0.13, 0.18, 0.1, 0.07, 0.05, 0.08, 0.05)


@dataclass(frozen=True)
class Looks:
    """One person's colours and what grows on or is worn on the face."""

    skin: Colour
    lips: Colour
    iris: Colour
    hair: Colour
    brows: Colour
    clothes: Colour
    hair_style: str  # one of HAIR_STYLES
    parting: float  # x where the hair parts, face units
    volume: float  # thickness of the hair, 1 is usual
    brow_weight: float  # thickness of the brows, 1 is usual
    age: float  # 0 is a smooth face, 1 a lined one
    freckles: float  # opacity, 0..1
    beard: float  # length of the facial hair, 0 is shaved, 1 is full
    moustache: float  # opacity, 0..1
    lashes: float  # opacity of lashes and lid line, 0..1
    glasses: str | None  # `round`, `square`, or none
    frame: Colour  # of the glasses

    def in_white(self) -> Looks:
        """Return the same person all in white, for masks."""
        white = np.full(3, 1e4)  # stays white when a part is painted in a darker shade of it
        return replace(self, skin=white, hair=white, clothes=white)


def sample_looks(rng: np.random.Generator) -> Looks:
    """Draw one person's looks; nothing in them depends on the expression."""
    age = float(rng.uniform()) ** 1.7
    tone = float(rng.uniform())
    skin = _mixed(SKINS, tone) * rng.normal(1.0, 0.02, 3)
    hair = _hair_colour(tone, age, rng)
    style = str(rng.choice(HAIR_STYLES, p=HAIR_OFTEN))
    bearded = float(rng.uniform()) < 0.22 and style not in ("scarf", "tied")
    return Looks(
        skin=skin,
        lips=blend(skin * 0.86, (176, 62, 72), float(rng.uniform(0.15, 0.55))),
        iris=_mixed(IRISES, float(rng.uniform()) ** (1.0 + 2.0 * tone)),
        hair=_cloth(rng) if style == "scarf" else hair,
        brows=blend(hair * 0.75, skin * 0.35, 0.3),
        clothes=_cloth(rng),
        hair_style=style,
        parting=float(rng.uniform(-0.35, 0.35)),
        volume=float(rng.uniform(0.7, 1.35)),
        brow_weight=float(rng.uniform(0.7, 1.35)),
        age=age,
        freckles=float(rng.uniform(0.25, 0.6)) if rng.uniform() < 0.15 else 0.0,
        beard=float(rng.uniform(0.15, 1.0)) if bearded else 0.0,
        moustache=float(rng.uniform(0.3, 0.9)) if bearded and rng.uniform() < 0.7 else 0.0,
        lashes=float(rng.uniform(0.45, 1.0)),
        glasses=str(rng.choice(("round", "square"))) if rng.uniform() < 0.16 else None,
        frame=_cloth(rng) * 0.45,
    )


def _mixed(palette: tuple[tuple[int, int, int], ...], position: float) -> Colour:
    """Return the colour at a position in [0, 1] along a palette."""
    stops = np.asarray(palette, dtype=float)
    along = np.linspace(0.0, 1.0, len(stops))
    return np.array([np.interp(position, along, stops[:, channel]) for channel in range(3)])


def _hair_colour(tone: float, age: float, rng: np.random.Generator) -> Colour:
    """Return a hair colour that goes with a skin tone (0 light, 1 deep) and an age."""
    light, red, grey = rng.uniform(size=3)
    colour = _mixed(HAIRS, float(light) * (1.0 - 0.85 * min(1.0, tone * 1.6)))
    if red < 0.12 * (1.0 - tone):
        colour = blend(colour, RED_HAIR, 0.8)
    return blend(colour, GREY_HAIR, max(0.0, age - 0.45) * 1.7 * float(grey) ** 0.5)


def _cloth(rng: np.random.Generator) -> Colour:
    """Return a muted colour: a grey with some of a saturated hue."""
    grey = np.full(3, rng.uniform(25, 215))
    return blend(grey, tuple(rng.uniform(10, 240, 3)), float(rng.uniform(0.1, 0.6)))
