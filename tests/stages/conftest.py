"""Working directories: made-up results, a fresh copy for every test; shards to train on."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from mien.params import Params
from mien.stages.ingest import ingest
from mien.stages.pretrain import pretrain_classifier, pretrain_codec
from mien.stages.shard import shard
from mien.stages.summarise import summarise
from tests.data.conftest import affectnet_folder, load
from tests.support.results import params_of, write_results
from tests.support.trainings import PARAMS


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


@pytest.fixture(scope="session")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with shards of 18 training pictures and pretrained models."""
    folder = tmp_path_factory.mktemp("finetune")
    before = Path.cwd()
    os.chdir(folder)
    affectnet_folder(folder / "raw")
    params = load(folder, **PARAMS)
    ingest(params, workers=1)
    shard(params, workers=1)
    pretrain_codec(params, 1)
    pretrain_classifier(params)
    os.chdir(before)
    return folder


@pytest.fixture
def params(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Params]:
    """Return the params of `home`, the working directory; what is trained there goes."""
    monkeypatch.chdir(home)
    yield load(home, **PARAMS)
    for path in home.glob("results/*/*/*"):
        path.unlink()
    shutil.rmtree(home / "work", ignore_errors=True)
