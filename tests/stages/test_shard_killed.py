"""`kill -9` at any moment, and the next start goes on."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tarfile
import time

import pytest

from mien import paths
from mien.data.verify import verify
from mien.stages.ingest import ingest
from tests.data.conftest import add, load

LOOK = {"image_size": 256, "images_per_shard": 8}


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Params of 160 images in 20 shards, indexed in the working directory."""
    monkeypatch.chdir(tmp_path)
    for number in range(150):
        add(tmp_path / "raw/train_set", number, str(number % 8), number)
    for number in range(10):
        add(tmp_path / "raw/val_set", number, str(number % 8), 1000 + number)
    params = load(tmp_path, shards=LOOK)
    ingest(params, workers=1)
    return params


def start():
    """Start the stage in a process group of its own."""
    command = [sys.executable, "-m", "mien.cli", "shard", "--threads", "2"]
    return subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True)


def finish():
    with start() as process:
        _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def contents():
    return {
        path.relative_to(paths.SHARDS).as_posix(): path.read_bytes()
        for path in paths.SHARDS.rglob("*")
        if path.is_file()
    }


def kill_when(n_shards, whole_group, delay):
    """Kill the stage `delay` seconds after so many shards are there; return how many are."""
    with start() as process:
        deadline = time.monotonic() + 60
        while len(list(paths.SHARDS.glob("*/*.tar"))) < n_shards and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.002)
        time.sleep(delay)
        if whole_group:
            os.killpg(process.pid, signal.SIGKILL)
        else:
            process.kill()
    return len(list(paths.SHARDS.glob("*/*.tar")))


@pytest.mark.usefixtures("params")
def test_a_killed_run_leaves_whole_shards_and_the_next_goes_on():
    finish()
    expected = contents()
    assert len(expected) == 2 * (18 + 2) + 1 or len(expected) > 30
    for path in paths.SHARDS.rglob("*.*"):
        path.unlink()

    rng = random.Random(0)
    there = 0
    for turn in range(5):
        there = kill_when(there + 2, whole_group=turn % 2 == 0, delay=rng.uniform(0, 0.03))
        assert not paths.SHARDS_MANIFEST.exists()
        for name, data in contents().items():
            if name.endswith((".tar", ".index.json")) and "/." not in name:
                assert data == expected[name]
    assert 10 <= there < 20
    oldest = min(paths.SHARDS.glob("*/*.tar"), key=lambda tar: tar.stat().st_mtime_ns)
    written = oldest.stat().st_mtime_ns
    finish()
    assert contents() == expected
    assert oldest.stat().st_mtime_ns == written
    assert verify(paths.SHARDS, workers=1).startswith("data/shards: whole")
    with tarfile.open(paths.SHARDS / "test/test-00000.tar") as tar:
        assert len(tar.getnames()) == 16
