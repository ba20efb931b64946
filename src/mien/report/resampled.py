"""Rate and recognition of every run on the same sets of test images: all, or each resample.

One set of columns of numbers an image, averaged over all images or over those of a resample:
a value and its interval come from the same formula.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mien.expressions import N_EXPRESSIONS
from mien.metrics.bootstrap import resampled_means
from mien.metrics.recognition import Tally
from mien.report.evaluation import Answers, Evaluation
from mien.runs import Run

Floats = NDArray[np.float64]

_WIDTH = 1 + 4 * N_EXPRESSIONS  # columns of one run


@dataclass(frozen=True)
class Means:
    """What one run comes to on sets of images; the leading axes, `...`, are those sets."""

    bpp: Floats  # [...], bit/pixel
    decoded: Tally  # shares of all images
    raw: Tally


@dataclass(frozen=True)
class Sampled:
    """One run on all test images and on B resamples of them."""

    whole: Means  # [] each
    resamples: Means  # [B] each


def sampled(
    evaluations: Mapping[Run, Evaluation], resamples: int, seed: int
) -> dict[Run, Sampled]:
    """Return every run on all images and on the same resamples.

    Args:
        evaluations: Same images in the same order in each.
        resamples: How many are drawn.
        seed: Of the draws.
    """
    labels = next(iter(evaluations.values())).labels
    columns = np.column_stack(
        [one_hot(labels), *(_columns(evaluation) for evaluation in evaluations.values())]
    )
    whole = _by_run(columns.mean(axis=0), list(evaluations))
    drawn = _by_run(resampled_means(columns, resamples, seed), list(evaluations))
    return {run: Sampled(whole[run], drawn[run]) for run in evaluations}


def one_hot(classes: NDArray[np.int64]) -> Floats:
    """Return 1 in the column of each image's class, [n, 8]."""
    return np.eye(N_EXPRESSIONS)[classes]


def _columns(evaluation: Evaluation) -> Floats:
    return np.column_stack(
        [
            evaluation.bpp,
            *(_called(evaluation, answers) for answers in (evaluation.decoded, evaluation.raw)),
        ]
    )


def _called(evaluation: Evaluation, answers: Answers) -> Floats:
    """Return what each image was called, and the same where that is right, [n, 16]."""
    called = one_hot(answers.predictions)
    return np.hstack([called, called * evaluation.correct(answers)[:, None]])


def _by_run(means: Floats, runs: list[Run]) -> dict[Run, Means]:
    labelled, rest = means[..., :N_EXPRESSIONS], means[..., N_EXPRESSIONS:]
    return {
        run: _means(labelled, rest[..., i * _WIDTH : (i + 1) * _WIDTH])
        for i, run in enumerate(runs)
    }


def _means(labelled: Floats, own: Floats) -> Means:
    parts = np.split(own[..., 1:], 4, axis=-1)
    return Means(own[..., 0], Tally(labelled, *parts[:2]), Tally(labelled, *parts[2:]))
