from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from mien.data.pictures import rgb
from mien.data.pool import in_order
from mien.errors import DataError


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("chunksize", [1, 4])
def test_results_come_in_the_order_of_the_items(workers, chunksize):
    items = [str(n) for n in range(10)]
    assert list(in_order(int, items, workers, chunksize)) == list(range(10))


def test_nothing_to_do_gives_nothing():
    assert list(in_order(int, [], 4)) == []


OWN_PID = ["__import__('os').getpid()"] * 4


def test_work_is_done_in_other_processes():
    assert os.getpid() not in set(in_order(eval, OWN_PID, 2))


def test_one_worker_stays_in_this_process():
    assert set(in_order(eval, OWN_PID, 1)) == {os.getpid()}


@pytest.mark.parametrize("workers", [1, 2])
def test_a_refusal_in_a_worker_arrives_as_itself(workers):
    pictures = [b"no picture"] * 3
    with pytest.raises(DataError, match=r"^face\.jpg: cannot be decoded"):
        list(in_order(partial(rgb, path=Path("face.jpg")), pictures, workers))


PARENT = """
from mien.data.pool import in_order
if __name__ == "__main__":
    own_pid, nap = "__import__('os').getpid()", "__import__('time').sleep(60)"
    for n in in_order(eval, [own_pid, own_pid, nap], 2):
        print(n, flush=True)
"""


def alive(pid):
    """Return whether a process runs; a zombie that nobody reaps does not."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


def test_workers_do_not_outlive_a_parent_that_is_killed(tmp_path):
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, script], stdout=subprocess.PIPE, text=True
    ) as parent:
        workers = {int(parent.stdout.readline()) for _ in range(2)}
        assert all(alive(pid) for pid in workers)
        parent.send_signal(signal.SIGKILL)
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not any(alive(pid) for pid in workers)
