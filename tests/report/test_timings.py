"""timings.json: means over images, whole or refused."""

import pytest

from mien.errors import DataError
from mien.report.timings import Timing, Timings, read_timings, timings_table, write_timings

TIMINGS = Timings(
    n=20,
    runs={
        "pretrained": {"q1": Timing(encode_seconds=0.0125, decode_seconds=0.5)},
        "joint": {"q1": Timing(encode_seconds=0.25, decode_seconds=0.125)},
    },
)


def test_times_come_back_as_written(tmp_path):
    write_timings(tmp_path / "timings.json", TIMINGS)
    assert read_timings(tmp_path / "timings.json") == TIMINGS


def test_a_missing_or_foreign_file_is_refused(tmp_path):
    path = tmp_path / "timings.json"
    with pytest.raises(DataError, match=r"timings.json: no such file: run `mien summarise`"):
        read_timings(path)
    path.write_text("{}")
    with pytest.raises(DataError, match=r"timings.json: Field required: delete it"):
        read_timings(path)


def test_the_table_is_in_milliseconds():
    table = timings_table(TIMINGS)
    assert table.rows == [["pretrained", "q1", 12.5, 500.0], ["joint", "q1", 250.0, 125.0]]
    assert "n = 20 test images" in table.caption
