"""What every figure shows, in words: its caption, and what stands for it unseen."""

from __future__ import annotations

from mien.report.captions import (
    SWEEPS,
    WEIGHT_NAMES,
    intervals,
    shown_rates,
    source,
)
from mien.report.statistics import Statistics

FIGURE_TITLES = {
    "fig2": "Figure 2",
    "fig3a": "Figure 3a",
    "fig3b": "Figure 3b",
    "fig3c": "Figure 3c",
    "fig4": "Figure 4",
    "classes": "Recall over rate",
    "bits": "Where the bits go",
    "reliability": "Reliability diagram",
}


def figure_caption(name: str, statistics: Statistics) -> str:
    """Return the caption of a figure, its source included.

    Args:
        name: A key of `FIGURE_TITLES`.
        statistics: What it shows.
    """
    return f"{_subject(name, statistics)} {source(statistics)}"


def alternative(name: str, statistics: Statistics) -> str:
    """Return what a figure shows to someone who cannot see it."""
    if name in SWEEPS:
        return f"Two line charts: accuracy and rate over the {WEIGHT_NAMES[SWEEPS[name]]}."
    if name == "fig2":
        return _curves(statistics)
    return {
        "fig4": "Test faces, raw and decoded, with rate and the expression recognised.",
        "classes": "Eight line charts of recall over rate, one per expression. Table: recall "
        "per expression, below.",
        "bits": "Test faces, and maps of the bits that each codec spends on their parts.",
        "reliability": "Charts of accuracy over confidence, one per strategy. Table: "
        "recognition and calibration, below.",
    }[name]


def _subject(name: str, statistics: Statistics) -> str:
    bands = f"bands: {intervals(statistics)}"
    if name in SWEEPS:
        return _sweep_subject(SWEEPS[name], statistics)
    middle = f"{statistics.middle}, the middle rate point"
    return {
        "fig2": (
            "Accuracy on decoded test images over rate. Dashed: the same classifiers on raw "
            f"images; {bands}. Below: each strategy's PCHIP curve on the envelope of its "
            "points less the baseline's, shaded over the rates that both curves cover. The "
            "area over its width, on this logarithmic axis, is BD-Accuracy."
        ),
        "fig4": (
            "Test faces decoded from their bitstreams, at the rate points of quality "
            f"{', '.join(shown_rates(statistics))}. Under each: the rate of this picture and "
            "the expression recognised in it, with a cross where it is not the labelled one. "
            "The faces are the first by key of two expressions, not chosen by eye."
        ),
        "classes": (
            "Recall of every expression on decoded test images over the rate of all of them; "
            f"{bands}."
        ),
        "bits": (
            f"Where each codec spends its bits at {middle}: the estimate by the likelihoods "
            "for every position of the latents y, summed over its channels, on one scale for "
            "all. Under each map: its sum, the side information z, which has positions of "
            "64x64 pixels, and the rate that both make. The faces are those of Figure 4."
        ),
        "reliability": (
            f"How often a classifier is right on decoded test images at {middle}, by how sure "
            "it is: 15 bins of equal width, the empty ones left out, a marker as large as its "
            "share of the images. ECE: the expected calibration error before and after the "
            "logits are divided by the temperature T, which was fitted on val to the pictures "
            "the classifier was trained on."
        ),
    }[name]


def _sweep_subject(weight: str, statistics: Statistics) -> str:
    reference = statistics.weights.at(statistics.sweep_quality)
    others = [
        f"w_{name} = {getattr(reference, name):g}"
        for name in ("bpp", "ce", "mse")
        if name != weight
    ]
    return (
        f"Effect of the {WEIGHT_NAMES[weight]} on accuracy and rate at quality "
        f"{statistics.sweep_quality}, {' and '.join(others)} fixed; open marker: the reference "
        f"weight; bars: {intervals(statistics)}."
    )


def _curves(statistics: Statistics) -> str:
    ends = []
    for strategy in statistics.shown:
        points = statistics.rate_points(strategy)
        runs = [statistics.runs[strategy][setting] for setting in points]
        low, high = min(runs, key=lambda run: run.bpp), max(runs, key=lambda run: run.bpp)
        ends.append(
            f"{strategy} from {low.accuracy.value:.1f} % at {low.bpp:.2f} bit/pixel "
            f"to {high.accuracy.value:.1f} % at {high.bpp:.2f}"
        )
    return f"Line chart of accuracy over rate: {'; '.join(ends)}. Table: all runs, below."
