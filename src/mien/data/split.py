"""Which training images become `val`."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

SPLITS = ("train", "val", "test")

Integers = npt.NDArray[np.int64]
Contents = npt.NDArray[np.bytes_]  # hexadecimal digests


def carve_val(
    numbers: Integers,
    labels: Integers,
    hashes: Contents | Sequence[str],
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
        hashes: Hexadecimal digests of the images' bytes, n of them.
        val_fraction: Share of each label's images, 0..1. A label whose share is half an image
            or less gets none.
        seed: Another seed makes another choice.

    Returns:
        True for the images of `val`, [n], in the order given.
    """
    order = np.argsort(numbers)
    groups, lowest, group_of, sizes = np.unique(
        np.asarray(hashes, np.bytes_)[order],
        return_index=True,
        return_inverse=True,
        return_counts=True,
    )
    label_of = labels[order][lowest]
    ranks = np.fromiter((_rank(seed, content) for content in groups), "S64", len(groups))
    taken = np.zeros(len(groups), dtype=np.bool_)
    for label in np.unique(label_of):
        ranked = np.flatnonzero(label_of == label)
        ranked = ranked[np.argsort(ranks[ranked])]
        taken[ranked[: _nearest(sizes[ranked], val_fraction)]] = True
    in_val = np.zeros(len(numbers), dtype=np.bool_)
    in_val[order] = taken[group_of]
    return in_val


def _nearest(sizes: Integers, fraction: float) -> int:
    """Return how many groups to take, from the first, for the share of their images."""
    target = fraction * sizes.sum()
    taken = 0
    for n, size in enumerate(sizes.tolist()):
        if abs(taken + size - target) >= abs(taken - target):
            return n
        taken += size
    return len(sizes)


def _rank(seed: int, content: bytes) -> bytes:
    return hashlib.sha256(b"%d:%s" % (seed, content)).hexdigest().encode()
