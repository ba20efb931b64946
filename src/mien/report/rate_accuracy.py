"""Accuracy over rate as plain rows, which `dvc plots` draws for several revisions at once."""

from __future__ import annotations

import csv
import io

from mien.report.statistics import Statistics

COLUMNS = ("strategy", "setting", "bpp", "accuracy", "low", "high")


def rate_accuracy(statistics: Statistics) -> str:
    """Return CSV with a row per rate point: bit/pixel, percent, and its 95 % interval.

    Settings of the sweeps are left out: they are points beside the curves.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for strategy, settings in statistics.runs.items():
        for setting, run in sorted(settings.items(), key=lambda item: item[1].bpp):
            if setting == f"q{run.quality}":
                accuracy = run.accuracy
                shown = (accuracy.value, accuracy.low, accuracy.high)
                values = (f"{value:.3f}" for value in shown)
                writer.writerow((strategy, setting, f"{run.bpp:.5f}", *values))
    return text.getvalue()
