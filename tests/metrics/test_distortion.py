"""PSNR against its definition in floats, and the traps of 8-bit arithmetic."""

import math

import numpy as np
import pytest

from mien.metrics.distortion import psnr


def pictures(seed, shape=(47, 65, 3)):
    generator = np.random.default_rng(seed)
    return (generator.integers(0, 256, shape, dtype=np.uint8) for _ in range(2))


@pytest.mark.parametrize("seed", range(3))
def test_psnr_is_its_definition(seed):
    raw, decoded = pictures(seed)
    mse = np.mean((raw.astype(float) / 255 - decoded.astype(float) / 255) ** 2)
    assert psnr(raw, decoded) == pytest.approx(-10 * math.log10(mse), rel=1e-12)
    assert psnr(raw, decoded) == psnr(decoded, raw)


def test_differences_do_not_wrap_around():
    black = np.zeros((8, 8, 3), np.uint8)
    assert psnr(black, black + 255) == pytest.approx(0.0)
    assert psnr(black, black + 1) == pytest.approx(48.1308, abs=1e-4)


def test_identical_pictures_have_no_finite_psnr():
    raw, _ = pictures(0)
    assert psnr(raw, raw.copy()) == math.inf


def test_pictures_that_cannot_be_compared_are_refused():
    raw, decoded = pictures(0)
    with pytest.raises(ValueError, match="cannot compare"):
        psnr(raw, decoded[:-1])
    with pytest.raises(ValueError, match="uint8"):
        psnr(raw, decoded / np.float32(255))
    with pytest.raises(ValueError, match="cannot compare"):
        psnr(raw[:0], decoded[:0])
