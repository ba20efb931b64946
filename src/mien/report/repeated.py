"""What another training changes: the same settings trained with several seeds.

Each seed is measured on the same test images. The interval over images says how the mean over
these trainings would move on other images; the interval over seeds (Student's t) how it would
move with other trainings on these images.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from mien.metrics import bjontegaard
from mien.metrics.bootstrap import LEVEL
from mien.metrics.curves import deltas
from mien.report.estimates import Points, estimate
from mien.report.resampled import Sampled
from mien.report.statistics import Estimate, Repeated
from mien.runs import PRETRAINED, Run

Floats = NDArray[np.float64]


def repeats_of(
    samples: Mapping[Run, Sampled], strategy: str, trained: Mapping[str, Mapping[int, str]]
) -> list[Repeated]:
    """Return accuracy and gain of every repeated rate point, and the deltas if all are.

    Args:
        samples: Every run, the pretrained ones among them.
        strategy: One that trains something.
        trained: Per rate point, such as `q3`, the setting of each seed: `{0: "q3", 1:
            "q3-seed1"}`. Rate points trained once have no row.
    """
    found = [
        repeated
        for point, settings in trained.items()
        if len(settings) > 1
        for repeated in _at_point(samples, strategy, point, settings)
    ]
    seeds = [list(settings) for settings in trained.values()]
    if len(seeds[0]) > 1 and all(other == seeds[0] for other in seeds):
        found += _over_curves(samples, strategy, trained, seeds[0])
    return found


def over_seeds(values: Floats) -> Estimate:
    """Return the mean of one value per seed, [S], with the t interval over seeds."""
    if np.isnan(values).any():
        reason = f"{np.isnan(values).sum()} of {len(values)} seeds have no value"
        return Estimate(value=None, low=None, high=None, absent=0.0, reason=reason)
    mean, error = values.mean(), values.std(ddof=1) / np.sqrt(len(values))
    half = float(stats.t.ppf((1 + LEVEL) / 2, len(values) - 1)) * error
    return Estimate(value=mean, low=mean - half, high=mean + half, absent=0.0, reason=None)


def _at_point(
    samples: Mapping[Run, Sampled], strategy: str, point: str, settings: Mapping[int, str]
) -> list[Repeated]:
    runs = [samples[Run(strategy, setting)] for setting in settings.values()]
    start = samples[Run(PRETRAINED, point)]
    whole = np.array([run.whole.decoded.accuracy for run in runs])
    drawn = np.array([run.resamples.decoded.accuracy for run in runs])
    seeds = list(settings)
    return [
        _repeated("accuracy", point, seeds, whole, drawn),
        _repeated(
            "gain",
            point,
            seeds,
            whole - start.whole.decoded.accuracy,
            drawn - start.resamples.decoded.accuracy,
        ),
    ]


def _over_curves(
    samples: Mapping[Run, Sampled],
    strategy: str,
    trained: Mapping[str, Mapping[int, str]],
    seeds: list[int],
) -> list[Repeated]:
    start = Points.of([samples[Run(PRETRAINED, point)] for point in trained])
    curves = [
        Points.of([samples[Run(strategy, settings[seed])] for settings in trained.values()])
        for seed in seeds
    ]
    smooth = bjontegaard.envelope(start.curve)
    whole = [bjontegaard.compare(smooth, bjontegaard.envelope(curve.curve)) for curve in curves]
    drawn = [deltas(start.resampled, curve.resampled) for curve in curves]
    values = {
        "bd_accuracy": [found.bd_accuracy.value for found in whole],
        "bd_rate": [found.bd_rate.value for found in whole],
    }
    return [
        _repeated(name, None, seeds, np.array(values[name], float), np.array(parts))
        for name, parts in zip(values, zip(*drawn, strict=True), strict=True)
    ]


def _repeated(
    quantity: str, point: str | None, seeds: list[int], whole: Floats, drawn: Floats
) -> Repeated:
    """Return one quantity, of which every seed has a value, [S], and resampled ones, [S, B]."""
    among = over_seeds(whole)
    return Repeated.model_validate(
        {
            "setting": point,
            "quantity": quantity,
            "seeds": seeds,
            "over_images": estimate(among.value, drawn.mean(axis=0), among.reason).model_dump(),
            "over_seeds": among.model_dump(),
            "deviation": None if among.value is None else whole.std(ddof=1),
        }
    )
