"""One function over many items in worker processes: results in order, errors as they are."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import connection, get_context, parent_process
from threading import Thread
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def in_order(
    function: Callable[[T], R], items: Sequence[T], workers: int, chunksize: int = 1
) -> Iterator[R]:
    """Yield `function(item)` for every item, in the order of the items.

    Args:
        function: Picklable, as are the items; what it raises is raised here, the first item's
            first, and the items not yet begun are dropped.
        items: What to work on.
        workers: Processes, at least 1; with 1 (or one item) everything runs in this process.
            They end with this process, even when it is killed.
        chunksize: Items sent to a process at a time.
    """
    n_processes = min(workers, len(items))
    if n_processes <= 1:
        yield from map(function, items)
        return
    # Not forked: pyarrow's threads may hold a lock that a forked child would wait for forever.
    with ProcessPoolExecutor(n_processes, get_context("spawn"), end_with_parent) as pool:
        yield from pool.map(function, items, chunksize=chunksize)


def end_with_parent() -> None:
    """End when the parent does: an orphan would write beside the run that replaces it."""
    Thread(target=_wait_for_the_end, daemon=True).start()


def _wait_for_the_end() -> None:
    parent = parent_process()
    assert parent is not None, "not a worker"
    connection.wait([parent.sentinel])
    os._exit(1)
