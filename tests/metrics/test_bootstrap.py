"""The paired bootstrap: pairing, determinism, and intervals of the right width."""

import numpy as np
import pytest
from scipy import stats

from mien.metrics.bootstrap import interval, open_interval, resampled_means


def test_all_columns_share_the_resampled_images():
    values = np.random.default_rng(0).random((60, 3))
    values[:, 2] = 1 - values[:, 0]
    means = resampled_means(values, 300, seed=1)
    np.testing.assert_allclose(means[:, 0] + means[:, 2], 1.0, atol=1e-12)
    again = resampled_means(values[:, [1]], 300, seed=1)
    np.testing.assert_allclose(again[:, 0], means[:, 1], rtol=1e-12)


def test_every_resample_is_of_n_images_drawn_with_replacement():
    n = 40
    counts = resampled_means(np.eye(n), 500, seed=2) * n
    np.testing.assert_allclose(counts, np.round(counts), atol=1e-9)
    np.testing.assert_allclose(counts.sum(axis=1), n)
    assert (np.round(counts) == 0).mean() == pytest.approx(np.exp(-1), abs=0.02)
    assert len(np.unique(np.round(counts), axis=0)) == 500  # no two resamples are alike


def test_seeds_decide_everything():
    values = np.random.default_rng(0).random((50, 2))
    first, second = (resampled_means(values, 200, seed) for seed in (3, 3))
    np.testing.assert_array_equal(first, second)
    assert not np.array_equal(first, resampled_means(values, 200, seed=4))


def test_the_interval_of_an_accuracy_has_the_width_of_theory():
    n = 4000  # as AffectNet: +-1.55 points at 50 %
    correct = (np.arange(n) % 2).astype(float)[:, None]
    found = interval(100 * resampled_means(correct, 4000, seed=5)[:, 0])
    assert found.high - found.low == pytest.approx(2 * 1.55, rel=0.05)
    assert (found.high + found.low) / 2 == pytest.approx(50.0, abs=0.1)
    assert found.absent == 0.0


def test_the_interval_of_a_mean_agrees_with_scipy():
    values = np.random.default_rng(6).gamma(2.0, size=80)
    oracle = stats.bootstrap(
        (values,), np.mean, n_resamples=5000, method="percentile", random_state=0
    ).confidence_interval
    found = interval(resampled_means(values[:, None], 5000, seed=7)[:, 0])
    assert found.low == pytest.approx(oracle.low, abs=0.02)
    assert found.high == pytest.approx(oracle.high, abs=0.02)


def test_absent_values_are_counted_and_not_averaged():
    samples = np.r_[np.full(10, np.nan), np.linspace(0, 1, 30)]
    found = interval(samples)
    assert found.absent == pytest.approx(0.25)
    assert (found.low, found.high) == pytest.approx((0.025, 0.975))
    nothing = interval(np.full(5, np.nan))
    assert (nothing.low, nothing.high, nothing.absent) == (None, None, 1.0)


def test_an_interval_is_open_where_samples_lie_beyond_what_was_measured():
    inside = np.linspace(0, 1, 1001)
    found = open_interval(inside)
    assert (found.low, found.high, found.absent) == (
        pytest.approx(0.025),
        pytest.approx(0.975),
        0,
    )
    few = open_interval(np.r_[inside, np.full(10, np.inf)])  # fewer than 2.5 %
    assert 0.98 < few.high <= 1
    many = open_interval(np.r_[inside, np.full(100, np.inf), np.full(100, -np.inf)])
    assert (many.low, many.high) == (None, None)
    assert open_interval(np.r_[inside, np.full(1001, np.nan)]).absent == pytest.approx(0.5)
    assert open_interval(np.full(3, np.nan)).low is None


@pytest.mark.parametrize(("n", "resamples"), [(0, 10), (10, 0)])
def test_nothing_to_draw_is_refused(n, resamples):
    with pytest.raises(ValueError, match="cannot draw"):
        resampled_means(np.ones((n, 1)), resamples, seed=0)
