"""A stage in several jobs: which of the work each one takes.

A part is a run of whole batches or whole shards, so every picture is computed beside the same
others as in one job: the same numbers, whatever the number of parts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from mien.errors import DataError


@dataclass(frozen=True)
class Part:
    """Part `number` of `total`, counted from 1: by default the only one."""

    number: int = 1
    total: int = 1

    def __str__(self) -> str:
        """Return the name in commands and paths, such as `2-of-4`."""
        return f"{self.number}-of-{self.total}"

    def of(self, n: int) -> range:
        """Return which of `n` things are this part's; none where there are too few."""
        return range((self.number - 1) * n // self.total, self.number * n // self.total)


WHOLE = Part()


def part_named(name: str) -> Part:
    """Return the part of a name such as `2-of-4`.

    Raises:
        DataError: If it names none.
    """
    found = re.fullmatch(r"(\d+)-of-(\d+)", name)
    if found is None or not 1 <= int(found[1]) <= int(found[2]):
        raise DataError(f"--part {name}: not a part: write 2-of-4 for the second of four")
    return Part(int(found[1]), int(found[2]))


def all_parts(total: int) -> list[Part]:
    """Return the parts of something in order."""
    return [Part(number, total) for number in range(1, total + 1)]
