"""Many PCHIP integrals at once against SciPy's one at a time."""

import numpy as np
import pytest
from scipy.interpolate import PchipInterpolator

from mien.metrics.pchip import integral, values

ROWS = 40


@pytest.mark.parametrize("n", range(2, 10))
@pytest.mark.parametrize("shape", ["rising", "wild", "flat steps"])
def test_integrals_agree_with_scipy(n, shape):
    generator = np.random.default_rng(n)
    x = np.sort(generator.random((ROWS, n)), axis=1)
    y = generator.normal(size=(ROWS, n))
    if shape == "rising":
        y = np.sort(y, axis=1)
    elif shape == "flat steps":
        y = np.round(np.sort(y, axis=1))
    share = np.sort(generator.random((ROWS, 2)), axis=1)
    low, high = (x[:, 0] + share[:, i] * (x[:, -1] - x[:, 0]) for i in (0, 1))
    expected = [
        PchipInterpolator(*row).integrate(a, b)
        for *row, a, b in zip(x, y, low, high, strict=True)
    ]
    np.testing.assert_allclose(integral(x, y, low, high), expected, rtol=1e-9, atol=1e-12)


def test_the_whole_curve_and_an_empty_interval():
    x, y = np.array([[0.0, 1.0, 3.0]]), np.array([[0.0, 1.0, 3.0]])
    assert integral(x, y, x[:, 0], x[:, -1]) == pytest.approx([4.5])
    assert integral(x, y, x[:, 1], x[:, 1]) == pytest.approx([0.0])


@pytest.mark.parametrize("n", range(2, 10))
def test_values_agree_with_scipy(n):
    generator = np.random.default_rng(n)
    x = np.sort(generator.random((ROWS, n)), axis=1)
    y = np.round(generator.normal(0, 2, size=(ROWS, n)))
    at = x[:, 0] + generator.random(ROWS) * (x[:, -1] - x[:, 0])
    at[:3] = x[0, 0], x[1, -1], x[2, n // 2]
    expected = [PchipInterpolator(*row)(a) for *row, a in zip(x, y, at, strict=True)]
    np.testing.assert_allclose(values(x, y, at), expected, rtol=1e-9, atol=1e-12)
