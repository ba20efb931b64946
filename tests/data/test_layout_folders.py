from __future__ import annotations

import pytest

from mien.data.layouts import folders
from mien.data.layouts.reading import look
from mien.data.layouts.records import Sample
from mien.errors import DataError, ParamsError
from mien.params import Folders
from tests.data.conftest import TEST_LABELS, TRAIN_LABELS, save
from tests.support.affectnet import ORDER, class_folders


def stated(order=ORDER, train="Train", test="Test"):
    return Folders(train=train, test=test, label_order=order)


def find(root, part="train_set", **options):
    return folders.find(root, stated(**options))[0][part]


@pytest.fixture
def copy(tmp_path):
    class_folders(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("part", "labels"), [("train_set", TRAIN_LABELS), ("val_set", TEST_LABELS)]
)
def test_a_label_is_the_place_of_its_folder_in_the_stated_order(copy, part, labels):
    samples = [look(copy, entry) for entry in find(copy, part).entries]
    assert all(isinstance(sample, Sample) for sample in samples)
    assert [sample.label for sample in samples] == sorted(labels)
    for sample in samples:
        assert sample.source.split("/")[1] == ORDER[sample.label]
        assert (sample.valence, sample.arousal, sample.crop) == (None, None, None)


def test_another_order_gives_other_labels_so_none_is_inferred(copy):
    other = (*ORDER[1:], ORDER[0])
    first = {entry.source: entry.label for entry in find(copy).entries}
    second = {entry.source: entry.label for entry in find(copy, order=other).entries}
    assert second == {source: (label - 1) % 8 for source, label in first.items()}


def test_pictures_are_numbered_by_label_then_name_with_numbers_as_numbers(copy):
    entries = find(copy).entries
    assert [entry.number for entry in entries] == list(range(len(TRAIN_LABELS)))
    of_happy = [e.source.rpartition("/")[2].partition(".")[0] for e in entries if e.label == 1]
    assert of_happy == [
        f"image{place}" for place in range(8, 16)
    ]  # "image10" < "image8" as text


def test_a_copy_may_lack_an_expression(tmp_path):
    order = (*ORDER[:7], None)
    class_folders(tmp_path, order)
    assert {entry.label for entry in find(tmp_path, "val_set", order=order).entries} == set(
        range(7)
    )


def test_a_folder_that_the_order_does_not_name_is_refused(copy):
    save(copy / "Train/uncertain/0.jpg", seed=0)
    with pytest.raises(
        DataError, match=r"Train/uncertain: is not in data\.folders\.label_order"
    ):
        find(copy)


def test_a_picture_beside_the_folders_is_refused_and_a_list_is_not(copy):
    (copy / "Train/labels.csv").touch()
    find(copy)
    save(copy / "Train/0.jpg", seed=0)
    with pytest.raises(DataError, match=r"Train/0\.jpg: is not in data\.folders\.label_order"):
        find(copy)


def test_a_stated_folder_that_is_absent_is_refused(copy):
    for path in (copy / "Test/h").iterdir():
        path.unlink()
    (copy / "Test/h").rmdir()
    with pytest.raises(DataError, match=r"Test: has no folder h: check .*label_order"):
        find(copy)


def test_an_absent_part_is_refused(copy):
    with pytest.raises(DataError, match=r"valid: no such folder: check data\.folders"):
        find(copy, test="valid")


def test_a_file_that_is_no_picture_is_refused(copy):
    (copy / "Train/a/Thumbs.db").touch()
    with pytest.raises(DataError, match=r"a/Thumbs\.db: not a picture by its name"):
        find(copy)


def test_hidden_files_are_no_part_of_the_data(copy):
    (copy / "Train/.DS_Store").touch()
    (copy / "Train/a/._1.jpg").touch()
    assert len(find(copy).entries) == len(TRAIN_LABELS)


def test_a_part_without_pictures_is_refused(copy):
    for path in (copy / "Test").glob("*/*"):
        path.unlink()
    with pytest.raises(DataError, match="Test: holds no images"):
        find(copy)


@pytest.mark.parametrize("order", [(*ORDER[:7], "c"), (None,) * 8])
def test_an_order_that_names_a_folder_twice_or_none_is_refused(copy, order):
    with pytest.raises(
        ParamsError, match=r"label_order: .*name the folder of every expression"
    ):
        find(copy, order=order)


def test_one_folder_for_both_parts_is_refused(copy):
    with pytest.raises(ParamsError, match="train and test are both 'Train'"):
        find(copy, test="Train")
