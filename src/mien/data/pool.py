"""One function over many items in worker processes: results in order, errors as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
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
        chunksize: Items sent to a process at a time.
    """
    if min(workers, len(items)) <= 1:
        yield from map(function, items)
        return
    # Not forked: pyarrow's threads may hold a lock that a forked child would wait for forever.
    with ProcessPoolExecutor(min(workers, len(items)), get_context("spawn")) as pool:
        yield from pool.map(function, items, chunksize=chunksize)
