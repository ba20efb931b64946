"""What a training is in the middle of, on disk, so that a killed one goes on.

The folder is outside every output that the workflow declares, since the workflow deletes the
outputs of a killed job. A state holds everything that decides the steps to come: weights,
optimisers, schedule, generators, the position in the data, and what was found so far.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from mien.errors import CheckpointError
from mien.files import replacing
from mien.tensors import DAMAGE

Row = dict[str, float]


@dataclass
class Progress:
    """How far a training is.

    Attributes:
        epoch: The one that is trained, from 1.
        steps: Batches of it that were trained on.
        skipped: Of those, the ones whose loss or gradient was not finite.
        sums: Of each term over its other steps.
        history: A row for each epoch before it, row 0 the start.
        best: The epoch with the lowest val loss.
    """

    epoch: int = 1
    steps: int = 0
    skipped: int = 0
    sums: Row = field(default_factory=dict)
    history: list[Row] = field(default_factory=list)
    best: int = 0


class Keeper:
    """The folder of one training's state."""

    def __init__(self, folder: Path, seconds: float, *, writes: bool = True) -> None:
        """Keep a state in `folder`, at most every `seconds` and after each epoch.

        Of several processes that train together one `writes`; all of them read.
        """
        self.folder = folder
        self.seconds = seconds
        self.writes = writes
        self._saved_at = time.monotonic()

    def due(self) -> bool:
        """Return whether it is time to save within an epoch."""
        return self.writes and time.monotonic() - self._saved_at >= self.seconds

    def save(self, progress: Progress, state: Mapping[str, Any]) -> None:
        """Write everything that decides the steps to come, replacing the last state."""
        if not self.writes:
            return
        self._write("state", {"progress": asdict(progress), "task": state, "random": _random()})
        for path in self.folder.glob("best-*.pt"):
            if path.name != f"best-{progress.best}.pt":
                path.unlink()
        self._saved_at = time.monotonic()

    def save_best(self, epoch: int, weights: Mapping[str, Tensor]) -> None:
        """Write the weights of the epoch that is the best so far, before its state."""
        if self.writes:
            self._write(f"best-{epoch}", weights)

    def load(self) -> tuple[Progress, dict[str, Any]] | None:
        """Return the last state and set the generators to it; None if there is none.

        Raises:
            CheckpointError: If it cannot be read.
        """
        path = self.folder / "state.pt"
        if not path.is_file():
            return None
        state = _read(path)
        random = state["random"]
        torch.set_rng_state(random["cpu"])
        if torch.cuda.is_available() and random["cuda"] is not None:  # saved on a GPU, too
            torch.cuda.set_rng_state(random["cuda"])
        return Progress(**state["progress"]), state["task"]

    def load_best(self, epoch: int) -> dict[str, Tensor]:
        """Return the weights that `save_best` wrote."""
        weights: dict[str, Tensor] = _read(self.folder / f"best-{epoch}.pt")
        return weights

    def remove(self) -> None:
        """Remove the folder of a training whose results are written."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _write(self, name: str, value: Any) -> None:
        with replacing(self.folder / f"{name}.pt") as temporary:
            torch.save(value, temporary)


def _random() -> dict[str, Any]:
    """Return the generators' states, which are the same in processes that train together."""
    cuda = torch.cuda.get_rng_state() if torch.cuda.is_available() else None
    return {"cpu": torch.get_rng_state(), "cuda": cuda}


def _read(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, *DAMAGE) as error:
        raise CheckpointError(
            f"{path}: not the state of a training: {' '.join(str(error).split())}: delete its "
            "folder to begin anew"
        ) from None
