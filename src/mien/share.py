"""One process's part of what several processes do together."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Share:
    """Part `rank` of `size` equal ones: by default all of it.

    A batch, and whatever is drawn for it at random, is that of all processes; each takes its
    part. So several processes see what one would.
    """

    rank: int = 0
    size: int = 1

    def total(self, n: int) -> int:
        """Return how many things there are in all when each share has `n`."""
        return n * self.size

    def part(self, total: int) -> slice:
        """Return where this share lies among `total` things, which all shares divide evenly."""
        n = total // self.size
        return slice(self.rank * n, (self.rank + 1) * n)


WHOLE = Share()
