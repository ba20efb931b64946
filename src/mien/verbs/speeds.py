"""What was measured: seconds and bytes a picture, each with its machine, commit and command."""

from __future__ import annotations

import csv
import platform
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from mien.errors import DataError

MEASURED = Path(__file__).resolve().parents[3] / "benchmarks/speeds.csv"
HERE = Path("benchmarks/speeds.csv")  # of a checkout, where this source is an installed wheel's
FIELDS = ("key", "value", "unit", "device", "machine", "commit", "command")
DEVICES = ("cpu", "gpu")


@dataclass(frozen=True)
class Speeds:
    """Numbers by device and key, and what they were measured on.

    On a CPU they are CPU seconds of one thread; on a GPU seconds of the networks alone.
    """

    values: dict[tuple[str, str], float]
    sources: dict[str, str]  # by device: machine, commit, command

    def has(self, device: str) -> bool:
        """Return whether anything was measured on a `cpu` or `gpu`."""
        return device in self.sources

    def tell(self, device: str, keys: Iterable[str]) -> bool:
        """Return whether all of these were measured on a `cpu` or `gpu`."""
        return all((device, key) in self.values for key in keys)

    def of(self, device: str, key: str) -> float:
        """Return one number.

        Raises:
            DataError: If it was not measured.
        """
        if (device, key) not in self.values:
            raise DataError(
                f"no {device} speed {key!r} was measured: run `python benchmarks/costs.py "
                "--speeds FILE` on such a machine and name the file by --speeds"
            )
        return self.values[device, key]


def committed_speeds() -> list[Path]:
    """Return the table of the repository, beside this source or else in this folder."""
    return [path for path in (MEASURED, HERE) if path.is_file()][:1]


def read_speeds(files: Iterable[Path]) -> Speeds:
    """Return the numbers of all files; a later one has the last word on what it has.

    Raises:
        DataError: If a file is missing or is no table of speeds.
    """
    values: dict[tuple[str, str], float] = {}
    sources: dict[str, dict[str, None]] = {}  # in order, each once
    for path in files:
        rows = _rows(path)
        for number, row in enumerate(rows, start=2):
            values[row["device"], row["key"]] = _number(path, number, row["value"])
            facts = ", ".join(row[name] for name in ("machine", "commit", "command"))
            sources.setdefault(row["device"], {})[facts] = None
    return Speeds(values, {device: "; ".join(facts) for device, facts in sources.items()})


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        raise DataError(
            f"{path}: no such file of speeds: `python benchmarks/costs.py` makes one"
        )
    with path.open(encoding="utf-8", newline="") as file:
        reader = csv.DictReader(file)
        if tuple(reader.fieldnames or ()) != FIELDS:
            raise DataError(
                f"{path}: no table of speeds: its columns are not {', '.join(FIELDS)}"
            )
        rows = list(reader)
    for number, row in enumerate(rows, start=2):
        if row["device"] not in DEVICES:
            raise DataError(f"{path}: line {number}: device {row['device']!r}: cpu or gpu")
    return rows


def _number(path: Path, line: int, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = -1.0
    if number < 0:
        raise DataError(f"{path}: line {line}: value {text!r}: not a positive number")
    return number


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the name of this machine's processor."""
    if cpuinfo.is_file():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
