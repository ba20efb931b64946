"""The bootstrap's time on one core, and whether its intervals hold what they promise.

    python benchmarks/statistics.py [--quick] [--json FILE]

`bootstrap_seconds`: two strategies of 9 rate points on 4,000 images, 2,000 resamples, from what
was answered to every image to both Bjontegaard deltas and all accuracies with their intervals.
`coverage`: the share of simulated pairs of curves whose 95 % interval of BD-Accuracy holds the
true one. In a simulation each image is as hard for every codec and rate, and as large, as real
ones are, so that all accuracies and rates are correlated; the truth is that of infinitely many
images.
"""

from __future__ import annotations

import os
import sys
import time
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # or this file would hide Python's own `statistics`
    sys.path[0] = str(Path(__file__).resolve().parent.parent)
    os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}  # before NumPy

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from benchmarks.measure import parser, write_results
from mien.metrics.bjontegaard import compare, curve
from mien.metrics.bootstrap import interval, resampled_means
from mien.metrics.curves import deltas, enveloped

Floats = NDArray[np.float64]

NOISE = 0.15  # deviation of one run's view of an image's difficulty, of 0..1
SPREAD = 0.3  # deviation of log rate over images


@dataclass(frozen=True)
class Codec:
    """A made-up codec: the share of images it keeps readable, at 9 rates."""

    rate: Floats  # [K], bit/pixel
    share: Floats  # [K], of the difficulties that are still recognised

    @property
    def accuracy(self) -> Floats:
        """Percent of infinitely many images, [K].

        An image of difficulty u, uniform in 0..1, is recognised with the probability
        Phi((share - u) / NOISE); the integral of Phi is z Phi(z) + phi(z).
        """
        high, low = self.share / NOISE, (self.share - 1) / NOISE
        return 100 * NOISE * (_integral(high) - _integral(low))


@dataclass(frozen=True)
class Size:
    """How much is simulated."""

    simulations: int
    images: int
    resamples: int
    rounds: int  # of the time


QUICK = Size(simulations=100, images=1000, resamples=1000, rounds=3)
FULL = Size(simulations=2000, images=1000, resamples=1000, rounds=7)


def _integral(z: Floats) -> Floats:
    return z * norm.cdf(z) + norm.pdf(z)


def codec(top: float, loss: float, scale: float, factor: float, points: int = 9) -> Codec:
    """Return a codec whose readable share rises to `top` with the rate."""
    rate = factor * np.geomspace(0.05, 0.9, points)
    return Codec(rate, top - loss * np.exp(-rate / scale))


ANCHOR = codec(0.70, 0.40, 0.16, 1.0)
TEST = codec(0.74, 0.30, 0.12, 0.8)


def observed(codecs: list[Codec], n: int, seed: int) -> Floats:
    """Return whether every codec's K pictures of n images are recognised, and their rates.

    Returns:
        [n, 2 K S] for S codecs: accuracy in percent and rate of each, codec by codec.
    """
    generator = np.random.default_rng(seed)
    difficulty, size = generator.random((n, 1)), generator.normal(0, 0.8 * SPREAD, (n, 1))
    columns = []
    for made in codecs:
        k = len(made.rate)
        seen = difficulty + generator.normal(0, NOISE, (n, k))
        columns.append(100.0 * (seen < made.share))
        # A log-normal factor with a mean of 1, most of it common to all codecs and rates.
        spread = size + generator.normal(0, 0.6 * SPREAD, (n, k))
        columns.append(made.rate * np.exp(spread - SPREAD**2 / 2))
    return np.hstack(columns)


def bootstrapped(columns: Floats, points: int, resamples: int, seed: int) -> tuple[Floats, ...]:
    """Return BD-Accuracy, BD-Rate and the accuracies of all curves on every resample."""
    means = resampled_means(columns, resamples, seed)
    parts = [means[:, i : i + points] for i in range(0, means.shape[1], points)]
    anchor, test = enveloped(parts[1], parts[0]), enveloped(parts[3], parts[2])
    return *deltas(anchor, test), np.hstack([parts[0], parts[2]])


def coverage(size: Size) -> dict[str, float]:
    """Return how often the 95 % intervals hold the truth, in percent, by quantity."""
    truth = compare(*(curve(made.rate, made.accuracy) for made in (ANCHOR, TEST)))
    points, middle = len(ANCHOR.rate), len(ANCHOR.rate) // 2
    true = {
        "coverage": truth.bd_accuracy.value,
        "coverage_bd_rate": truth.bd_rate.value,
        "coverage_difference": TEST.accuracy[middle] - ANCHOR.accuracy[middle],
    }
    held = dict.fromkeys(true, 0)
    for seed in range(size.simulations):
        columns = observed([ANCHOR, TEST], size.images, seed)
        bd_accuracy, bd_rate, accuracy = bootstrapped(columns, points, size.resamples, seed)
        difference = accuracy[:, points + middle] - accuracy[:, middle]
        for name, samples in zip(true, (bd_accuracy, bd_rate, difference), strict=True):
            found = interval(samples)
            held[name] += bool(found.low <= true[name] <= found.high)
    return {name: 100 * count / size.simulations for name, count in held.items()}


def bootstrap_seconds(rounds: int) -> list[float]:
    """Return the wall seconds of the comparison that the module names, round by round."""
    points = len(ANCHOR.rate)
    columns = observed([ANCHOR, TEST], 4000, seed=0)
    taken = []
    for seed in range(rounds + 1):
        start = time.perf_counter()
        bd_accuracy, bd_rate, accuracy = bootstrapped(columns, points, 2000, seed)
        for samples in (bd_accuracy, bd_rate, *accuracy.T):
            interval(samples)
        taken.append(time.perf_counter() - start)
    return taken[1:]  # the first warms up


def main() -> None:
    args = parser(__doc__).parse_args()
    size = QUICK if args.quick else FULL
    taken = bootstrap_seconds(size.rounds)
    table = {"bootstrap_seconds": float(np.median(taken))}
    print(
        "bootstrap of 2 x 9 points, 4,000 images, 2,000 resamples, one thread: "
        f"{table['bootstrap_seconds']:.2f} s ({min(taken):.2f} to {max(taken):.2f})",
        flush=True,
    )
    start = time.perf_counter()
    shares = coverage(size)
    for name, share in shares.items():
        error = 100 * (0.95 * 0.05 / size.simulations) ** 0.5
        print(
            f"{name}: {share:.1f} % of {size.simulations} simulations (95 +- {2 * error:.1f})"
        )
    print(
        f"{size.images:,} images, {size.resamples:,} resamples each, "
        f"{time.perf_counter() - start:.0f} s"
    )
    table |= shares | {"simulations": size.simulations}
    write_results(args.json, table, threads=1)


if __name__ == "__main__":
    main()
