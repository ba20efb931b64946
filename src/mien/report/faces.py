"""Fig. 4: the same faces decoded by every strategy at low, medium and high rate.

raw | strategy | low  medium  high      one block like this per face
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from mien.expressions import EXPRESSIONS
from mien.report.captions import shown_rates
from mien.report.statistics import Statistics
from mien.report.style import PAGE_CM, new_figure

RATE_NAMES = {
    1: ("",),
    2: ("low rate", "high rate"),
    3: ("low rate", "medium rate", "high rate"),
}
RIGHT, WRONG = "0.25", "#c01528"

# Lengths in cm. The layout is fixed so that every face has the same size.
MOST_SIDE, GAP, NAME, BLOCK_GAP, HEADER, TEXT = 2.4, 0.12, 0.4, 0.35, 0.45, 0.85


@dataclass(frozen=True)
class Crop:
    """One face as one run decoded it."""

    picture: NDArray[np.uint8]  # [H, W, 3]
    bpp: float  # bit/pixel of this picture
    prediction: int  # 0..7, of this run's classifier


@dataclass(frozen=True)
class Face:
    """One test face and what became of it."""

    label: int  # 0..7
    raw: NDArray[np.uint8]  # [H, W, 3]
    crops: dict[tuple[str, str], Crop]  # by strategy and setting


@dataclass(frozen=True)
class _Page:
    """A figure that is laid out in cm from its upper left corner."""

    figure: Figure
    width: float
    height: float
    side: float  # of a picture

    def picture(self, picture: NDArray[np.uint8], left: float, top: float) -> Axes:
        """Place a picture and return its axes."""
        box = (
            left / self.width,
            1 - (top + self.side) / self.height,
            self.side / self.width,
            self.side / self.height,
        )
        axes = self.figure.add_axes(box)
        axes.imshow(picture)
        axes.set(xticks=[], yticks=[])
        axes.grid(False)
        axes.spines[:].set_visible(False)
        return axes


def decoded_faces(statistics: Statistics, faces: list[Face]) -> Figure:
    """Draw one block per face: strategies down, rates across, the raw face on the left."""
    settings = shown_rates(statistics)
    n_rows = len(_strategies(faces[0]))
    n_across = len(settings) + 1
    spare = PAGE_CM - len(faces) * (NAME + n_across * GAP + BLOCK_GAP)
    side = min(MOST_SIDE, spare / (len(faces) * n_across))
    block = NAME + n_across * (side + GAP) + BLOCK_GAP
    width = len(faces) * block
    height = HEADER + n_rows * (side + TEXT)
    page = _Page(new_figure(width, height), width, height, side)
    page.figure.set_layout_engine("none")
    for i, face in enumerate(faces):
        _draw_raw(page, face, i * block + GAP)
        _draw_crops(page, statistics, face, i * block + NAME + side + 2 * GAP)
    return page.figure


def _draw_raw(page: _Page, face: Face, left: float) -> None:
    axes = page.picture(face.raw, left, (page.height + HEADER - TEXT - page.side) / 2)
    axes.set_title("raw", fontsize=7, pad=3)
    axes.set_xlabel(f"labelled\n{EXPRESSIONS[face.label]}", labelpad=2)


def _draw_crops(page: _Page, statistics: Statistics, face: Face, left: float) -> None:
    settings = shown_rates(statistics)
    names = RATE_NAMES[len(settings)]
    for row, strategy in enumerate(_strategies(face)):
        for column, setting in enumerate(settings):
            crop = face.crops[strategy, setting]
            top = HEADER + row * (page.side + TEXT)
            axes = page.picture(crop.picture, left + column * (page.side + GAP), top)
            _write_result(axes, crop, face.label)
            if row == 0:
                axes.set_title(names[column], fontsize=7, pad=3)
            if column == 0:
                axes.set_ylabel(strategy, fontsize=7, labelpad=2)


def _strategies(face: Face) -> list[str]:
    return list(dict.fromkeys(strategy for strategy, _ in face.crops))


def _write_result(axes: Axes, crop: Crop, label: int) -> None:
    text = f"{crop.bpp:.3f} bit/px\n{EXPRESSIONS[crop.prediction]}"
    if crop.prediction == label:
        axes.set_xlabel(text, color=RIGHT, labelpad=2)
    else:
        axes.set_xlabel(f"{text} ✗", color=WRONG, labelpad=2)
