"""The tables: which rows and columns, from statistics.json alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from mien.expressions import EXPRESSIONS
from mien.paths import TABLE_NAMES
from mien.report.attribution import PARTS
from mien.report.captions import (
    PART_NAMES,
    QUANTITY_NAMES,
    RATE_NAMES,
    TITLES,
    caption,
    intervals,
    source,
    strategy_name,
    table2_strategy,
)
from mien.report.cells import Cell, Column, Table
from mien.report.published import published_deltas, published_points
from mien.report.render import plain
from mien.report.statistics import (
    Bjontegaard,
    Estimate,
    Pair,
    RunStatistics,
    Shared,
    Statistics,
)

PUBLISHED = "as published"
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
        "attribution": _attribution,
        "targets": _targets,
        "classes": _classes,
        "expressions": _expressions,
        "methods": _methods,
        "seeds": _seeds,
        "runs": _runs,
        "recognition": _recognition,
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
        Column("published_bd_accuracy", "BD-Accuracy as published", "points", None, 2, True),
        Column("published_bd_rate", "BD-Rate as published", "%", None, 2, True),
    ]
    rows = [
        [
            strategy_name(strategy),
            *_bjontegaard_cells(statistics.bjontegaard[strategy]),
            *_published_cells(strategy),
        ]
        for strategy in statistics.compared
    ]
    return columns, rows


def _published_cells(strategy: str) -> list[Cell]:
    found = published_deltas().get(strategy)
    return [None, None] if found is None else [found.bd_accuracy, found.bd_rate]


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
    """Table 2: the rate points of the joint models, by ascending rate; below, as published."""
    strategy = table2_strategy(statistics)
    runs = statistics.runs[strategy]
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
    rows += [
        [PUBLISHED, point.bpp, point.accuracy, point.raw_accuracy, point.change]
        for point in published_points(strategy)
    ]
    return [_SETTING, _BPP, _ACCURACY, _RAW_ACCURACY, _CHANGE], rows


def _classes(statistics: Statistics) -> _Content:
    """Test images and recall of every expression, one column per strategy."""
    columns = [Column("expression", "Expression"), Column("n", "Test images", decimals=0)]
    columns += [
        Column(strategy, strategy_name(strategy), "%", "higher", 1, bounded=True)
        for strategy in statistics.strategies
    ]
    rows: list[list[Cell]] = [
        [
            expression,
            statistics.dataset.counts[expression],
            *(_middle(statistics, s).decoded.recall[expression] for s in statistics.strategies),
        ]
        for expression in EXPRESSIONS
    ]
    return columns, rows


def _middle(statistics: Statistics, strategy: str) -> RunStatistics:
    return statistics.runs[strategy][statistics.middle]


def _expressions(statistics: Statistics) -> _Content:
    """Recall and F1 of every expression on decoded and on raw images, one row per strategy."""
    columns = [
        _STRATEGY,
        Column("expression", "Expression"),
        *(
            Column(f"{name}_{kind}", f"{title}, {kind}", "%", "higher", 1, bounded=True)
            for name, title in (("recall", "Recall"), ("f1", "F1"))
            for kind in ("decoded", "raw")
        ),
    ]
    rows: list[list[Cell]] = []
    for strategy in statistics.strategies:
        run = _middle(statistics, strategy)
        parts = (run.decoded.recall, run.raw.recall, run.decoded.f1, run.raw.f1)
        rows += [
            [strategy_name(strategy), expression, *(part[expression] for part in parts)]
            for expression in EXPRESSIONS
        ]
    return columns, rows


def _attribution(statistics: Statistics) -> _Content:
    """The joint gain and its parts."""
    columns = [
        Column("part", "Part"),
        Column("difference", "Difference"),
        Column("gain", "Gain", "points", "higher", 2, signed=True, bounded=True),
    ]
    rows: list[list[Cell]] = [
        [PART_NAMES[part], _difference(part), statistics.attribution.parts[part]]
        for part in PARTS
    ]
    return columns, rows


def _difference(part: str) -> str:
    """Return what is subtracted from what."""
    added, taken = PARTS[part]
    if len(added) == 1:
        return f"{added[0]} − {taken[0]}"
    return f"{added[0]} − {' − '.join(taken)} + {' + '.join(added[1:])}"


def _targets(statistics: Statistics) -> _Content:
    """Accuracy at fixed rates and rate at fixed accuracies, one row per strategy."""
    found = statistics.targets
    first = next(iter(found.values()))
    columns = [
        _STRATEGY,
        *(
            Column(f"accuracy_at_{rate}", f"Accuracy at {rate}", "%", "higher", 2, bounded=True)
            for rate in first.accuracy
        ),
        *(
            Column(f"rate_for_{name}", RATE_NAMES[name], "bit/pixel", "lower", 3, bounded=True)
            for name in first.rate
        ),
    ]
    rows: list[list[Cell]] = [
        [
            strategy_name(strategy),
            *found[strategy].accuracy.values(),
            *found[strategy].rate.values(),
        ]
        for strategy in statistics.strategies
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
        [strategy_name(strategy), method, points, *_pair_cells(pairs[method])]
        for strategy in statistics.compared
        for points, pairs in (
            ("envelope", statistics.bjontegaard[strategy].on_envelope),
            ("as measured", statistics.bjontegaard[strategy].as_measured),
        )
        for method in INTERPOLATIONS
    ]
    return columns, rows


def _seeds(statistics: Statistics) -> _Content:
    """What was trained with several seeds; no row if nothing was."""
    columns = [
        _STRATEGY,
        _SETTING,
        Column("quantity", "Quantity"),
        Column("seeds", "Seeds"),
        Column("over_images", "Mean, over images", decimals=2, bounded=True),
        Column("over_seeds", "Mean, over seeds", decimals=2, bounded=True),
        Column("deviation", "SD between seeds", decimals=2),
    ]
    rows: list[list[Cell]] = [
        [
            strategy_name(strategy),
            found.setting or "all",
            QUANTITY_NAMES[found.quantity],
            ", ".join(map(str, found.seeds)),
            found.over_images,
            found.over_seeds,
            found.deviation,
        ]
        for strategy, repeats in statistics.repeated.items()
        for found in repeats
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
        Column("psnr", "PSNR", "dB", "higher", 2),
        Column("ms_ssim", "MS-SSIM", "", "higher", 4),
    ]
    return columns, _row_per_run(statistics, _run_cells)


def _row_per_run(
    statistics: Statistics, cells: Callable[[RunStatistics], list[Cell]]
) -> list[list[Cell]]:
    swept = [point.setting for points in statistics.sweeps.values() for point in points]
    return [
        [strategy_name(strategy), setting, *cells(statistics.runs[strategy][setting])]
        for strategy in statistics.shown
        for setting in dict.fromkeys(
            [*statistics.rate_points(strategy), *swept, *statistics.runs[strategy]]
        )
        if setting in statistics.runs[strategy]
    ]


def _run_cells(run: RunStatistics) -> list[Cell]:
    estimates: list[Estimate] = [run.accuracy, run.raw_accuracy, run.change]
    rates = [run.bpp, run.estimated_bpp, run.n_bytes]
    return [*rates, *estimates, run.psnr, run.ms_ssim]


def _recognition(statistics: Statistics) -> _Content:
    """Means over the expressions and calibration errors of every run, decoded and raw."""
    columns = [_STRATEGY, _SETTING, Column("temperature", "Temperature", decimals=2)]
    for kind in ("decoded", "raw"):
        columns += [
            Column(f"macro_f1_{kind}", f"Macro F1, {kind}", "%", "higher", 1, bounded=True),
            Column(f"uar_{kind}", f"UAR, {kind}", "%", "higher", 1, bounded=True),
            Column(f"ece_{kind}", f"ECE, {kind}", "%", "lower", 1),
            Column(f"ece_uncalibrated_{kind}", "before", "%", "lower", 1),
        ]
    return columns, _row_per_run(statistics, _recognition_cells)


def _recognition_cells(run: RunStatistics) -> list[Cell]:
    cells: list[Cell] = [run.temperature]
    for found in (run.decoded, run.raw):
        cells += [found.macro_f1, found.uar, found.ece, found.ece_uncalibrated]
    return cells
