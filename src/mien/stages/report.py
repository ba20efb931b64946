"""Write report/index.html: the tables and figures with the words that belong to them."""

from __future__ import annotations

from mien import paths
from mien.errors import DataError
from mien.files import write_text
from mien.params import Params
from mien.report.page import page
from mien.report.statistics import read_statistics
from mien.runs import all_runs


def report(params: Params) -> None:
    """Write the page from statistics.json and the figures' PNG files.

    Raises:
        DataError: If one of them is missing, or statistics.json has other runs than `params`.
    """
    statistics = read_statistics(paths.STATISTICS, all_runs(params))
    images = {name: _png(name) for name in paths.FIGURE_NAMES}
    write_text(paths.REPORT, page(statistics, images))


def _png(name: str) -> bytes:
    path = paths.FIGURES / f"{name}.png"
    if not path.is_file():
        raise DataError(f"{path}: no such file: run `mien figures` (`snakemake {path}`)")
    return path.read_bytes()
