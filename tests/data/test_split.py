from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mien.data.split import carve_val


@st.composite
def data_sets(draw):
    """Images of few contents and few labels: many duplicates, some with conflicting labels."""
    n = draw(st.integers(1, 60))
    numbers = draw(st.permutations(range(0, 2 * n, 2)))
    labels = draw(st.lists(st.integers(0, 3), min_size=n, max_size=n))
    contents = draw(st.lists(st.integers(0, 40), min_size=n, max_size=n))
    hashes = [f"{content:064x}" for content in contents]
    return np.array(numbers), np.array(labels), hashes


fractions = st.floats(0.01, 0.99)
seeds = st.integers(0, 2**32)


def strata(numbers, labels, hashes):
    """Return the label that each image counts for, found another way: that of its group."""
    lowest = {}
    for number, label, content in zip(numbers, labels, hashes, strict=True):
        lowest[content] = min(lowest.get(content, (number, label)), (number, label))
    return np.array([lowest[content][1] for content in hashes])


@given(data_sets(), fractions, seeds)
def test_no_content_is_on_both_sides(data, fraction, seed):
    _, _, hashes = data
    in_val = carve_val(*data, fraction, seed)
    sides = {(content, bool(side)) for content, side in zip(hashes, in_val, strict=True)}
    assert len(sides) == len(set(hashes))


@given(data_sets(), fractions, seeds)
def test_every_label_has_its_share_within_half_a_group(data, fraction, seed):
    in_val = carve_val(*data, fraction, seed)
    stratum = strata(*data)
    for label in set(stratum):
        sizes = Counter(
            content for content, of in zip(data[2], stratum, strict=True) if of == label
        )
        taken = in_val[stratum == label].sum()
        target = fraction * sum(sizes.values())
        assert abs(taken - target) <= max(sizes.values()) / 2 + 1e-9


@given(data_sets(), fractions, seeds, st.randoms(use_true_random=False))
def test_the_choice_depends_on_the_images_not_on_their_order(data, fraction, seed, random):
    numbers, labels, hashes = data
    order = list(range(len(labels)))
    random.shuffle(order)
    shuffled = numbers[order], labels[order], [hashes[row] for row in order]
    assert np.array_equal(
        carve_val(*shuffled, fraction, seed), carve_val(*data, fraction, seed)[order]
    )


def singles(n, labels=None):
    hashes = [f"{row:064x}" for row in range(n)]
    return np.arange(n), np.zeros(n, int) if labels is None else labels, hashes


def test_the_choice_is_the_same_on_every_machine():
    chosen = np.flatnonzero(carve_val(*singles(40), 0.15, seed=7)).tolist()
    # the six smallest sha256 of "7:<hash>"
    assert chosen == [3, 12, 27, 30, 38, 39]


def test_another_seed_makes_another_choice():
    choices = {tuple(carve_val(*singles(100), 0.2, seed)) for seed in range(20)}
    assert len(choices) == 20


def test_the_choice_does_not_follow_the_numbers():
    rows = np.flatnonzero(carve_val(*singles(4000), 0.25, seed=0))
    assert len(rows) == 1000
    assert rows.mean() == pytest.approx(2000, abs=4 * 4000 / np.sqrt(12 * 1000))


def test_an_image_of_another_label_moves_no_other():
    numbers, labels, hashes = singles(50)
    before = carve_val(numbers, labels, hashes, 0.3, seed=1)
    after = carve_val(np.arange(51), np.append(labels, 5), [*hashes, "f" * 64], 0.3, seed=1)
    assert np.array_equal(after[:50], before)


def test_unequal_classes_each_give_their_share():
    labels = np.repeat([0, 1, 2], [200, 50, 10])
    in_val = carve_val(*singles(260, labels), 0.1, seed=3)
    assert np.bincount(labels[in_val]).tolist() == [20, 5, 1]


def test_a_conflicting_group_counts_for_its_lowest_number():
    numbers = np.array([90, 4, *range(10, 20)])
    labels = np.array([0, 1] + [0] * 10)
    hashes = ["a" * 64, "a" * 64, *(f"{row:064x}" for row in range(10))]
    for seed in range(10):
        in_val = carve_val(numbers, labels, hashes, 0.4, seed)
        # Label 1 has the group alone: 0.8 of its two images, nearer to none than to both.
        # Label 0 has ten images, so four. Had label 0 the group, it would owe 4.8.
        assert not in_val[:2].any()
        assert in_val.sum() == 4
