"""report/index.html: the results as one page that needs nothing else, not even a network."""

from __future__ import annotations

import base64
import html
from collections.abc import Mapping
from pathlib import Path

from mien.expressions import EXPRESSIONS
from mien.report.captions import SWEEPS, classic_codecs, intervals, weights_in_words
from mien.report.claims import (
    attribution_claims,
    decoding_claims,
    delta_claims,
    target_claims,
)
from mien.report.figure_captions import FIGURE_TITLES, alternative, figure_caption
from mien.report.limits import beside_published, cautions, unrun
from mien.report.render import html_table
from mien.report.statistics import MOST_ABSENT, Statistics
from mien.report.tables import all_tables

STYLE_SHEET = Path(__file__).with_name("page.css")
BROAD = ("fig4", "classes", "bits", "reliability")  # too wide to be read on a phone at once
BROAD_PX, COLUMN_PX = 992, 560  # on a wide screen


def page(statistics: Statistics, images: Mapping[str, bytes]) -> str:
    """Return the whole page.

    Args:
        statistics: What the tables and the words are about.
        images: Every figure as PNG, by name.
    """
    tables = {name: html_table(table) for name, table in all_tables(statistics).items()}
    figures = {name: _figure(name, png, statistics) for name, png in images.items()}
    title = f"Expressions after compression: {statistics.dataset.name}"
    return "\n".join(
        [
            _head(title),
            f"<h1>{html.escape(title)}</h1>",
            f'<p class="lead">{html.escape(_lead(statistics))}</p>',
            _paragraphs(cautions(statistics), "caution"),
            _facts(statistics),
            *_results(statistics, tables, figures),
            "</main>\n</body>\n</html>\n",
        ]
    )


def _results(
    statistics: Statistics, tables: Mapping[str, str], figures: Mapping[str, str]
) -> list[str]:
    """Return the sections: each claim first, then the figures and tables it rests on."""
    panels = "".join(figures[name] for name in SWEEPS)
    return [
        "<h2>Against the pretrained codec</h2>",
        _paragraphs(delta_claims(statistics), "claim"),
        figures["fig2"],
        tables["table1"],
        _paragraphs(beside_published(statistics)),
        tables["methods"],
        "<h2>Rates for a given accuracy</h2>",
        _paragraphs(target_claims(statistics), "claim"),
        tables["targets"],
        "<h2>Codec or classifier</h2>",
        _paragraphs(attribution_claims(statistics), "claim"),
        tables["attribution"],
        "<h2>Decoded against raw images</h2>",
        _paragraphs(decoding_claims(statistics), "claim"),
        tables["table2"],
        figures["fig4"],
        "<h2>Where the bits go</h2>",
        figures["bits"],
        "<h2>Each expression</h2>",
        figures["classes"],
        tables["classes"],
        tables["expressions"],
        "<h2>How sure the classifiers are</h2>",
        figures["reliability"],
        tables["recognition"],
        "<h2>What each loss weight does</h2>",
        f'<div class="panels">\n{panels}</div>',
        "<h2>How to read the intervals</h2>",
        _paragraphs(_reading(statistics)),
        "<h2>What was not run</h2>",
        _paragraphs(unrun(statistics) or ["Nothing is missing: all controls were run."]),
        "<h2>Another training</h2>",
        tables["seeds"],
        "<h2>All runs</h2>",
        tables["runs"],
    ]


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


def _facts(statistics: Statistics) -> str:
    dataset, made = statistics.dataset, statistics.provenance
    counts = [f"{name} {dataset.counts[name]}" for name in EXPRESSIONS]
    facts = {
        "Test images": f"{dataset.n:,}: {', '.join(counts)}",
        "Coded picture": f"{dataset.image_size} x {dataset.image_size} pixels",
        "Strategies": ", ".join(statistics.strategies),
        "Rate points": ", ".join(statistics.reference),
        "Loss weights": weights_in_words(statistics.weights),
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


def _reading(statistics: Statistics) -> list[str]:
    return [
        f"Every interval is a {intervals(statistics)}. In a resample the same images are drawn "
        "for all runs and the whole curve is computed again, so what makes an image hard for "
        "every run cancels in a difference. Two accuracies can therefore differ although their "
        "own intervals overlap: look at the interval of the difference.",
        "The intervals say how the numbers would move on other test images of the same kind. "
        f"They say nothing about another training{_other_trainings(statistics)}",
        "A Bjontegaard delta averages over the range that both curves cover. Where that "
        "overlap is small, or few measured points lie in it, the delta says little. "
        "Some resamples may have no delta; their share is stated, and with more than "
        f"{100 * MOST_ABSENT:.0f} % of them nothing is printed bold.",
    ]


def _other_trainings(statistics: Statistics) -> str:
    if not statistics.repeated:
        return ": each run was trained once."
    return ", except where Table “Other trainings” has several seeds."


def _paragraphs(texts: list[str], kind: str = "") -> str:
    opening = f'<p class="{kind}">' if kind else "<p>"
    return "\n".join(f"{opening}{html.escape(text)}</p>" for text in texts)


def _figure(name: str, png: bytes, statistics: Statistics) -> str:
    data = base64.b64encode(png).decode("ascii")
    words = html.escape(figure_caption(name, statistics))
    width, kind = (BROAD_PX, "broad") if name in BROAD else (COLUMN_PX, "")
    label = html.escape(FIGURE_TITLES[name])
    image = (
        f'<img alt="{html.escape(alternative(name, statistics))}" class="{kind}" '
        f'style="width: {width}px" src="data:image/png;base64,{data}">'
    )
    return (
        f'<figure id="figure-{name}">\n'
        f'<div class="wide" tabindex="0" role="region" aria-label="{label}">{image}</div>\n'
        f"<figcaption><b>{label}.</b> {words}</figcaption>\n</figure>\n"
    )
