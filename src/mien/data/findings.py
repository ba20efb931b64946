"""What is wrong with a data set, image by image: `data/ingest_report.csv`, and its limits."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mien import files
from mien.data.layouts.records import FAULTS, PARTS, Part
from mien.errors import DataError

REPEATS = ("duplicate", "conflict")
LEAK = "leak"
KINDS: tuple[str, ...] = (*FAULTS, *REPEATS, LEAK)  # in the order of the report

COLUMNS = ("kind", "part", "source", "detail")


@dataclass(frozen=True, slots=True)
class Finding:
    """One row of the report."""

    kind: str  # of KINDS
    part: Part
    source: str  # path below data.root, with `/`
    detail: str


@dataclass(frozen=True)
class Limit:
    """How large a share of a part's images may have findings of some kinds."""

    key: str  # of section data in params.yaml
    share: float
    kinds: Sequence[str]
    of: int  # images in all
    what: str  # is wrong with them, in words


def write(path: Path, findings: Sequence[Finding]) -> None:
    """Write the report by kind and part, the images of each as they come; a header always."""
    order = sorted(findings, key=lambda f: (KINDS.index(f.kind), PARTS.index(f.part)))
    with (
        files.replacing(path) as temporary,
        temporary.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows((f.kind, f.part, f.source, f.detail) for f in order)


def counted(findings: Sequence[Finding], part: Part) -> dict[str, int]:
    """Return the findings of one part by kind, the absent ones as 0."""
    seen = Counter(finding.kind for finding in findings if finding.part == part)
    return {kind: seen[kind] for kind in KINDS}


def refuse_excess(name: str, findings: Sequence[Finding], limit: Limit, report: Path) -> None:
    """Refuse images of which a larger share than allowed has findings of some kinds.

    Args:
        name: Of the images, for the message.
        findings: Of these images.
        limit: What to hold them against.
        report: Where every one of them is listed.

    Raises:
        DataError: If the share of such images is above the limit.
    """
    judged = [finding for finding in findings if finding.kind in limit.kinds]
    if (n := len(judged)) == 0 or n / limit.of <= limit.share:
        return
    seen = Counter(finding.kind for finding in judged)
    worst = ", ".join(f"{kind} {times:,}" for kind, times in seen.most_common(3))
    raise DataError(
        f"{name}: {n:,} of {limit.of:,} {limit.what}, a share of {n / limit.of:.4g}, above "
        f"data.{limit.key} {limit.share:g}: {worst}, the first of them {judged[0].source} "
        f"({judged[0].detail}): {report} lists them all: mend or remove them, or raise "
        f"data.{limit.key}"
    )
