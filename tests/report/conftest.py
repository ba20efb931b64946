"""The statistics of a made-up results folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien import paths
from mien.report import style
from mien.report.statistics import Statistics, read_statistics
from mien.runs import all_runs
from mien.stages.summarise import summarise
from tests.support.results import params_of, write_results


@pytest.fixture(scope="session")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with every run's files and their statistics."""
    folder = tmp_path_factory.mktemp("results")
    back = Path.cwd()
    os.chdir(folder)
    try:
        write_results(params_of())
        summarise(params_of())
    finally:
        os.chdir(back)
    return folder


@pytest.fixture(scope="session")
def statistics(results: Path) -> Statistics:
    return read_statistics(results / paths.STATISTICS, all_runs(params_of()))


@pytest.fixture
def styled() -> Iterator[None]:
    """Use the figures' style during one test."""
    with style.applied():
        yield
