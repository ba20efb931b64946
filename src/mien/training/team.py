"""The processes that train one model together, a GPU each: Lightning Fabric starts them.

Each sees its share of every batch. Gradients and the terms of the loss are averaged over the
processes, so the weights are the same in all of them after each step, and the same as those of
one process with the whole batch but for rounding.
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from torch import nn
from torch.multiprocessing.spawn import ProcessRaisedException
from torch.nn import SyncBatchNorm
from torch.optim import Optimizer

from mien.data.pool import end_with_parent
from mien.device import device
from mien.errors import MienError, ParamsError
from mien.share import WHOLE, Share
from mien.training.resume import Row

Module = TypeVar("Module", bound=nn.Module)


class Team:
    """What one process can ask of the others; without a fabric it is alone."""

    def __init__(self, fabric: Fabric | None = None) -> None:
        """Join the processes that `fabric` started."""
        self._fabric = fabric
        self.share = Share(fabric.global_rank, fabric.world_size) if fabric else WHOLE

    @property
    def leads(self) -> bool:
        """Return whether this process writes files and speaks."""
        return self.share.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self._fabric:
            self._fabric.barrier()

    def means(self, row: Row) -> Row:
        """Return the mean of each value over the processes; NaN if it is that in one."""
        if self._fabric is None:
            return row
        # float64, so that the order of a sum does not show in what is logged.
        values = torch.tensor(list(row.values()), dtype=torch.float64, device=device())
        reduced: torch.Tensor = self._fabric.all_reduce(values, reduce_op="mean")  # type: ignore[assignment]
        return dict(zip(row, reduced.tolist(), strict=True))

    def average_gradients(self, optimizer: Optimizer) -> None:
        """Set the gradients of everything `optimizer` owns to their means, in one exchange."""
        if self._fabric is None:
            return
        owned = [p for group in optimizer.param_groups for p in group["params"]]
        gradients = [p.grad for p in owned if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        reduced: torch.Tensor = self._fabric.all_reduce(flat, reduce_op="mean")  # type: ignore[assignment]
        parts = torch.split(reduced, [gradient.numel() for gradient in gradients])
        for gradient, part in zip(gradients, parts, strict=True):
            gradient.copy_(part.reshape(gradient.shape))

    def of_leader(self, make: Callable[[], Row]) -> Row:
        """Return what `make` returns in the process that leads; the others wait for it."""
        if self._fabric is None:
            return make()
        row: Row = self._fabric.broadcast(make() if self.leads else {})
        return row

    def joined(self, keys: list[str]) -> list[str]:
        """Return the lists of all processes, one behind the other."""
        if self._fabric is None:
            return keys
        parts: list[list[str]] = [[] for _ in range(self.share.size)]
        torch.distributed.all_gather_object(parts, keys)
        return [key for part in parts for key in part]

    def synchronised(self, module: Module) -> Module:
        """Return a network whose batch norm is over the whole batch, as in one process.

        Raises:
            ParamsError: On a CPU, where torch cannot do that.
        """
        if self._fabric is None:
            return module
        if device().type == "cpu":
            raise ParamsError(
                "params.yaml: compute.devices is more than 1 and finetune.update_batch_norm is "
                "true: without GPUs batch norm cannot be shared by processes: set one of them "
                "to 1 or false"
            )
        whole: Module = SyncBatchNorm.convert_sync_batchnorm(module)  # type: ignore[no-untyped-call]
        return whole


ALONE = Team()


def together(devices: int, function: Callable[..., None], *args: Any) -> None:
    """Call `function(team, *args)` in as many processes as devices: GPUs, or the CPU's share.

    With one device it is called here. They end with this process, however it ends.

    Args:
        devices: Processes.
        function: Picklable, as are the arguments.
        args: Given to each.

    Raises:
        ParamsError: If there are fewer GPUs.
        MienError: What one of the processes raised; the others are stopped.
    """
    if devices == 1:
        function(ALONE, *args)
        return
    if torch.cuda.is_available() and torch.cuda.device_count() < devices:
        raise ParamsError(
            f"params.yaml: compute.devices is {devices}, but {torch.cuda.device_count()} GPUs "
            "are visible: lower it, or give the job more of them"
        )
    fabric = Fabric(
        accelerator=device().type,
        devices=devices,
        strategy="ddp_spawn",
        plugins=[LightningEnvironment()],
    )
    threads = max(1, torch.get_num_threads() // devices)
    with tempfile.TemporaryDirectory(prefix="mien-") as folder:
        failure = Path(folder) / "failure"
        try:
            fabric.launch(partial(_join, threads, failure, function, args))
        except ProcessRaisedException:
            if failure.is_file():
                raise pickle.loads(failure.read_bytes()) from None
            raise


def _join(
    threads: int,
    failure: Path,
    function: Callable[..., None],
    args: tuple[Any, ...],
    fabric: Fabric,
) -> None:
    end_with_parent()
    torch.set_num_threads(threads)
    try:
        function(Team(fabric), *args)
    except MienError as error:
        failure.write_bytes(pickle.dumps(error))
        raise
