"""Puts the commit of the source into what is built from it; all else is in pyproject.toml."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py
from setuptools.command.sdist import sdist

SOURCE = Path(__file__).resolve().parent / "src"


def record(file: Path) -> None:
    """Write the commit of this source, if it is known, into a copy of `mien/commit.py`."""
    sys.path.insert(0, str(SOURCE))
    from mien.provenance import known_commit

    if commit := known_commit():
        lines = (SOURCE / "mien/commit.py").read_text(encoding="utf-8").splitlines()
        lines[-1] = f'RECORDED = "{commit}"'
        file.unlink()  # in an sdist it may be a hard link to the source
        file.write_text("\n".join([*lines, ""]), encoding="utf-8")


class BuildPy(build_py):
    """Of a wheel: an editable installation runs the source itself, which git knows."""

    def run(self) -> None:  # noqa: D102
        super().run()
        if not self.editable_mode:
            record(Path(self.build_lib, "mien/commit.py"))


class Sdist(sdist):  # noqa: D101
    def make_release_tree(self, base_dir: str, files: list[str]) -> None:  # noqa: D102
        super().make_release_tree(base_dir, files)
        record(Path(base_dir, "src/mien/commit.py"))


setup(cmdclass={"build_py": BuildPy, "sdist": Sdist})
