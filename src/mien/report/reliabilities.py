"""The reliability diagram: how often a classifier is right when it is so sure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mien.report.captions import strategy_name
from mien.report.statistics import Bin, Statistics
from mien.report.style import PAGE_CM, Look, looks_of, new_figure

COLUMNS = 3
PANEL_CM = 5.6  # height of a row of panels
LEGEND_CM = 0.7
BEFORE = "0.45"  # the color of what was not yet divided by the temperature
LARGEST = 60.0  # points squared, of a bin that holds all images


def reliability_diagram(statistics: Statistics) -> Figure:
    """Draw one panel per strategy: its classifier at the middle setting, on decoded images."""
    shown = [name for name in statistics.strategies if name in statistics.reliability]
    rows, columns = math.ceil(len(shown) / COLUMNS), min(COLUMNS, len(shown))
    width = PAGE_CM * columns / COLUMNS
    figure = new_figure(width, rows * PANEL_CM + LEGEND_CM)
    panels = figure.subplots(rows, columns, sharex=True, sharey=True, squeeze=False)
    for axes in list(panels.flat)[len(shown) :]:
        axes.set_axis_off()
    for axes, strategy in zip(panels.flat, shown, strict=False):
        _draw_panel(axes, statistics, strategy)
    for axes in panels[:, 0]:
        axes.set_ylabel("Accuracy (%)")
    for axes in list(panels.flat)[max(0, len(shown) - columns) : len(shown)]:
        axes.set_xlabel("Confidence (%)")
        axes.tick_params(labelbottom=True)
    figure.legend(handles=_handles(), loc="outside upper center", ncols=3)
    return figure


def _draw_panel(axes: Axes, statistics: Statistics, strategy: str) -> None:
    look = looks_of(statistics.strategies)[strategy]
    found = statistics.reliability[strategy]["decoded"]
    axes.plot([0, 100], [0, 100], color="0.6", linewidth=0.6)
    _draw_bins(axes, found.uncalibrated, Look(BEFORE, "o", (0, (1.2, 1.2))), hollow=True)
    if found.calibrated is not None:
        _draw_bins(axes, found.calibrated, Look(look.color, "o", "-"), hollow=False)
    axes.set(xlim=(-4, 104), ylim=(-4, 104), aspect="equal")
    text = f"{strategy_name(strategy)}\n{_errors(statistics, strategy)}"
    axes.set_title(text, fontsize=7, loc="left", pad=3)


def _draw_bins(axes: Axes, bins: Sequence[Bin], look: Look, *, hollow: bool) -> None:
    """Draw the bins that hold images, each as large as its share of them."""
    n = sum(part.n for part in bins)
    filled = [
        (part.confidence, part.accuracy, 2 + LARGEST * part.n / n)
        for part in bins
        if part.confidence is not None and part.accuracy is not None
    ]
    x, y, areas = (list(values) for values in zip(*filled, strict=True))
    axes.plot(x, y, color=look.color, linestyle=look.dash, linewidth=0.8)
    face = "white" if hollow else look.color
    axes.scatter(x, y, areas, facecolor=face, edgecolor=look.color, linewidth=0.7, zorder=3)


def _errors(statistics: Statistics, strategy: str) -> str:
    run = statistics.runs[strategy][statistics.middle]
    before, n = f"{run.decoded.ece_uncalibrated:.1f}", f"n = {statistics.dataset.n:,}"
    if run.decoded.ece is None:
        return f"ECE {before} %, no temperature, {n}"
    return f"ECE {before} → {run.decoded.ece:.1f} %, T = {run.temperature:.2f}, {n}"


def _handles() -> list[Line2D]:
    return [
        Line2D(
            [],
            [],
            color=BEFORE,
            marker="o",
            mfc="white",
            ls=":",
            label="before temperature scaling",
        ),
        Line2D([], [], color="0.1", marker="o", lw=0.8, label="after it"),
        Line2D([], [], color="0.6", lw=0.6, label="as sure as right"),
    ]
