"""Recall over rate: the right curves in the right panels, and what has no images."""

import numpy as np
import pytest

from mien.expressions import EXPRESSIONS
from mien.report.recalls import NO_IMAGES, recall_over_rate
from mien.report.style import LOOKS


@pytest.mark.usefixtures("styled")
def test_every_panel_shows_its_expression_at_every_rate_point(statistics):
    for axes, expression in zip(recall_over_rate(statistics).axes, EXPRESSIONS, strict=True):
        n = statistics.dataset.counts[expression]
        assert axes.get_title(loc="left") == f"{expression}, n = {n}"
        for line, strategy in zip(axes.lines, statistics.strategies, strict=False):
            runs = [statistics.runs[strategy][name] for name in statistics.reference]
            np.testing.assert_allclose(line.get_xdata(), [run.bpp for run in runs])
            recalls = [run.decoded.recall[expression].value for run in runs]
            np.testing.assert_allclose(line.get_ydata(), recalls)
            assert line.get_marker() == LOOKS[strategy].marker
        assert len(axes.lines) == len(axes.collections) == (3 if n else 0)


@pytest.mark.usefixtures("styled")
def test_an_expression_without_images_says_so(statistics):
    assert statistics.dataset.absent == ["contempt"]
    texts = [
        [text.get_text() for text in axes.texts] for axes in recall_over_rate(statistics).axes
    ]
    assert texts == [*[[]] * 7, [NO_IMAGES]]
