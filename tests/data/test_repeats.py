from __future__ import annotations

import pytest

from mien.data import repeats
from mien.data.layouts.records import Sample


def sample(number, content, label=0, crop=None):
    return Sample(number, label, f"{number}.jpg", content, 23, 17, None, None, crop)


SAMPLES = [
    *(sample(0, "a"), sample(3, "a"), sample(4, "b", 1), sample(5, "b", 2), sample(6, "c", 3)),
    *(sample(7, "d", 3), sample(8, "b", 1)),
]


def test_groups_are_of_identical_images_by_their_lowest_number():
    groups = repeats.groups(SAMPLES)
    assert [[s.number for s in group] for group in groups] == [[0, 3], [4, 5, 8]]
    assert repeats.counted(groups) == {"groups": 2, "images": 5, "conflicting_labels": 1}


def test_two_faces_of_one_picture_are_no_duplicates():
    faces = [
        *(sample(0, "a", crop=(0, 0, 9, 9)), sample(1, "a", crop=(1, 0, 9, 9)), sample(2, "a")),
        sample(3, "a", crop=(1, 0, 9, 9)),
    ]
    assert [[s.number for s in group] for group in repeats.groups(faces)] == [[1, 3]]


def test_every_image_beyond_the_first_is_a_finding_conflicts_by_their_own_kind():
    found = repeats.findings(repeats.groups(SAMPLES), "train_set")
    assert [(f.kind, f.part, f.source) for f in found] == [
        ("duplicate", "train_set", "3.jpg"),
        ("conflict", "train_set", "5.jpg"),
        ("conflict", "train_set", "8.jpg"),
    ]
    assert found[1].detail == "sad; the same as 4.jpg, happy"


def test_a_leak_is_of_bytes_whatever_the_crop_and_the_label():
    tests = [sample(0, "z"), sample(1, "b", 4, (0, 0, 5, 5)), sample(2, "c", 3)]
    leaked = repeats.leaked(SAMPLES, tests)
    assert [(s.number, twin.number) for s, twin in leaked] == [(1, 4), (2, 6)]
    found = repeats.leaks(leaked)
    assert [(f.kind, f.part, f.source) for f in found] == [
        ("leak", "val_set", "1.jpg"),
        ("leak", "val_set", "2.jpg"),
    ]
    assert found[0].detail == "fear; also in train_set as 4.jpg, happy"


@pytest.mark.parametrize("n", [0, 1])
def test_nothing_is_no_repetition(n):
    assert repeats.groups(SAMPLES[:n]) == repeats.leaked(SAMPLES[:n], []) == []
