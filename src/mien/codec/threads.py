"""Pictures in threads of their own, each with one thread of torch's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")


def in_threads(
    function: Callable[[Item], Result], items: Sequence[Item] | Tensor
) -> list[Result]:
    """Return the results in order, computed by as many threads as torch has.

    Inside, torch itself has one thread, so that no result depends on how many there are.
    """
    threads = torch.get_num_threads()
    alone = partial(torch.set_num_threads, 1)
    try:
        alone()
        if min(len(items), threads) < 2:
            return [function(item) for item in items]
        with ThreadPoolExecutor(min(len(items), threads), initializer=alone) as pool:
            return list(pool.map(function, items))
    finally:
        torch.set_num_threads(threads)  # a thread of the pool has set everybody's
