"""report/index.html holds the figures that were drawn."""

import base64
import re

import pytest

from mien import paths
from mien.errors import DataError
from mien.stages.report import report


def test_the_page_holds_the_figures_as_drawn(results):
    paths.FIGURES.mkdir()
    for i, name in enumerate(paths.FIGURE_NAMES):
        (paths.FIGURES / f"{name}.png").write_bytes(bytes([i, 250, 251]) * 40)
    report(results)
    text = paths.REPORT.read_text()
    found = {base64.b64decode(data) for data in re.findall(r"base64,([^\"]+)\"", text)}
    assert found == {
        (paths.FIGURES / f"{name}.png").read_bytes() for name in paths.FIGURE_NAMES
    }
    report(results)
    assert paths.REPORT.read_text() == text


def test_a_missing_figure_is_refused(results):
    with pytest.raises(DataError, match=r"figures/fig2.png: no such file: run `mien figures`"):
        report(results)
    assert not paths.REPORT.exists()
