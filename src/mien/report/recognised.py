"""Recognition on one kind of pictures, decoded or raw: per expression, and how sure."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mien.expressions import EXPRESSIONS
from mien.metrics import calibration
from mien.metrics.recognition import Tally, confusion_matrix
from mien.metrics.temperature import probabilities
from mien.report.estimates import estimate, measured
from mien.report.evaluation import Answers, Evaluation
from mien.report.statistics import Bin, Estimate, Recognition, Reliability

Floats = NDArray[np.float64]


def recognition_of(
    evaluation: Evaluation, answers: Answers, whole: Tally, resamples: Tally
) -> Recognition:
    """Return what a run's classifier makes of decoded or of raw images.

    Args:
        evaluation: The run.
        answers: Its `decoded` or `raw`.
        whole: The same answers, counted over all images.
        resamples: Counted over those of each resample, [B].
    """
    labels, temperature = evaluation.labels, evaluation.temperature
    return Recognition(
        macro_f1=measured(float(whole.macro_f1), resamples.macro_f1),
        uar=measured(float(whole.uar), resamples.uar),
        ece=None if temperature is None else _ece(answers, labels, temperature),
        ece_uncalibrated=_ece(answers, labels, 1.0),
        recall=_per_class(whole.recall, resamples.recall),
        f1=_per_class(whole.f1, resamples.f1),
        confusion=confusion_matrix(labels, answers.predictions).tolist(),
    )


def reliability_of(evaluation: Evaluation) -> dict[str, Reliability]:
    """Return the bins of the reliability diagrams of a run, `decoded` and `raw`."""
    labels, temperature = evaluation.labels, evaluation.temperature
    return {
        name: Reliability(
            uncalibrated=_bins(answers, labels, 1.0),
            calibrated=None if temperature is None else _bins(answers, labels, temperature),
        )
        for name, answers in (("decoded", evaluation.decoded), ("raw", evaluation.raw))
    }


def gaps(answers: Answers, labels: NDArray[np.int64], temperature: float) -> Floats:
    """Return what the calibration error averages over images, [n, 15]."""
    p = probabilities(answers.logits, temperature)
    return calibration.calibration_gaps(p, labels)


def _ece(answers: Answers, labels: NDArray[np.int64], temperature: float) -> float:
    mean = gaps(answers, labels, temperature).mean(axis=0)
    return float(calibration.expected_calibration_error(mean))


def _per_class(values: Floats, samples: Floats) -> dict[str, Estimate]:
    """Return a quantity of every expression; one without an image has none."""
    return {
        expression: estimate(None, samples[:, code], "no test image of this class")
        if np.isnan(values[code])
        else estimate(float(values[code]), samples[:, code])
        for code, expression in enumerate(EXPRESSIONS)
    }


def _bins(answers: Answers, labels: NDArray[np.int64], temperature: float) -> list[Bin]:
    found = calibration.reliability(probabilities(answers.logits, temperature), labels)
    return [
        Bin(n=int(n), confidence=_number(confidence), accuracy=_number(accuracy))
        for n, confidence, accuracy in zip(
            found.n, found.confidence, found.accuracy, strict=True
        )
    ]


def _number(value: float) -> float | None:
    return None if math.isnan(value) else float(value)
