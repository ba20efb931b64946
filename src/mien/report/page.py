"""report.html: the results as one page that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path

from mien.report.captions import (
    SWEEPS,
    TITLES,
    WEIGHT_NAMES,
    caption,
    classic_codecs,
    comparable,
    intervals,
)
from mien.report.render import html_table
from mien.report.statistics import MOST_ABSENT, Estimate, Statistics
from mien.report.tables import all_tables

STYLE_SHEET = Path(__file__).with_name("page.css")
WIDTHS_PX = {"fig4": 992}  # of a figure on a wide screen
COLUMN_PX = 560


def page(statistics: Statistics, images: Mapping[str, bytes]) -> str:
    """Return the whole page.

    Args:
        statistics: What the tables and the words are about.
        images: Every figure as PNG, by name.
    """
    tables = {name: html_table(table) for name, table in all_tables(statistics).items()}
    figures = {name: _figure(name, png, statistics) for name, png in images.items()}
    panels = "".join(figures[name] for name in SWEEPS)
    title = f"Expressions after compression: {statistics.dataset.name}"
    return "\n".join(
        [
            _head(title),
            f"<h1>{html.escape(title)}</h1>",
            f'<p class="lead">{html.escape(_lead(statistics))}</p>',
            _caution(statistics),
            _facts(statistics),
            "<h2>Against the pretrained codec</h2>",
            _paragraphs(_findings(statistics)),
            tables["table1"],
            figures["fig2"],
            tables["targets"],
            tables["attribution"],
            "<h2>Decoded against raw images</h2>",
            tables["table2"],
            figures["fig4"],
            tables["classes"],
            tables["expressions"],
            "<h2>What each loss weight does</h2>",
            f'<div class="panels">\n{panels}</div>',
            "<h2>How to read the intervals</h2>",
            _paragraphs(_reading(statistics)),
            tables["methods"],
            "<h2>All runs</h2>",
            tables["runs"],
            tables["recognition"],
            "</main>\n</body>\n</html>\n",
        ]
    )


def _head(title: str) -> str:
    css = STYLE_SHEET.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>\n{css}</style>\n</head>\n<body>\n<main>"
    )


def _lead(statistics: Statistics) -> str:
    dataset = statistics.dataset
    return (
        f"{len(statistics.trained)} training strategies at {len(statistics.reference)} rate "
        f"points, measured on {dataset.n:,} test images that were decoded from their "
        "bitstreams."
    )


def _caution(statistics: Statistics) -> str:
    """Return the paragraphs that a reader must not miss, if there are any."""
    dataset = statistics.dataset
    cautions = []
    if not comparable(statistics):
        cautions.append(
            f"The data set is {dataset.name}, not AffectNet: these numbers are not comparable "
            "with the paper's."
        )
    if dataset.absent:
        cautions.append(
            f"No test image shows {' or '.join(dataset.absent)}. Predicting it is counted as a "
            "mistake; per-class means are over the other expressions."
        )
    return "".join(f'<p class="caution">{html.escape(text)}</p>\n' for text in cautions)


def _facts(statistics: Statistics) -> str:
    dataset, made, weights = statistics.dataset, statistics.provenance, statistics.weights
    counts = [f"{name} {count}" for name, count in dataset.counts.items()]
    facts = {
        "Test images": f"{dataset.n:,}: {', '.join(counts)}",
        "Coded picture": f"{dataset.image_size} x {dataset.image_size} pixels",
        "Strategies": ", ".join(statistics.strategies),
        "Rate points": ", ".join(statistics.reference),
        "Loss weights": f"bpp {weights.bpp:g}, CE {weights.ce:g}, MSE {weights.mse:g}",
        "Seeds": f"training {made.finetune_seed}, bootstrap {made.bootstrap_seed}",
        "Commit": made.commit,
    }
    if classic := classic_codecs(statistics):
        facts["Classic codecs"] = classic
    rows = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(fact)}</dd>\n"
        for name, fact in facts.items()
    )
    return f"<dl>\n{rows}</dl>"


def _findings(statistics: Statistics) -> list[str]:
    """Return one sentence per strategy: what is established, and what is not."""
    return [
        f"{strategy}: {_finding(found.bd_accuracy, 'accuracy at equal rate', 'points', 2)}; "
        f"{_finding(found.bd_rate, 'rate at equal accuracy', '%', 1)}."
        for strategy, found in statistics.bjontegaard.items()
    ]


def _finding(estimate: Estimate, quantity: str, unit: str, decimals: int) -> str:
    if estimate.value is None:
        return f"no figure for the {quantity} ({estimate.reason})"
    if not estimate.excludes_zero:
        return f"no established difference in {quantity}"
    change = "higher" if estimate.value > 0 else "lower"
    return f"{quantity} {abs(estimate.value):.{decimals}f} {unit} {change}"


def _reading(statistics: Statistics) -> list[str]:
    return [
        f"Every interval is a {intervals(statistics)}. In a resample the same images are drawn "
        "for all runs and the whole curve is computed again, so what makes an image hard for "
        "every run cancels in a difference. Two accuracies can therefore differ although their "
        "own intervals overlap: look at the interval of the difference.",
        "The intervals say how the numbers would move on other test images of the same kind. "
        "They say nothing about another training: each run was trained once.",
        "A Bjontegaard delta averages over the range that both curves cover. Where that "
        "overlap is small, or few measured points lie in it, the delta says little. "
        "Some resamples may have no delta; their share is stated, and with more than "
        f"{100 * MOST_ABSENT:.0f} % of them nothing is printed bold.",
    ]


def _paragraphs(texts: list[str]) -> str:
    return "\n".join(f"<p>{html.escape(text)}</p>" for text in texts)


def _figure(name: str, png: bytes, statistics: Statistics) -> str:
    data = base64.b64encode(png).decode("ascii")
    width = WIDTHS_PX.get(name, COLUMN_PX)
    return (
        f'<figure id="{name}">\n'
        f'<img alt="{html.escape(_alternative(name, statistics))}" style="width: {width}px" '
        f'src="data:image/png;base64,{data}">\n'
        f"<figcaption><b>{TITLES[name]}.</b> {html.escape(caption(name, statistics))}"
        "</figcaption>\n</figure>\n"
    )


def _alternative(name: str, statistics: Statistics) -> str:
    """Return what a figure shows to someone who cannot see it."""
    if name in SWEEPS:
        return f"Two line charts: accuracy and rate over the {WEIGHT_NAMES[SWEEPS[name]]}."
    if name == "fig4":
        return "Test faces, raw and decoded, with their rate and the expression recognised."
    ends = []
    for strategy in [*statistics.strategies, *statistics.classic]:
        runs = [
            statistics.runs[strategy][setting] for setting in statistics.rate_points(strategy)
        ]
        low, high = min(runs, key=lambda run: run.bpp), max(runs, key=lambda run: run.bpp)
        ends.append(
            f"{strategy} from {low.accuracy.value:.1f} % at {low.bpp:.2f} bit/pixel "
            f"to {high.accuracy.value:.1f} % at {high.bpp:.2f}"
        )
    return f"Line chart of accuracy over rate: {'; '.join(ends)}. Table: all runs, below."
