"""Recall of each expression over the rate: one small panel per expression."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mien.expressions import EXPRESSIONS
from mien.report.axes import by_rate, draw_curve, legend_lines, log_axis
from mien.report.statistics import Statistics
from mien.report.style import PAGE_CM, new_figure

ROWS, COLUMNS = 2, 4
NO_IMAGES = "no test images"


def recall_over_rate(statistics: Statistics) -> Figure:
    """Draw every strategy's recall of every expression, with 95 % bands, on shared axes."""
    figure = new_figure(PAGE_CM, 9.0)
    panels = figure.subplots(ROWS, COLUMNS, sharex=True, sharey=True)
    for axes, expression in zip(panels.flat, EXPRESSIONS, strict=True):
        _draw_panel(axes, statistics, expression)
    for axes in panels[:, 0]:
        axes.set_ylabel("Recall (%)")
    for axes in panels[-1]:
        axes.set_xlabel("Rate (bit/pixel)")
    panels[0, 0].set_ylim(-3, 103)
    log_axis(panels[0, 0], panels[-1, 0].xaxis)
    handles = legend_lines(statistics.strategies, statistics.strategies)
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return figure


def _draw_panel(axes: Axes, statistics: Statistics, expression: str) -> None:
    n = statistics.dataset.counts[expression]
    axes.set_title(f"{expression}, n = {n:,}", fontsize=7, loc="left", pad=3)
    if n == 0:
        axes.text(0.5, 0.5, NO_IMAGES, ha="center", va="center", transform=axes.transAxes)
        return
    for strategy in statistics.strategies:
        runs = by_rate(statistics, strategy)
        recalls = [run.decoded.recall[expression] for run in runs]
        draw_curve(axes, statistics, strategy, [run.bpp for run in runs], recalls)
