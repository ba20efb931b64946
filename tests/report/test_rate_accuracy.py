import csv
import io

import pytest

from mien.report.rate_accuracy import rate_accuracy


def test_curves_hold_every_rate_point_and_no_sweep(statistics):
    rows = list(csv.DictReader(io.StringIO(rate_accuracy(statistics))))
    for strategy, settings in statistics.runs.items():
        points = [row for row in rows if row["strategy"] == strategy]
        assert {row["setting"] for row in points} == {n for n in settings if "-" not in n}
        rates = [float(row["bpp"]) for row in points]
        assert rates == sorted(rates)
        for row in points:
            run = settings[row["setting"]]
            assert float(row["bpp"]) == pytest.approx(run.bpp, abs=5e-6)
            measured = [float(row[name]) for name in ("low", "accuracy", "high")]
            wanted = [run.accuracy.low, run.accuracy.value, run.accuracy.high]
            assert measured == pytest.approx(wanted, abs=5e-4)
    assert any("-" in name for settings in statistics.runs.values() for name in settings)
