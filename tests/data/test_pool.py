from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import pytest

from mien.data.pictures import decoded
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
        list(in_order(partial(decoded, path=Path("face.jpg")), pictures, workers))
