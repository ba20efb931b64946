from __future__ import annotations

import pytest

from mien.data.release import RELEASES, compared
from mien.expressions import EXPRESSIONS

NPY, CSV = "8-label release", "original release"


def changed(release, part, **classes):
    """Return a release's counts with some classes changed by so many images."""
    seen = dict(RELEASES[release])
    seen[part] = tuple(
        count + classes.get(name, 0)
        for name, count in zip(EXPRESSIONS, seen[part], strict=True)
    )
    return seen


def test_the_tables_are_those_of_the_paper():
    for release, test in ((NPY, 3_999), (CSV, 4_000)):
        assert sum(RELEASES[release]["train_set"]) == 287_651
        assert sum(RELEASES[release]["val_set"]) == test
    assert dict(zip(EXPRESSIONS, RELEASES[NPY]["train_set"], strict=True)) == {
        **{"neutral": 74874, "happy": 134415, "sad": 25459, "surprise": 14090},
        **{"fear": 6378, "disgust": 3803, "anger": 24882, "contempt": 3750},
    }
    assert RELEASES[NPY]["val_set"][EXPRESSIONS.index("contempt")] == 499


@pytest.mark.parametrize("layout", ["npy", "csv", "folders"])
@pytest.mark.parametrize("release", RELEASES)
def test_both_releases_are_accepted_and_named_in_every_layout(layout, release):
    comparison = compared(RELEASES[release], layout)
    assert (comparison.release, comparison.matches) == (release, True)
    assert (comparison.table(), comparison.worst()) == ("", "")
    assert comparison.facts()["differences"] == {"train_set": {}, "val_set": {}}


@pytest.mark.parametrize(("layout", "release"), [("npy", NPY), ("csv", CSV), ("folders", NPY)])
def test_what_is_neither_is_compared_with_its_own_layouts_release(layout, release):
    comparison = compared(changed(release, "val_set", fear=-7), layout)
    assert (comparison.release, comparison.matches) == (release, False)
    assert comparison.facts() == {
        "release": release,
        "matches": False,
        "differences": {"train_set": {}, "val_set": {"fear": {"expected": 500, "seen": 493}}},
    }


def test_the_table_shows_every_class_of_a_part_that_differs():
    lines = compared(changed(NPY, "train_set", happy=-2, sad=1), "npy").table().splitlines()
    assert [line.split() for line in lines[:4]] == [
        ["train_set", "expected", "seen", "difference"],
        ["neutral", "74,874", "74,874", "+0"],
        ["happy", "134,415", "134,413", "-2"],
        ["sad", "25,459", "25,460", "+1"],
    ]
    assert len(lines) == 1 + len(EXPRESSIONS)  # val_set does not differ


def test_the_largest_differences_are_named_first():
    seen = changed(NPY, "train_set", happy=-2, sad=100, fear=-3, anger=1)
    assert compared(seen, "npy").worst() == (
        "train_set sad 25,559 instead of 25,459, train_set fear 6,375 instead of 6,378, "
        "train_set happy 134,413 instead of 134,415"
    )
