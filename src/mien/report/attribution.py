"""Where a joint model's gain comes from: codec, classifier, and that they learned together.

    joint - pretrained  =  (compression-only - pretrained)      the codec
                         + (classifier-decoded - pretrained)    the classifier
                         + the rest                             their adaptation to each other

Beside these, joint is compared with each training alone: is it better at equal rate?

Each difference is one of mean accuracy over the rates that all curves cover, so that the parts
add up; a Bjontegaard delta is over the rates of two curves alone.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from mien.metrics.curves import common_means
from mien.report.estimates import Points, estimate
from mien.report.statistics import Attribution, Estimate
from mien.runs import (
    CLASSIFIER_DECODED,
    CLASSIFIER_RAW,
    CODEC_RD,
    COMPRESSION_ONLY,
    JOINT,
    PRETRAINED,
)

Floats = NDArray[np.float64]

# Part: the strategies whose mean accuracies are added, and those that are taken off
PARTS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "joint": ((JOINT,), (PRETRAINED,)),
    "codec": ((COMPRESSION_ONLY,), (PRETRAINED,)),
    "codec-rd": ((CODEC_RD,), (PRETRAINED,)),
    "codec-ce": ((COMPRESSION_ONLY,), (CODEC_RD,)),
    "classifier": ((CLASSIFIER_DECODED,), (PRETRAINED,)),
    "classifier-raw": ((CLASSIFIER_RAW,), (PRETRAINED,)),
    "classifier-decoded": ((CLASSIFIER_DECODED,), (CLASSIFIER_RAW,)),
    "adaptation": ((JOINT, PRETRAINED), (COMPRESSION_ONLY, CLASSIFIER_DECODED)),
    "beyond-codec": ((JOINT,), (COMPRESSION_ONLY,)),
    "beyond-classifier": ((JOINT,), (CLASSIFIER_DECODED,)),
}


def attribution_of(points: Mapping[str, Points]) -> Attribution:
    """Return every part of the gain, and joint beyond two of them, in percentage points.

    Args:
        points: The rate points of every strategy that was run; a part of one that was not says
            so instead of a number.
    """
    curves = {name: points[name] for name in _involved() if name in points}
    low, high, means = common_means([found.whole for found in curves.values()])
    drawn = common_means([found.resampled for found in curves.values()])[2]
    values, samples = (dict(zip(curves, found, strict=True)) for found in (means, drawn))
    shared = bool(high[0] > low[0])
    return Attribution(
        low=float(10 ** low[0]) if shared else None,
        high=float(10 ** high[0]) if shared else None,
        parts={part: _part(part, values, samples) for part in PARTS},
    )


def _involved() -> list[str]:
    return list(
        dict.fromkeys(name for part in PARTS.values() for side in part for name in side)
    )


def _part(part: str, values: Mapping[str, Floats], samples: Mapping[str, Floats]) -> Estimate:
    added, taken = PARTS[part]
    if missing := [name for name in (*added, *taken) if name not in values]:
        reason = f"not run: add {' and '.join(missing)} to strategies"
        return Estimate(value=None, low=None, high=None, absent=1.0, reason=reason)
    value, drawn = (
        np.sum([found[name] for name in added], axis=0)
        - np.sum([found[name] for name in taken], axis=0)
        for found in (values, samples)
    )
    if np.isnan(value[0]):
        return estimate(None, drawn, "the curves share no range of rate")
    return estimate(float(value[0]), drawn)
