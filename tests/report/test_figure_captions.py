"""Captions of figures: a sweep is told with the weights that stay."""

import pytest

from mien.report.figure_captions import figure_caption


@pytest.mark.parametrize("bpp", [2.5, {1: 20.0, 3: 2.5, 5: 1.0, 8: 0.5}])
def test_a_sweep_names_the_other_weights_of_its_quality(statistics, bpp):
    weights = statistics.weights.model_copy(update={"bpp": bpp})
    swept = statistics.model_copy(update={"weights": weights, "sweep_quality": 3})
    caption = figure_caption("fig3b", swept)
    assert (
        "CE weight w_ce on accuracy and rate at quality 3, w_bpp = 2.5 and w_mse = 1" in caption
    )
