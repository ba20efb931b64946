"""MS-SSIM against its definition in NumPy and SciPy."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter, gaussian_filter1d
from scipy.signal import convolve2d

from mien.metrics.similarity import ms_ssim

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # Wang, Simoncelli and Bovik's


def window():
    line = np.exp(-(np.arange(-5, 6) ** 2) / (2 * 1.5**2))
    square = np.outer(line, line)
    return square / square.sum()


def blurred(x):
    return convolve2d(x, window(), mode="valid")


def terms(x, y):
    """Return mean SSIM and mean contrast-structure of one channel at one scale."""
    c1, c2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
    mean_x, mean_y = blurred(x), blurred(y)
    var_x, var_y = blurred(x * x) - mean_x**2, blurred(y * y) - mean_y**2
    structure = (2 * (blurred(x * y) - mean_x * mean_y) + c2) / (var_x + var_y + c2)
    light = (2 * mean_x * mean_y + c1) / (mean_x**2 + mean_y**2 + c1)
    return (light * structure).mean(), structure.mean()


def halved(x):
    return (x[::2, ::2] + x[1::2, ::2] + x[::2, 1::2] + x[1::2, 1::2]) / 4


def by_hand(x, y):
    values = []
    for a, b in zip(x.astype(float), y.astype(float), strict=True):
        product = 1.0
        for scale, weight in enumerate(WEIGHTS):
            ssim, structure = terms(a, b)
            product *= (ssim if scale == 4 else structure) ** weight
            a, b = (halved(a), halved(b)) if scale < 4 else (a, b)
        values.append(product)
    return np.mean(values)


def pictures(seed, size=176):
    """Return a smooth picture and a blurred, noisy copy of it, uint8 [3, size, size]."""
    generator = np.random.default_rng(seed)
    smooth = gaussian_filter(generator.normal(size=(3, size, size)), (0, 4, 4))
    raw = 128 + 900 * smooth
    copy = gaussian_filter1d(raw, 2.0, axis=2) + generator.normal(0, 6, raw.shape)
    return (np.clip(np.round(x), 0, 255).astype(np.uint8) for x in (raw, copy))


def test_ms_ssim_is_its_definition_for_each_picture():
    pairs = [tuple(pictures(seed)) for seed in (0, 1)]
    raw, decoded = (torch.from_numpy(np.stack(part)) for part in zip(*pairs, strict=True))
    expected = [by_hand(*pair) for pair in pairs]
    assert ms_ssim(raw, decoded) == pytest.approx(expected, abs=2e-5)
    assert max(expected) < 0.99


def test_identical_pictures_are_alike():
    raw = torch.from_numpy(np.stack(list(pictures(2))))
    assert ms_ssim(raw, raw) == pytest.approx([1.0, 1.0])


def test_small_pictures_have_none():
    assert ms_ssim(torch.zeros(2, 3, 160, 300), torch.zeros(2, 3, 160, 300)) == [None, None]
