"""Half of a command's start saved: what CompressAI and torchvision load that mien never runs.

`import compressai` loads point clouds (torch_geometric, pandas) and SciPy's statistics, `import
torchvision` the compiler of PyTorch for its detection heads: together that takes longer than
PyTorch itself. A workflow starts a process for every job, so a command, and only a command,
imports them without. `benchmarks/start.py` measures it.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, TypeVar

LEFT_OUT = ("torch_geometric", "pandas", "scipy.stats", "torchvision.ops.roi_align")

_Decorated = TypeVar("_Decorated")


def quick_start() -> None:
    """Import CompressAI and torchvision without what no command of mien runs.

    It does nothing where either is loaded already. What was left out is imported as ever by
    whoever asks for it afterwards; only CompressAI's transforms of point clouds and
    torchvision's RoIAlign stay unusable in this process.
    """
    if "compressai" in sys.modules or "torchvision" in sys.modules:
        return
    without = _Without(tuple(name for name in LEFT_OUT if name not in sys.modules))
    sys.meta_path.insert(0, without)
    try:
        importlib.import_module("compressai.models")
    finally:
        sys.meta_path.remove(without)
        for name in [
            name for name, module in sys.modules.items() if isinstance(module, _Empty)
        ]:
            _forget(name)


def _forget(name: str) -> None:
    empty = sys.modules.pop(name)
    parent, _, child = name.rpartition(".")
    holder = sys.modules.get(parent)
    if holder is not None and vars(holder).get(child) is empty:
        delattr(holder, child)


class _LeftOut:
    """Any name of a module that was left out: can be inherited from, and decorates nothing."""

    def __init__(self, *args: Any, **options: Any) -> None:
        del args, options

    def __call__(self, decorated: _Decorated) -> _Decorated:
        return decorated


class _Empty(ModuleType):
    def __getattr__(self, name: str) -> type[_LeftOut]:
        if name.startswith("__"):
            raise AttributeError(name)
        return _LeftOut


class _Without(MetaPathFinder, Loader):
    """Gives an empty module for each of `names` and what lies below it."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        del path, target
        if any(fullname == name or fullname.startswith(f"{name}.") for name in self.names):
            return ModuleSpec(fullname, self, is_package=True)
        return None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Empty(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it empty."""
