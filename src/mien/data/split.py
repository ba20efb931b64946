"""Which training images become `val`, and which images occur more than once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "val", "test")

Integers = npt.NDArray[np.int64]


def carve_val(
    numbers: Integers,
    labels: Integers,
    hashes: Sequence[str],
    val_fraction: float,
    seed: int,
) -> npt.NDArray[np.bool_]:
    """Choose the validation images: stratified by label, identical images on one side.

    Images with the same bytes form a group, which counts for the label of its lowest number.
    The groups of a label are ranked by a digest of the seed and their content, and taken from
    the top for as long as that brings their number of images nearer to the label's share. So
    no library's generator is involved, and an image added later moves few others.

    Args:
        numbers: The source's own ids, unique, [n].
        labels: Expression codes, [n].
        hashes: Content digests, n of them.
        val_fraction: Share of each label's images, 0..1. A label whose share is half an image
            or less gets none.
        seed: Another seed makes another choice.

    Returns:
        True for the images of `val`, [n], in the order given.
    """
    in_val = np.zeros(len(labels), dtype=np.bool_)
    for groups in _groups_by_label(numbers, labels, hashes):
        groups.sort(key=lambda rows: _rank(seed, hashes[rows[0]]))
        target = val_fraction * sum(map(len, groups))
        taken = 0
        for rows in groups:
            if abs(taken + len(rows) - target) >= abs(taken - target):
                break
            in_val[rows] = True
            taken += len(rows)
    return in_val


def _groups_by_label(
    numbers: Integers, labels: Integers, hashes: Sequence[str]
) -> Iterator[list[list[int]]]:
    """Yield, for each label, the rows of every group of identical images."""
    groups: dict[str, list[int]] = {}
    for row in np.argsort(numbers).tolist():
        groups.setdefault(hashes[row], []).append(row)
    by_label: dict[int, list[list[int]]] = {}
    for rows in groups.values():
        by_label.setdefault(int(labels[rows[0]]), []).append(rows)
    yield from by_label.values()


def _rank(seed: int, content: str) -> str:
    return hashlib.sha256(f"{seed}:{content}".encode()).hexdigest()


def duplicates(labels: Integers, hashes: Sequence[str]) -> dict[str, int]:
    """Count the images that occur more than once, [n] labels and n digests.

    Returns:
        `groups` of identical images, the `images` in them, and the groups whose images have
        `conflicting_labels`.
    """
    seen: dict[str, list[int]] = {}
    for label, content in zip(labels.tolist(), hashes, strict=True):
        seen.setdefault(content, []).append(label)
    repeated = [group for group in seen.values() if len(group) > 1]
    return {
        "groups": len(repeated),
        "images": sum(map(len, repeated)),
        "conflicting_labels": sum(len(set(group)) > 1 for group in repeated),
    }
