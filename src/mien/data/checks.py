"""What is checked of a whole data set once every picture was decoded, and what is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mien.data import findings, release, repeats
from mien.data.findings import Finding, Limit
from mien.data.index import Row
from mien.data.layouts.records import FAULTS, Fault, Part, Sample
from mien.data.packed import Packed
from mien.errors import DataError
from mien.expressions import N_EXPRESSIONS
from mien.params import Data


@dataclass(frozen=True)
class Looked:
    """One part after every picture of it was decoded, in the order of the numbers."""

    part: Part
    samples: Packed[Sample]
    faults: list[Fault]
    dropped: dict[str, int]  # images of codes that are not used, by the code's name

    @property
    def listed(self) -> int:
        """Return how many images there should be."""
        return len(self.samples) + len(self.faults)

    def stated(self) -> release.Counts:
        """Return the images per class as the annotations say, usable or not."""
        seen = Counter(sample.label for sample in self.samples)
        seen.update(fault.label for fault in self.faults if fault.label is not None)
        return tuple(seen[code] for code in range(N_EXPRESSIONS))


@dataclass(frozen=True)
class Checks:
    """What was seen of both parts."""

    parts: tuple[Looked, Looked]  # train_set, val_set
    repeated: dict[Part, list[repeats.Group]]
    leaked: list[tuple[Sample, Sample]]  # of val_set and train_set, the same bytes
    findings: list[Finding]
    comparison: release.Comparison | None  # None when no release is to be compared with

    def counted(self) -> dict[Part, dict[str, int]]:
        """Return the findings by part and kind."""
        return {part.part: findings.counted(self.findings, part.part) for part in self.parts}

    def facts(self) -> dict[str, Any]:
        """Return what the manifest says of the checks."""
        return {
            "listed": {part.part: part.listed for part in self.parts},
            "dropped_codes": {part.part: part.dropped for part in self.parts},
            "findings": self.counted(),
            "class_counts": self.comparison and self.comparison.facts(),
            "test_images_also_in_train_set": {
                "count": len(self.leaked),
                "keys": [Row("test", sample).key for sample, _ in self.leaked],
            },
            "duplicates": {
                part: repeats.counted(self.repeated[part]) for part in self.repeated
            },
        }


def checked(train: Looked, test: Looked, layout: str, data: Data) -> Checks:
    """Check both parts; nothing is refused yet."""
    parts = (train, test)
    repeated = {part.part: repeats.groups(part.samples) for part in parts}
    leaked = repeats.leaked(train.samples, test.samples)
    wrong = [Finding(f.kind, p.part, f.source, f.detail) for p in parts for f in p.faults]
    for part in repeated:
        wrong += repeats.findings(repeated[part], part)
    wrong += repeats.leaks(leaked)
    stated = {part.part: part.stated() for part in parts}
    comparison = release.compared(stated, layout) if data.counts else None
    return Checks(parts, repeated, leaked, wrong, comparison)


def refuse(checks: Checks, data: Data, report: Path) -> None:
    """Refuse a data set that is not what section `data` of params.yaml demands.

    Each part is held against the limits on its own: the test set is a hundredth of AffectNet,
    and its damage would not show in a common share.

    Raises:
        DataError: If too many images cannot be used or are repeated, or, with `data.strict`,
            the images per class are not those of the release.
    """
    for part in checks.parts:
        own = [finding for finding in checks.findings if finding.part == part.part]
        for limit in _limits(part, data):
            findings.refuse_excess(f"{data.root}: {part.part}", own, limit, report)
    if data.strict and checks.comparison and not checks.comparison.matches:
        raise DataError(
            f"{data.root}: images per class differ from AffectNet's "
            f"{checks.comparison.release}: {checks.comparison.worst()}: restore what is "
            "missing, or set data.strict to false"
        )


def _limits(part: Looked, data: Data) -> Sequence[Limit]:
    return (
        Limit(
            "max_unusable",
            data.max_unusable,
            FAULTS,
            part.listed,
            "listed images cannot be used",
        ),
        Limit(
            "max_duplicates",
            data.max_duplicates,
            findings.REPEATS,
            len(part.samples),
            "usable images are the same as an earlier one",
        ),
    )
