"""Which source a stage runs, as a digest: other code is another result."""

from __future__ import annotations

import hashlib
import os
import re
from functools import cache
from pathlib import Path

SOURCE = Path(__file__).parent
# What these do to a result shows in the values a rule depends on, or not at all.
PLUMBING = {"download", "errors", "files", "params", "paths", "provenance", "runs", "source"}
# `from a import b, c` on a line or in parentheses; `import a, b`. A name may have an alias.
_FROM = re.compile(r"^[ \t]*from ([\w.]+) import (?:\(([^)]*)\)|(.*))$", re.MULTILINE)
_IMPORT = re.compile(r"^[ \t]*import (.*)$", re.MULTILINE)
_NAME = re.compile(r"(\w+)(?: as \w+)?")
_DOTTED = re.compile(r"([\w.]+)(?: as \w+)?")


def use_in_jobs() -> None:
    """Have every process that this one starts import this source, whichever is installed."""
    known = os.environ.get("PYTHONPATH", "")
    os.environ["PYTHONPATH"] = os.pathsep.join([str(SOURCE.parent), known]).rstrip(os.pathsep)


@cache
def code(stage: str) -> str:
    """Return a digest of the source that one stage runs: all that it imports, however far down.

    It is a parameter of a rule, not an input: Snakemake compares parameters by value, but looks
    at an input only when it is newer than the output, which after a checkout nothing is.

    Args:
        stage: A module of `mien.stages`, such as `finetune`.
    """
    modules = _reached(f"mien.stages.{stage}")
    digest = hashlib.sha256()
    for file in sorted(_sources(modules)):
        digest.update(file.relative_to(SOURCE).as_posix().encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:16]


def _reached(start: str) -> set[str]:
    """Return `start` and every module of mien that it imports, directly or not."""
    reached: set[str] = set()
    waiting = [start]
    while waiting:
        module = waiting.pop()
        if module not in reached and module.split(".")[1] not in PLUMBING:
            reached.add(module)
            waiting += _imported(_file(module))
    return reached


@cache  # most files are reached from several stages
def _imported(file: Path) -> list[str]:
    """Return the modules of mien that a file's import statements name.

    By their lines: parsing all files takes every start of Snakemake a third of a second.
    """
    text = file.read_text(encoding="utf-8")
    names: list[str] = []
    for module, inner, line in _FROM.findall(text):
        names += [module, *(f"{module}.{name}" for name in _NAME.findall(inner or line))]
    for line in _IMPORT.findall(text):
        names += _DOTTED.findall(line)
    return [name for name in names if name.startswith("mien.") and _file(name).is_file()]


def _file(module: str) -> Path:
    place = SOURCE.joinpath(*module.split(".")[1:])
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def _sources(modules: set[str]) -> set[Path]:
    """Return the files of modules, and the style sheets and the like that lie beside them."""
    files = {_file(module) for module in modules}
    beside = {
        other
        for file in files
        for other in file.parent.iterdir()
        if other.is_file() and other.suffix not in (".py", ".pyc", ".typed")
    }
    return files | beside
