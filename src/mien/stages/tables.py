"""Write the tables, each as Markdown, LaTeX and CSV of the same rows."""

from __future__ import annotations

from mien import paths
from mien.files import write_text
from mien.params import Params
from mien.report.rate_accuracy import rate_accuracy
from mien.report.render import comma_separated, latex, markdown
from mien.report.statistics import read_statistics
from mien.report.tables import all_tables, bjontegaard_text
from mien.report.timings import read_timings, timings_table
from mien.runs import all_runs

FORMATS = {"md": markdown, "tex": latex, "csv": comma_separated}


def tables(params: Params) -> None:
    """Write every table in every format, the one of times as Markdown, and a curve as CSV.

    Raises:
        DataError: If statistics.json or timings.json is missing, or the former has other runs
            than `params`.
    """
    statistics = read_statistics(paths.STATISTICS, all_runs(params))
    for name, table in all_tables(statistics).items():
        for suffix, rendered in FORMATS.items():
            write_text(paths.TABLES / f"{name}.{suffix}", rendered(table))
    write_text(paths.RATE_ACCURACY, rate_accuracy(statistics))
    write_text(paths.TIMINGS_TABLE, markdown(timings_table(read_timings(paths.TIMINGS))))


def printed_deltas(params: Params) -> str:
    """Return the Bjontegaard table as text for a terminal.

    Raises:
        DataError: If statistics.json is missing or has other runs than `params`.
    """
    return bjontegaard_text(read_statistics(paths.STATISTICS, all_runs(params)))
