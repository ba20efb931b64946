"""The table files: all of them, from statistics.json alone."""

import csv
import shutil

import pytest

from mien import paths
from mien.errors import DataError
from mien.report.statistics import read_statistics
from mien.runs import all_runs
from mien.stages.tables import printed_deltas, tables
from tests.support.results import params_of


def test_every_table_is_written_in_three_formats(results):
    tables(results)
    expected = {f"{name}.{kind}" for name in paths.TABLE_NAMES for kind in ("md", "tex", "csv")}
    expected.add("timings.md")
    assert {path.name for path in paths.TABLES.iterdir()} == expected


def test_statistics_are_all_that_tables_need(results):
    tables(results)
    first = {path.name: path.read_bytes() for path in paths.TABLES.iterdir()}
    for strategy in ("pretrained", "compression-only", "joint"):
        shutil.rmtree(f"results/{strategy}")
    shutil.rmtree(paths.TABLES)
    tables(results)
    assert {path.name: path.read_bytes() for path in paths.TABLES.iterdir()} == first


def test_the_csv_holds_the_numbers_of_statistics_json(results):
    tables(results)
    statistics = read_statistics(paths.STATISTICS, all_runs(results))
    with (paths.TABLES / "runs.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(all_runs(results))
    joint = {row["setting"]: row for row in rows if row["strategy"] == "joint"}
    for setting, run in statistics.runs["joint"].items():
        assert float(joint[setting]["accuracy"]) == run.accuracy.value
        assert float(joint[setting]["change_low"]) == run.change.low
        assert float(joint[setting]["bpp"]) == run.bpp
        assert joint[setting]["ms_ssim"] == ""  # 64x64 is too small for it


def test_statistics_of_other_params_are_refused(results):
    tables(results)
    with pytest.raises(DataError, match=r"statistics.json: lacks the run .*q2"):
        tables(params_of(codec={"qualities": [1, 2, 3, 5, 8]}))
    with pytest.raises(DataError, match="has the run joint/"):
        printed_deltas(params_of(strategies=["compression-only"]))


def test_the_terminal_text_is_printable_anywhere(results):
    text = printed_deltas(results)
    text.encode("ascii")
    assert "n = 60 test images" in text
    assert not text.endswith("\n")
