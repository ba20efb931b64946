"""Where the bits of a picture go: the estimate of every place of y, beside the picture.

raw | map of each strategy that has a codec of its own       one row per face
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray

from mien.expressions import EXPRESSIONS
from mien.report.style import PAGE_CM, new_figure

MOST_SIDE_CM = 3.2
ROW_TEXT_CM, HEADER_CM, BAR_CM = 0.9, 0.5, 1.7


@dataclass(frozen=True)
class BitMap:
    """The estimated bits of one picture by one codec."""

    y: NDArray[np.float64]  # [H/16, W/16], bits of a place over its channels
    z: float  # bits of the side information, which has no such place

    @property
    def total(self) -> float:
        """What the likelihoods say that the whole stream needs, bits."""
        return float(self.y.sum()) + self.z


@dataclass(frozen=True)
class Mapped:
    """One test face and where each strategy's codec spends its bits."""

    label: int  # 0..7
    raw: NDArray[np.uint8]  # [H, W, 3]
    maps: dict[str, BitMap]  # by strategy


def bit_maps(faces: list[Mapped]) -> Figure:
    """Draw one row per face, all maps on one scale from 0."""
    columns = 1 + len(faces[0].maps)
    side = min(MOST_SIDE_CM, (PAGE_CM - BAR_CM) / columns)
    height = HEADER_CM + len(faces) * (side + ROW_TEXT_CM)
    figure = new_figure(columns * side + BAR_CM, height)
    panels = figure.subplots(len(faces), columns, squeeze=False)
    most = max(found.y.max() for face in faces for found in face.maps.values())
    for row, face in zip(panels, faces, strict=True):
        drawn = _draw_row(row, face, most)
    for axes, name in zip(panels[0], ("raw", *faces[0].maps), strict=True):
        axes.set_title(name, fontsize=7, pad=3)
    place = faces[0].raw.shape[0] // next(iter(faces[0].maps.values())).y.shape[0]
    gap = "\n" if len(faces) == 1 else " "  # in one line it is longer than one row is high
    unit = f"Estimated bits per latent position{gap}({place}x{place} pixels)"
    figure.colorbar(drawn, ax=panels, label=unit, shrink=0.8, aspect=30, pad=0.02)
    return figure


def _draw_row(row: NDArray[np.object_], face: Mapped, most: float) -> AxesImage:
    """Draw a face and its maps, as large as the face; return the last map."""
    height, width = face.raw.shape[:2]
    _picture(row[0], face.raw, f"labelled\n{EXPRESSIONS[face.label]}")
    for axes, found in zip(row[1:], face.maps.values(), strict=True):
        rate = found.total / (height * width)
        text = f"y {found.y.sum():,.0f} + z {found.z:,.0f} bits\n{rate:.3f} bit/px"
        drawn = _picture(axes, found.y, text)
        drawn.set(cmap="magma", clim=(0, most), extent=(0, width, height, 0))
    return drawn


def _picture(axes: Axes, picture: NDArray[np.generic], text: str) -> AxesImage:
    drawn = axes.imshow(picture, interpolation="nearest")
    axes.set(xticks=[], yticks=[])
    axes.grid(False)
    axes.spines[:].set_visible(False)
    axes.set_xlabel(text, labelpad=2)
    return drawn
