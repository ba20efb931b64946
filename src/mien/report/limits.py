"""What the results do not show: what was not run, what has no image, what differs."""

from __future__ import annotations

from mien.report.captions import comparable, strategy_name, weights_in_words
from mien.report.cells import MINUS
from mien.report.published import DIFFERENCES, published_deltas
from mien.report.statistics import Statistics
from mien.runs import CONTROLS


def cautions(statistics: Statistics) -> list[str]:
    """Return the paragraphs that a reader must not miss, if there are any."""
    dataset = statistics.dataset
    found = []
    if not comparable(statistics):
        found.append(
            f"The data set is {dataset.name}, not AffectNet: these numbers are not comparable "
            "with the paper's."
        )
    if dataset.absent:
        found.append(
            f"No test image shows {' or '.join(dataset.absent)}. Predicting it is counted as a "
            "mistake; per-class means are over the other expressions."
        )
    return found


def unrun(statistics: Statistics) -> list[str]:
    """Return what is missing beside what was run, and what cannot be said without it."""
    found = []
    if missing := [control for control in CONTROLS if control not in statistics.strategies]:
        found.append(
            f"Controls that were not run: {', '.join(missing)}. Without them the gain of a "
            "strategy cannot be told apart from that of training on, or credited to the codec "
            "or the classifier."
        )
    found += [
        f"{strategy_name(codec)} was asked for and not run: its library is not installed "
        f"({command})."
        for codec, command in statistics.missing.items()
    ]
    if not statistics.classic:
        found.append(
            "No classic codec, such as JPEG or WebP, was run: these results do not say how a "
            "learned codec compares with one."
        )
    return found


def beside_published(statistics: Statistics) -> list[str]:
    """Return what the paper reports of the strategies that were run, and what differs."""
    reported = [
        f"{_signed(found.bd_accuracy)} points and {_signed(found.bd_rate)} % for {strategy}"
        for strategy, found in published_deltas().items()
        if strategy in statistics.trained
    ]
    if not reported:
        return []
    return [
        f"The paper reports {' and '.join(reported)} (BD-Accuracy and BD-Rate). {DIFFERENCES} "
        f"{_ours(statistics)}"
    ]


def _signed(value: float) -> str:
    return f"{value:+.2f}".replace("-", MINUS)


def _ours(statistics: Statistics) -> str:
    dataset = statistics.dataset
    size = dataset.image_size
    return (
        f"Ours: {dataset.name}, n = {dataset.n:,}, stored bytes over {size}x{size} pixels, "
        f"loss weights {weights_in_words(statistics.weights)}, qualities "
        f"{', '.join(statistics.reference)}."
    )
