"""Which source made a file: the commit, and whether the tree had changes on top of it."""

from __future__ import annotations

import subprocess
from importlib.metadata import version
from pathlib import Path


def source_commit() -> str:
    """Return the short commit of this source, `-dirty` appended when tracked files differ.

    Outside a git checkout (an installed wheel) it is the package version, such as `v0.1.0`.
    """
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=10", "--exclude=*"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
    )
    return described.stdout.strip() if described.returncode == 0 else f"v{version('mien')}"
