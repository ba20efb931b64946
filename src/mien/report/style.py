"""How figures look and how they are saved: the same data give the same bytes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import matplotlib.style
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from mien.files import replacing

STYLE_SHEET = Path(__file__).with_name("mien.mplstyle")
COLUMN_CM = 8.8
PAGE_CM = 18.2
CM_PER_INCH = 2.54

# matplotlib's petroff6, which survives colour blindness best (arXiv 2107.02270); brown is of
# petroff10: petroff6's purple and red are one grey in print
BLUE, ORANGE, RED = "#5790fc", "#f89c20", "#e42536"
BROWN, GREY, VIOLET = "#a96b59", "#9c9ca1", "#7a21dd"

# Dates and program versions would make equal figures differ.
_METADATA = {
    "pdf": {"CreationDate": None, "Creator": None, "Producer": None},
    "png": {"Software": None},
}


Dash = tuple[float, tuple[float, ...]] | Literal["-"]  # offset and lengths on, off, in points


@dataclass(frozen=True)
class Look:
    """One method in every figure: the marker and the dash tell it apart without the colour."""

    color: str
    marker: str
    dash: Dash
    width: float = 1.2  # of the line, points


LOOKS = {
    "pretrained": Look(BLUE, "o", (0, (1.2, 1.2))),
    "compression-only": Look(ORANGE, "s", (0, (5, 1.5, 1.2, 1.5))),
    "joint": Look(RED, "^", "-"),
    "codec-rd": Look(GREY, "D", (0, (3, 1.2))),
    "classifier-raw": Look(BROWN, "v", (0, (1.2, 2.4))),
    "classifier-decoded": Look(VIOLET, "P", (0, (5, 1.2, 1.2, 1.2, 1.2, 1.2))),
}
# Everything else, such as classic codecs, in order: thin lines and markers that are lines too,
# in colours that petroff10 has left and darker ones.
THIN = 0.7
OTHER_COLORS = ("#717581", "#222222", "#b9ac70", "#e76300", "#3f90da", "#1a7a4c")
OTHER_MARKERS = ("x", "+", "1", "2", "3", "4", "|")  # one more than colours: 42 pairs
RAW_DASH, RAW_COLOR = (0, (4, 2)), "0.35"


def looks_of(strategies: Sequence[str]) -> dict[str, Look]:
    """Return how each strategy looks: its own way, or the next thin one of the others."""
    others = [strategy for strategy in strategies if strategy not in LOOKS]
    thin = {strategy: _other_look(place) for place, strategy in enumerate(others)}
    return {strategy: LOOKS.get(strategy) or thin[strategy] for strategy in strategies}


def _other_look(place: int) -> Look:
    color = OTHER_COLORS[place % len(OTHER_COLORS)]
    return Look(color, OTHER_MARKERS[place % len(OTHER_MARKERS)], "-", THIN)


@contextmanager
def applied() -> Iterator[None]:
    """Use the style sheet on top of matplotlib's defaults, whatever the user's own settings."""
    with matplotlib.style.context(["default", str(STYLE_SHEET)]):
        yield


def new_figure(width_cm: float, height_cm: float) -> Figure:
    """Return an empty figure of that size on paper."""
    figure = Figure(figsize=(width_cm / CM_PER_INCH, height_cm / CM_PER_INCH))
    FigureCanvasAgg(figure)
    return figure


def save(figure: Figure, stem: Path) -> None:
    """Write `<stem>.pdf` and `<stem>.png`, without dates."""
    for suffix, metadata in _METADATA.items():
        with replacing(stem.with_name(f"{stem.name}.{suffix}")) as temporary:
            figure.savefig(temporary, format=suffix, metadata=metadata)
