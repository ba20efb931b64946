"""Which jobs would run now: Snakemake's own dry run, here or as from nothing."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import yaml

from mien import paths
from mien.errors import DataError
from mien.params import Params
from mien.workflow import classifier_files, weights_files

SNAKEFILES = (Path("Snakefile"), Path(__file__).resolve().parents[3] / "Snakefile")
PLANNED = "data/raw/planned"  # the root of data that are not here
_JOB = re.compile(r"^(?:local)?rule (\w+):\n((?: .*\n)*)", re.MULTILINE)
_ENTRY = re.compile(r"^ +(input|output|wildcards): (.*)$", re.MULTILINE)
_TOTAL = re.compile(r"^total +(\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Job:
    """A job that Snakemake would start; it waits for those whose outputs it has as inputs."""

    rule: str
    wildcards: tuple[tuple[str, str], ...] = ()
    inputs: tuple[str, ...] = field(default=(), compare=False)
    outputs: tuple[str, ...] = field(default=(), compare=False)

    def __getitem__(self, wildcard: str) -> str:
        """Return the value of a wildcard."""
        return dict(self.wildcards)[wildcard]


def is_here(params: Params, path: Path) -> bool:
    """Return whether a params file is that of this folder, and its data are here."""
    own = path.resolve() == paths.PARAMS.resolve()
    return own and (params.data.faces is not None or Path(params.data.root).is_dir())


def jobs_of(params: Params, here: bool) -> list[Job]:
    """Return every job that would run.

    Args:
        params: Whose; those of this folder's params.yaml where `here`.
        here: False: as in an empty folder, with the data and given weights at hand.

    Raises:
        DataError: If there is no Snakefile, or its dry run fails, with what it said.
    """
    snakefile = next((path for path in SNAKEFILES if path.is_file()), None)
    if snakefile is None:
        raise DataError("Snakefile: no such file: run this in a checkout of mien")
    with _folder(params, here) as folder:
        command = [sys.executable, "-m", "snakemake", "--snakefile", str(snakefile.resolve())]
        done = subprocess.run(
            [*command, "--directory", str(folder), "--dry-run", "--cores", "all"],
            capture_output=True,
            text=True,
        )
    said = done.stdout + done.stderr
    if done.returncode:
        lines = [line for line in said.splitlines() if line.strip()]
        raise DataError(
            f"snakemake --dry-run failed: {lines[-1] if lines else 'it says nothing'}"
        )
    return listed(said)


def listed(said: str) -> list[Job]:
    """Return the jobs that a dry run lists.

    Raises:
        DataError: If they are not as many as its own table counts.
    """
    jobs = [_job(rule, text) for rule, text in _JOB.findall(said)]
    total = _TOTAL.search(said)
    if len(jobs) != (int(total[1]) if total else 0):
        raise DataError(
            f"snakemake --dry-run: {len(jobs)} jobs were understood of "
            f"{total[1] if total else 0}: no plan can be made with this version of Snakemake"
        )
    return jobs


def _job(rule: str, text: str) -> Job:
    entries = {name: tuple(listed.split(", ")) for name, listed in _ENTRY.findall(text)}
    pairs = [pair.partition("=") for pair in entries.get("wildcards", ())]
    return Job(
        rule,
        tuple((name, value) for name, _, value in pairs),
        entries.get("input", ()),
        entries.get("output", ()),
    )


@contextmanager
def _folder(params: Params, here: bool) -> Iterator[Path]:
    """Yield where the dry run is made: this folder, or one where nothing has been done yet."""
    if here:
        yield Path.cwd()
        return
    with tempfile.TemporaryDirectory(prefix="mien-plan-") as name:
        folder = Path(name)
        data = params.data.model_copy(update={"root": PLANNED})
        tree = params.model_copy(update={"data": data}).model_dump()  # JSON has no int keys
        (folder / paths.PARAMS).write_text(yaml.safe_dump(tree), encoding="utf-8")
        (folder / PLANNED).mkdir(parents=True)
        given = [file for q in params.codec.qualities for file in weights_files(params, q)]
        for file in (*given, *classifier_files(params)):
            if not Path(file).is_absolute():
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                (folder / file).touch()
        yield folder
