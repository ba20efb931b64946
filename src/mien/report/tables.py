"""The tables: which rows and columns, from statistics.json alone."""

from __future__ import annotations

from dataclasses import replace

from mien.expressions import EXPRESSIONS
from mien.paths import TABLE_NAMES
from mien.report.captions import (
    STRATEGY_NAMES,
    TITLES,
    caption,
    intervals,
    source,
    table2_strategy,
)
from mien.report.cells import Cell, Column, Table
from mien.report.render import plain
from mien.report.statistics import (
    Bjontegaard,
    Estimate,
    Pair,
    RunStatistics,
    Shared,
    Statistics,
)

INTERPOLATIONS = ("pchip", "akima", "cubic")  # the primary one first

_STRATEGY = Column("strategy", "Strategy")
_SETTING = Column("setting", "Setting")
_BPP = Column("bpp", "Rate", "bit/pixel", "lower", 3)
_ACCURACY = Column("accuracy", "Accuracy, decoded", "%", "higher", 2, bounded=True)
_RAW_ACCURACY = Column("raw_accuracy", "Accuracy, raw", "%", "higher", 2, bounded=True)
_CHANGE = Column("change", "Change", "points", "higher", 2, signed=True, bounded=True)


def all_tables(statistics: Statistics) -> dict[str, Table]:
    """Return every table by its name, in the order of the report."""
    contents = {
        "table1": _bjontegaard,
        "table2": _decoded_and_raw,
        "classes": _classes,
        "methods": _methods,
        "runs": _runs,
    }
    return {
        name: Table(name, TITLES[name], caption(name, statistics), *contents[name](statistics))
        for name in TABLE_NAMES
    }


def bjontegaard_text(statistics: Statistics) -> str:
    """Return Table 1 for a terminal, without its counts, and the number of images behind it."""
    columns, rows = _bjontegaard(statistics)
    shown = (0, 1, 2, 4, 5)
    short = [replace(columns[i], title=columns[i].title.split()[-1]) for i in shown]
    table = Table("", "", "", short, [[row[i] for i in shown] for row in rows])
    return (
        f"{plain(table)}\n"
        "BD-Accuracy: higher is better. BD-Rate: lower is better. Brackets: "
        f"{intervals(statistics)}.\n{source(statistics)}"
    )


_Content = tuple[list[Column], list[list[Cell]]]


def _bjontegaard(statistics: Statistics) -> _Content:
    """Table 1: one row per trained strategy, and per classic codec with a curve."""
    columns = [
        _STRATEGY,
        Column("bd_accuracy", "BD-Accuracy", "points", "higher", 2, signed=True, bounded=True),
        Column("rate_overlap", "rate overlap", "%", decimals=0),
        Column("rate_points", "points"),
        Column("bd_rate", "BD-Rate", "%", "lower", 1, signed=True, bounded=True),
        Column("accuracy_overlap", "accuracy overlap", "%", decimals=0),
        Column("accuracy_points", "points"),
    ]
    rows = [
        [STRATEGY_NAMES[strategy], *_bjontegaard_cells(statistics.bjontegaard[strategy])]
        for strategy in statistics.compared
    ]
    return columns, rows


def _bjontegaard_cells(found: Bjontegaard) -> list[Cell]:
    return [
        found.bd_accuracy,
        *_shared(found.rate_overlap),
        found.bd_rate,
        *_shared(found.accuracy_overlap),
    ]


def _shared(shared: Shared) -> list[Cell]:
    return [100 * shared.fraction, f"{shared.baseline_points} + {shared.points}"]


def _decoded_and_raw(statistics: Statistics) -> _Content:
    """Table 2: the rate points of the joint models, by ascending rate."""
    runs = statistics.runs[table2_strategy(statistics)]
    by_rate = sorted(statistics.reference, key=lambda setting: runs[setting].bpp)
    rows: list[list[Cell]] = [
        [
            setting,
            runs[setting].bpp,
            runs[setting].accuracy,
            runs[setting].raw_accuracy,
            runs[setting].change,
        ]
        for setting in by_rate
    ]
    return [_SETTING, _BPP, _ACCURACY, _RAW_ACCURACY, _CHANGE], rows


def _classes(statistics: Statistics) -> _Content:
    """Test images and recall of every expression, one column per strategy."""
    columns = [Column("expression", "Expression"), Column("n", "Test images", decimals=0)]
    columns += [
        Column(strategy, STRATEGY_NAMES[strategy], "%", "higher", 1, bounded=True)
        for strategy in statistics.strategies
    ]
    rows: list[list[Cell]] = [
        [
            expression,
            statistics.dataset.counts[expression],
            *(statistics.recall[strategy][expression] for strategy in statistics.strategies),
        ]
        for expression in EXPRESSIONS
    ]
    return columns, rows


def _methods(statistics: Statistics) -> _Content:
    """Both deltas by every interpolation, on the envelope and as measured."""
    columns = [
        _STRATEGY,
        Column("method", "Interpolation"),
        Column("points", "Points"),
        Column("bd_accuracy", "BD-Accuracy", "points", "higher", 2, signed=True),
        Column("bd_rate", "BD-Rate", "%", "lower", 1, signed=True),
        Column("reason", "Why absent"),
    ]
    rows = [
        [STRATEGY_NAMES[strategy], method, points, *_pair_cells(pairs[method])]
        for strategy in statistics.compared
        for points, pairs in (
            ("envelope", statistics.bjontegaard[strategy].on_envelope),
            ("as measured", statistics.bjontegaard[strategy].as_measured),
        )
        for method in INTERPOLATIONS
    ]
    return columns, rows


def _pair_cells(pair: Pair) -> list[Cell]:
    deltas = (pair.bd_accuracy, pair.bd_rate)
    reasons = dict.fromkeys(delta.reason for delta in deltas if delta.reason)
    return [*(delta.value for delta in deltas), "; ".join(reasons)]


def _runs(statistics: Statistics) -> _Content:
    """Every run: rate points first, then the sweeps; the classic codecs last."""
    columns = [
        _STRATEGY,
        _SETTING,
        _BPP,
        Column("estimated_bpp", "estimated", "bit/pixel", "lower", 3),
        Column("n_bytes", "Bytes", "B", "lower", 0),
        _ACCURACY,
        _RAW_ACCURACY,
        _CHANGE,
        Column("macro_f1", "Macro F1", "%", "higher", 1),
        Column("uar", "UAR", "%", "higher", 1),
        Column("psnr", "PSNR", "dB", "higher", 2),
        Column("ms_ssim", "MS-SSIM", "", "higher", 4),
    ]
    swept = [point.setting for points in statistics.sweeps.values() for point in points]
    rows = [
        [STRATEGY_NAMES[strategy], setting, *_run_cells(statistics.runs[strategy][setting])]
        for strategy in [*statistics.strategies, *statistics.classic]
        for setting in dict.fromkeys([*statistics.rate_points(strategy), *swept])
        if setting in statistics.runs[strategy]
    ]
    return columns, rows


def _run_cells(run: RunStatistics) -> list[Cell]:
    estimates: list[Estimate] = [run.accuracy, run.raw_accuracy, run.change]
    rates = [run.bpp, run.estimated_bpp, run.n_bytes]
    return [*rates, *estimates, run.macro_f1, run.uar, run.psnr, run.ms_ssim]
