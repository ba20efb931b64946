"""Which source made a file: the commit, and whether the tree had changes on top of it.

`params.yaml` and `dvc.lock` are no source: a run under a preset is of the commit itself, and
its values are recorded with what it makes.
"""

from __future__ import annotations

import re
import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from mien.commit import RECORDED

_COMMIT = re.compile(r"([0-9a-f]{10})[0-9a-f]*(-dirty)?")
_SOURCE = (":/", ":(top,exclude)params.yaml", ":(top,exclude)dvc.lock")


def source_commit() -> str:
    """Return the short commit of this source, `-dirty` appended when tracked files differ.

    Where no commit is known it is the package version, such as `v0.1.0`.
    """
    return known_commit() or f"v{_release()}"


def known_commit() -> str | None:
    """Return the short commit of this source, in a git checkout or as recorded, if either is.

    A wheel, an sdist and an archive of git hold the commit they were made from.
    """
    found = _COMMIT.fullmatch(_described() or RECORDED)
    return found[1] + (found[2] or "") if found else None


def described_version() -> str:
    """Return version and commit, such as `0.1.0 (commit 932b5efe89, modified)`."""
    commit = known_commit()
    if commit is None:
        return f"{_release()} (commit unknown: no git checkout, and none was recorded)"
    modified = ", modified" if commit.endswith("-dirty") else ""
    return f"{_release()} (commit {commit.removesuffix('-dirty')}{modified})"


def _release() -> str:
    try:
        return version("mien")
    except PackageNotFoundError:  # a source that runs without having been installed
        return "unknown"


def _described() -> str | None:
    # An environment inside somebody's repository is not of that repository's commit.
    if _git("ls-files", "--error-unmatch", Path(__file__).name) is None:
        return None
    commit = _git("describe", "--always", "--abbrev=10", "--exclude=*")
    looked = ("--no-optional-locks", "status", "--porcelain", "--untracked-files=no")
    changed = _git(*looked, "--", *_SOURCE)
    return f"{commit}-dirty" if commit and changed else commit


def _git(*arguments: str) -> str | None:
    """Return what git says of the folder of this file; None if it refuses or is missing."""
    try:
        done = subprocess.run(
            ["git", *arguments], cwd=Path(__file__).parent, capture_output=True, text=True
        )
    except FileNotFoundError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
