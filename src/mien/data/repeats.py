"""Images that occur more than once: within a part, and in the test set and the training part.

Within a part an image is repeated when its bytes and its crop are: the faces of one picture
are different images. For leakage the bytes alone count, as they do for the split.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import numpy as np

from mien.data.findings import Finding
from mien.data.layouts.records import Part, Sample
from mien.data.pictures import Box
from mien.data.split import Contents
from mien.expressions import EXPRESSIONS

Group = list[Sample]  # by ascending number


def groups(samples: Collection[Sample]) -> list[Group]:
    """Return the groups of identical images, by the lowest number; samples come by number."""
    contents, times = np.unique(contents_of(samples), return_counts=True)
    repeated = set(contents[times > 1].tolist())
    alike: dict[tuple[str, Box | None], Group] = {}
    for sample in samples:
        if sample.sha256.encode() in repeated:
            alike.setdefault((sample.sha256, sample.crop), []).append(sample)
    return [group for group in alike.values() if len(group) > 1]


def contents_of(samples: Collection[Sample]) -> Contents:
    """Return the digests of all samples, [n]: 64 bytes each instead of 113 as text."""
    return np.fromiter((sample.sha256.encode() for sample in samples), "S64", len(samples))


def counted(repeated: Sequence[Group]) -> dict[str, int]:
    """Count groups, the images in them, and the groups whose images have other labels."""
    return {
        "groups": len(repeated),
        "images": sum(map(len, repeated)),
        "conflicting_labels": sum(map(_conflict, repeated)),
    }


def findings(repeated: Sequence[Group], part: Part) -> list[Finding]:
    """Return one finding for every image beyond the first of its group."""
    return [
        Finding(
            "conflict" if _conflict(group) else "duplicate",
            part,
            sample.source,
            f"{_said(sample)}; the same as {group[0].source}, {_said(group[0])}",
        )
        for group in repeated
        for sample in group[1:]
    ]


def leaked(train: Iterable[Sample], test: Collection[Sample]) -> list[tuple[Sample, Sample]]:
    """Return the test samples whose bytes are also in train, each with its first twin there."""
    wanted = {sample.sha256 for sample in test}
    twins: dict[str, Sample] = {}
    for sample in train:
        if sample.sha256 in wanted:
            twins.setdefault(sample.sha256, sample)
    return [(sample, twins[sample.sha256]) for sample in test if sample.sha256 in twins]


def leaks(leaked: Sequence[tuple[Sample, Sample]]) -> list[Finding]:
    """Return one finding for every leaked test sample."""
    return [
        Finding(
            "leak",
            "val_set",
            sample.source,
            f"{_said(sample)}; also in train_set as {twin.source}, {_said(twin)}",
        )
        for sample, twin in leaked
    ]


def _conflict(group: Group) -> bool:
    return len({sample.label for sample in group}) > 1


def _said(sample: Sample) -> str:
    return EXPRESSIONS[sample.label]
