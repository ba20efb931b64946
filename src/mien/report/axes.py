"""What figures of curves share: a strategy's line and points, and axes over the rate."""

from __future__ import annotations

import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.axis import XAxis, YAxis
from matplotlib.lines import Line2D
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    LogLocator,
    MaxNLocator,
    NullFormatter,
)

from mien.report.captions import strategy_name
from mien.report.statistics import Estimate, RunStatistics, Statistics
from mien.report.style import LOOKS, Look, looks_of

BAND_ALPHA = 0.15
LEGEND_ROW_CM = 0.35
TICK_DIGITS = ((1,), (1, 2, 5), (1, 1.5, 2, 3, 5, 7), range(1, 10))


def line(strategy: str, look: Look, x: Sequence[float], y: Sequence[float]) -> Line2D:
    """Return a strategy's line, for axes or a legend."""
    return Line2D(
        x,
        y,
        color=look.color,
        marker=look.marker,
        linestyle=look.dash,
        linewidth=look.width,
        label=strategy_name(strategy),
    )


def legend_lines(strategies: Sequence[str], all_strategies: Sequence[str]) -> list[Line2D]:
    """Return what a legend shows of some strategies; `all_strategies` settle their looks."""
    looks = looks_of(all_strategies)
    return [line(strategy, looks[strategy], [], []) for strategy in strategies]


def draw_curve(
    axes: Axes,
    statistics: Statistics,
    strategy: str,
    x: Sequence[float],
    estimates: Sequence[Estimate],
) -> None:
    """Draw estimates as a line with their 95 % band; a thin line has none."""
    look = looks_of(statistics.shown)[strategy]
    if strategy in LOOKS:
        low, high = ([_number(end) for end in ends] for ends in _ends(estimates))
        axes.fill_between(x, low, high, color=look.color, alpha=BAND_ALPHA, linewidth=0)
    axes.add_line(line(strategy, look, x, [_number(found.value) for found in estimates]))


def by_rate(statistics: Statistics, strategy: str) -> list[RunStatistics]:
    """Return the rate points of a strategy, by ascending rate."""
    runs = [statistics.runs[strategy][name] for name in statistics.rate_points(strategy)]
    return sorted(runs, key=lambda run: run.bpp)


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


def log_axis(axes: Axes, axis: XAxis | YAxis) -> None:
    """Make an axis logarithmic, with at least three ticks written as plain numbers."""
    which = axis.axis_name
    axes.set(**{f"{which}scale": "log"})
    axes.autoscale_view()
    axis.set_major_locator(FixedLocator(log_ticks(*sorted(axis.get_view_interval()))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_locator(LogLocator(subs=tuple(range(1, 10))))
    axis.set_minor_formatter(NullFormatter())


def _ends(estimates: Sequence[Estimate]) -> tuple[list[float | None], list[float | None]]:
    return [found.low for found in estimates], [found.high for found in estimates]


def _number(value: float | None) -> float:
    return math.nan if value is None else value
