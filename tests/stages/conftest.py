"""A made-up results folder as the working directory, a fresh copy for every test."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from mien.params import Params
from mien.stages.summarise import summarise
from tests.support.results import params_of, write_results


@pytest.fixture(scope="session")
def results_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    back = Path.cwd()
    os.chdir(folder)
    try:
        write_results(params_of(), n=60)
        summarise(params_of())
    finally:
        os.chdir(back)
    return folder


@pytest.fixture
def results(results_once: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Params:
    """Return the params of a results folder that is now the working directory."""
    shutil.copytree(results_once, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return params_of()
