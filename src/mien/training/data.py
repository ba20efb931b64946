"""Which training batches an epoch has, and how they are continued in its middle."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

from mien.data import shards
from mien.data.shards import Batch
from mien.share import WHOLE, Share


@dataclass(frozen=True)
class Epochs:
    """Whole epochs of the training split, or a new choice of `limit` images in each.

    Attributes:
        manifest: The shards'.
        batch_size: Images per batch.
        seed: Of the order.
        limit: Images per epoch at most; null: all.
        share: Of each batch.
    """

    manifest: Path
    batch_size: int
    seed: int
    limit: int | None
    share: Share = WHOLE

    def steps(self, epoch: int) -> int:  # noqa: ARG002 - all epochs are alike
        """Return the number of batches in an epoch."""
        n_images = shards.count(self.manifest, "train")
        return min(n_images, self.limit or n_images) // self.batch_size

    def __call__(self, epoch: int, start: int) -> Iterator[Batch]:
        """Return the batches of an epoch behind its first `start`."""
        return shards.training_batches(
            self.manifest,
            "train",
            self.batch_size,
            self.seed,
            epoch,
            self.limit,
            start * self.batch_size,
            self.share,
        )


@dataclass(frozen=True)
class Rounds:
    """So many steps in rounds of equal length, through the training split over and over.

    A round takes the place of an epoch: after each there is a look at `val`.

    Attributes:
        manifest: The shards'.
        batch_size: Images per batch.
        seed: Of the order.
        total: Steps in all.
        rounds: Their number.
    """

    manifest: Path
    batch_size: int
    seed: int
    total: int
    rounds: int

    def steps(self, epoch: int) -> int:
        """Return the number of batches in a round, counted from 1."""
        return self._before(epoch + 1) - self._before(epoch)

    def __call__(self, epoch: int, start: int) -> Iterator[Batch]:
        """Return the batches of a round behind its first `start`."""
        pass_over = Epochs(self.manifest, self.batch_size, self.seed, None)
        begun, seen = divmod(self._before(epoch) + start, max(1, pass_over.steps(0)))
        passes = (
            pass_over(number, seen if number == begun else 0)
            for number in range(begun, begun + self.total + 1)
        )
        return islice(chain.from_iterable(passes), self.steps(epoch) - start)

    def _before(self, epoch: int) -> int:
        return self.total * (epoch - 1) // self.rounds
