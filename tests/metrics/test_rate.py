"""Rate is stored bytes over coded pixels."""

import pytest

from mien.metrics.rate import bits_per_pixel


def test_rate_counts_bits_over_the_coded_pixels():
    assert bits_per_pixel(328, 256, 256) == 328 * 8 / 65536
    assert bits_per_pixel(1, 2, 4) == 1.0


def test_the_same_bytes_cost_more_per_source_pixel():
    ratio = bits_per_pixel(328, 224, 224) / bits_per_pixel(328, 256, 256)
    assert ratio == pytest.approx(1.306, abs=5e-4)


@pytest.mark.parametrize("arguments", [(-1, 8, 8), (1, 0, 8), (1, 8, -8)])
def test_impossible_sizes_are_refused(arguments):
    with pytest.raises(ValueError, match=r"n_bytes|pixels"):
        bits_per_pixel(*arguments)
