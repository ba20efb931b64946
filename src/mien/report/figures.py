"""The figures of curves: accuracy over rate, and what each loss weight does."""

from __future__ import annotations

import math

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from mien.report.captions import STRATEGY_NAMES
from mien.report.statistics import RunStatistics, Statistics
from mien.report.style import (
    CLASSIC_LOOKS,
    COLUMN_CM,
    LOOKS,
    RAW_COLOR,
    RAW_DASH,
    new_figure,
)
from mien.runs import PRETRAINED

LEGEND_ROW_CM = 0.35
DODGE = 0.02  # share of a sweep's width by which strategies at one weight stand apart
TICK_DIGITS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), range(1, 10))
ZERO_GAP = 0.7  # decades between the place of weight 0 and the smallest weight above it


def accuracy_over_rate(statistics: Statistics) -> Figure:
    """Draw Fig. 2: every strategy's rate points with 95 % bands, and its raw-image line.

    Classic codecs are thin curves without a band.
    """
    figure = new_figure(COLUMN_CM, 7.0 + LEGEND_ROW_CM * math.ceil(len(statistics.classic) / 2))
    axes = figure.add_subplot()
    for strategy in statistics.strategies:
        _draw_curve(axes, statistics, strategy)
    for codec in statistics.classic:
        runs = _by_rate(statistics, codec)
        rates, accuracies = [run.bpp for run in runs], [run.accuracy.value for run in runs]
        axes.add_line(_line(codec, rates, accuracies))
    _draw_raw_lines(axes, statistics)
    axes.set_xlabel("Rate (bit/pixel)")
    axes.set_ylabel("Accuracy (%)")
    _log_axis(axes, axes.xaxis)
    shown = [*statistics.strategies, *statistics.classic]
    handles = [_line(strategy, [], []) for strategy in shown]
    raw = Line2D([], [], color=RAW_COLOR, linestyle=RAW_DASH, lw=0.9, label="raw images")
    figure.legend(handles=[*handles, raw], loc="outside upper center", ncols=2)
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
    for i, strategy in enumerate(statistics.swept):
        shift = DODGE * width * (i - (len(statistics.swept) - 1) / 2)
        runs = [statistics.runs[strategy][point.setting] for point in points]
        shifted = [place + shift for place in places]
        _draw_sweep(accuracy, rate, runs, shifted, strategy, reference)
    accuracy.set_ylabel("Accuracy (%)")
    rate.set_ylabel("Rate (bit/pixel)")
    rate.set_xlabel(rf"Loss weight $w_\mathrm{{{weight}}}$")
    rate.set_xticks(places, [f"{point.value:g}" for point in points])
    rate.set_xlim(places[0] - 0.08 * width, places[-1] + 0.08 * width)
    _log_axis(rate, rate.yaxis)
    if points[0].value == 0 and len(points) > 1:
        _mark_break(rate, (places[0] + places[1]) / 2)
    handles = [_line(strategy, [], []) for strategy in statistics.swept]
    figure.legend(handles=handles, loc="outside upper center", ncols=2)
    return figure


def weight_places(values: list[float]) -> list[float]:
    """Return where ascending weights stand on a log axis that has a place for 0 on its left."""
    logs = [math.log10(value) for value in values if value > 0]
    zero = [logs[0] - ZERO_GAP if logs else 0.0] if values[0] == 0 else []
    return zero + logs


def log_ticks(low: float, high: float) -> list[float]:
    """Return round numbers within `[low, high]`: the coarsest choice with at least three."""
    exponents = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in TICK_DIGITS:
        ticks = [digit * 10.0**exponent for exponent in exponents for digit in digits]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) >= 3:
            return inside
    even = MaxNLocator(6, steps=(1, 2, 5, 10)).tick_values(
        low, high
    )  # too narrow for a log axis to look like one
    return [float(tick) for tick in even if low <= tick <= high]


def _draw_curve(axes: Axes, statistics: Statistics, strategy: str) -> None:
    runs = _by_rate(statistics, strategy)
    rates = [run.bpp for run in runs]
    low, value, high = _accuracies(runs)
    axes.fill_between(rates, low, high, color=LOOKS[strategy].color, alpha=0.15, linewidth=0)
    axes.add_line(_line(strategy, rates, value))


def _draw_raw_lines(axes: Axes, statistics: Statistics) -> None:
    """Draw what the classifiers reach on raw images; those that share one share the line."""
    baseline = _by_rate(statistics, PRETRAINED)
    axes.axhline(baseline[0].raw_accuracy.value, color=RAW_COLOR, linestyle=RAW_DASH, lw=0.9)
    for strategy in statistics.trained:
        runs = _by_rate(statistics, strategy)
        raw = [run.raw_accuracy.value for run in runs]
        if set(raw) != {baseline[0].raw_accuracy.value}:
            rates = [run.bpp for run in runs]
            axes.plot(rates, raw, color=LOOKS[strategy].color, linestyle=RAW_DASH, lw=0.9)


def _draw_sweep(
    accuracy: Axes,
    rate: Axes,
    runs: list[RunStatistics],
    places: list[float],
    strategy: str,
    reference: int,
) -> None:
    """Draw one strategy into both panels; `reference` is the place to mark."""
    look = LOOKS[strategy]
    low, value, high = _accuracies(runs)
    accuracy.vlines(places, low, high, color=look.color, linewidth=0.8)
    for axes, values in ((accuracy, value), (rate, [run.bpp for run in runs])):
        axes.add_line(_line(strategy, places, values))
        axes.plot(
            places[reference], values[reference], look.marker, color=look.color, mfc="white"
        )


def _line(strategy: str, x: list[float], y: list[float]) -> Line2D:
    look = LOOKS.get(strategy) or CLASSIC_LOOKS[strategy]
    name = STRATEGY_NAMES[strategy]
    line = Line2D(x, y, color=look.color, marker=look.marker, linestyle=look.dash, label=name)
    if strategy in CLASSIC_LOOKS:
        line.set(linewidth=0.6, markersize=3)
    return line


def _by_rate(statistics: Statistics, strategy: str) -> list[RunStatistics]:
    settings = statistics.rate_points(strategy)
    runs = [statistics.runs[strategy][setting] for setting in settings]
    return sorted(runs, key=lambda run: run.bpp)


def _accuracies(runs: list[RunStatistics]) -> tuple[list[float], list[float], list[float]]:
    """Return lower bounds, values and upper bounds of the accuracies."""
    found = [run.accuracy for run in runs]
    return [a.low for a in found], [a.value for a in found], [a.high for a in found]


def _log_axis(axes: Axes, axis: XAxis | YAxis) -> None:
    """Make an axis logarithmic, with at least three ticks written as plain numbers."""
    which = axis.axis_name
    axes.set(**{f"{which}scale": "log"})
    axes.autoscale_view()
    axis.set_major_locator(FixedLocator(log_ticks(*sorted(axis.get_view_interval()))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    axis.set_minor_formatter(NullFormatter())


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
