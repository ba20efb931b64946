"""TensorBoard's event files of a training, for those who ask for them.

    tensorboard --logdir logs/tensorboard

They are for watching: history.csv is the record.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from mien.training.resume import Row

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

STEPS = 50  # steps from one point of the running terms to the next


class Events:
    """Scalars over steps: `step/..` every STEPS steps, `train/..` and `val/..` per epoch."""

    def __init__(self, folder: Path | None) -> None:
        """Write below `folder`; None: nothing is written."""
        self._folder = folder
        self._writer: SummaryWriter | None = None

    def begin(self, step: int) -> None:
        """Begin, or go on behind `step` steps: what a killed training wrote later is void."""
        if self._folder is None:
            return
        from torch.utils.tensorboard import SummaryWriter  # a second, and only on request

        if step == 0:
            for path in self._folder.glob("events.out.tfevents.*"):
                path.unlink()
        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)

    def step(self, step: int, terms: Row) -> None:
        """Write the terms of the loss of one step in STEPS."""
        if step % STEPS == 0:
            self._write("step", step, terms)

    def epoch(self, step: int, row: Row) -> None:
        """Write a row of the history, `step` steps after the start."""
        for part in ("train", "val"):
            prefix = f"{part}_"
            named = {k.removeprefix(prefix): v for k, v in row.items() if k.startswith(prefix)}
            self._write(part, step, named)
        self._write("schedule", step, {"lr": row["lr"], "epoch": row["epoch"]})

    def end(self) -> None:
        """Close the file."""
        if self._writer:
            self._writer.close()

    def _write(self, part: str, step: int, values: Row) -> None:
        if self._writer is None:
            return
        for name, value in values.items():
            self._writer.add_scalar(f"{part}/{name}", value, step)
        self._writer.flush()


NOWHERE = Events(None)
