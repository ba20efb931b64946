"""The figures of curves: accuracy over rate, and what each loss weight does."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mien.report.axes import (
    LEGEND_ROW_CM,
    by_rate,
    draw_curve,
    legend_lines,
    line,
    log_axis,
)
from mien.report.gains import gain_of
from mien.report.statistics import RunStatistics, Statistics
from mien.report.style import COLUMN_CM, RAW_COLOR, RAW_DASH, Look, looks_of, new_figure
from mien.runs import PRETRAINED

DODGE = 0.02  # share of a sweep's width by which strategies at one weight stand apart
AREA_ALPHA = 0.15
ZERO_GAP = 0.7  # decades between the place of weight 0 and the smallest weight above it


def accuracy_over_rate(statistics: Statistics) -> Figure:
    """Draw Fig. 2: every strategy's rate points with 95 % bands, and its raw-image line.

    Classic codecs are thin curves without a band. Below: the gain over the baseline, shaded
    over the rates that BD-Accuracy averages.
    """
    shown = statistics.shown
    figure = new_figure(COLUMN_CM, 8.8 + LEGEND_ROW_CM * (len(shown) // 2))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    for strategy in shown:
        runs = by_rate(statistics, strategy)
        rates, accuracies = [run.bpp for run in runs], [run.accuracy for run in runs]
        draw_curve(axes, statistics, strategy, rates, accuracies)
    _draw_raw_lines(axes, statistics)
    _draw_gains(below, statistics)
    axes.set_ylabel("Accuracy (%)")
    below.set(xlabel="Rate (bit/pixel)", ylabel="Gain (points)")
    log_axis(axes, below.xaxis)
    handles = legend_lines(shown, shown)
    raw = Line2D([], [], color=RAW_COLOR, linestyle=RAW_DASH, lw=0.9, label="raw images")
    _add_legend(figure, [*handles, raw])
    return figure


def weight_effect(statistics: Statistics, weight: str) -> Figure:
    """Draw Fig. 3a, b or c: accuracy and rate over one loss weight, all trained strategies.

    Args:
        statistics: Of all runs.
        weight: `bpp`, `ce` or `mse`.
    """
    figure = new_figure(COLUMN_CM, 7.6)
    accuracy, rate = figure.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
    points = statistics.sweeps[weight]
    places = weight_places([point.value for point in points])
    width = places[-1] - places[0] or 1.0
    reference = [point.setting in statistics.reference for point in points].index(True)
    looks = looks_of(statistics.strategies)
    for i, strategy in enumerate(statistics.swept):
        shift = DODGE * width * (i - (len(statistics.swept) - 1) / 2)
        runs = [statistics.runs[strategy][point.setting] for point in points]
        shifted = [place + shift for place in places]
        _draw_sweep(accuracy, rate, runs, shifted, strategy, looks[strategy], reference)
    accuracy.set_ylabel("Accuracy (%)")
    rate.set_ylabel("Rate (bit/pixel)")
    rate.set_xlabel(rf"Loss weight $w_\mathrm{{{weight}}}$")
    rate.set_xticks(places, [f"{point.value:g}" for point in points])
    rate.set_xlim(places[0] - 0.08 * width, places[-1] + 0.08 * width)
    log_axis(rate, rate.yaxis)
    if points[0].value == 0 and len(points) > 1:
        _mark_break(rate, (places[0] + places[1]) / 2)
    handles = legend_lines(statistics.swept, statistics.strategies)
    _add_legend(figure, handles)
    return figure


def weight_places(values: list[float]) -> list[float]:
    """Return where ascending weights stand on a log axis that has a place for 0 on its left."""
    logs = [math.log10(value) for value in values if value > 0]
    zero = [logs[0] - ZERO_GAP if logs else 0.0] if values[0] == 0 else []
    return zero + logs


def _add_legend(figure: Figure, handles: list[Line2D]) -> None:
    """Put a legend above the axes, dense enough for the longest names side by side."""
    figure.legend(
        handles=handles,
        loc="outside upper center",
        ncols=2,
        columnspacing=0.8,
        handletextpad=0.4,
        handlelength=2.4,
        borderpad=0.2,
    )


def _draw_gains(axes: Axes, statistics: Statistics) -> None:
    """Draw each strategy's curve less the baseline's; the areas are what is averaged."""
    looks = looks_of(statistics.strategies)
    axes.axhline(0, color=looks[PRETRAINED].color, linestyle=looks[PRETRAINED].dash)
    found = {strategy: gain_of(statistics, strategy) for strategy in statistics.trained}
    for strategy, gain in found.items():
        if gain is not None:
            look = looks[strategy]
            axes.fill_between(
                gain.rate, 0, gain.points, color=look.color, alpha=AREA_ALPHA, linewidth=0
            )
            axes.plot(gain.rate, gain.points, color=look.color, ls=look.dash, lw=look.width)
    if not any(found.values()):
        axes.text(0.5, 0.5, "no shared range", ha="center", transform=axes.transAxes)


def _draw_raw_lines(axes: Axes, statistics: Statistics) -> None:
    """Draw what the classifiers reach on raw images; those that share one share the line."""
    looks = looks_of(statistics.strategies)
    baseline = by_rate(statistics, PRETRAINED)
    axes.axhline(baseline[0].raw_accuracy.value, color=RAW_COLOR, linestyle=RAW_DASH, lw=0.9)
    for strategy in statistics.trained:
        runs = by_rate(statistics, strategy)
        raw = [run.raw_accuracy.value for run in runs]
        if set(raw) != {baseline[0].raw_accuracy.value}:
            rates = [run.bpp for run in runs]
            axes.plot(rates, raw, color=looks[strategy].color, linestyle=RAW_DASH, lw=0.9)


def _draw_sweep(
    accuracy: Axes,
    rate: Axes,
    runs: list[RunStatistics],
    places: list[float],
    strategy: str,
    look: Look,
    reference: int,
) -> None:
    """Draw one strategy into both panels; `reference` is the place to mark."""
    low, value, high = _accuracies(runs)
    accuracy.vlines(places, low, high, color=look.color, linewidth=0.8)
    for axes, values in ((accuracy, value), (rate, [run.bpp for run in runs])):
        axes.add_line(line(strategy, look, places, values))
        axes.plot(
            places[reference], values[reference], look.marker, color=look.color, mfc="white"
        )


def _accuracies(runs: list[RunStatistics]) -> tuple[list[float], list[float], list[float]]:
    """Return lower bounds, values and upper bounds of the accuracies."""
    found = [run.accuracy for run in runs]
    return [a.low for a in found], [a.value for a in found], [a.high for a in found]


def _mark_break(axes: Axes, place: float) -> None:
    """Cross out a piece of the abscissa: between 0 and the next weight it is not to scale."""
    axes.annotate(
        "//",
        (place, 0),
        xycoords=("data", "axes fraction"),
        ha="center",
        va="center",
        bbox={"boxstyle": "square,pad=0.05", "facecolor": "white", "edgecolor": "none"},
    )
