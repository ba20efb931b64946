from __future__ import annotations

import pickle

import pytest

from mien.data import affectnet
from mien.data.layouts.records import Sample
from mien.errors import DataError, ParamsError
from tests.data.conftest import TRAIN_LABELS, load, save
from tests.support.affectnet import (
    LIST_FOLDERS,
    ORDER,
    class_folders,
    npy_release,
    original_release,
    write_list,
)

FOLDERS = {"train": "Train", "test": "Test", "label_order": list(ORDER)}


def found(tmp_path, **changes):
    return affectnet.find(load(tmp_path, data={"root": str(tmp_path / "raw"), **changes}).data)


def refused(tmp_path, match, **changes):
    with pytest.raises(DataError, match=match):
        found(tmp_path, **changes)


@pytest.mark.parametrize("doubled", [False, True])
def test_auto_recognises_the_8_label_release(tmp_path, doubled):
    npy_release(tmp_path / "raw", doubled=doubled)
    data_set = found(tmp_path)
    folder = "train_set/train_set" if doubled else "train_set"
    assert data_set.layout == "npy"
    assert data_set.where.startswith(f"8-label release, {folder}/images and ")


@pytest.mark.parametrize("lists", LIST_FOLDERS)
def test_auto_recognises_the_original_release(tmp_path, lists):
    original_release(tmp_path / "raw", lists)
    data_set = found(tmp_path)
    assert data_set.layout == "csv"
    assert data_set.where.startswith("original release, ")


def test_two_layouts_are_refused_unless_one_is_meant(tmp_path):
    npy_release(tmp_path / "raw")
    original_release(tmp_path / "raw")
    refused(
        tmp_path,
        r"raw: holds two layouts, npy \(train_set/images\) and csv \(Manually_Annotated_file_"
        r"lists/training\.csv\): set data\.layout",
    )
    assert [found(tmp_path, layout=layout).layout for layout in ("npy", "csv")] == [
        "npy",
        "csv",
    ]


def test_folders_per_class_are_never_recognised_but_explained(tmp_path):
    class_folders(tmp_path / "raw")
    refused(
        tmp_path,
        r"looks like one folder per expression \(.*: a, b, c.*\): set data\.layout to folders, "
        r"and in data\.folders .*label_order.*no order is inferred",
    )


def test_folders_per_class_below_train_set_are_explained_too(tmp_path):
    for label in range(8):
        save(tmp_path / "raw/train_set" / str(label) / "0.jpg", seed=label)
    refused(tmp_path, r"looks like one folder per expression \(.*train_set: 0, 1, 2")


@pytest.mark.parametrize(
    ("names", "seen"),
    [
        ([], "nothing"),
        (["b.zip", "a.txt"], r"a\.txt, b\.zip"),
        ([f"{n}.zip" for n in range(10)], r"0\.zip, .*7\.zip and 2 more"),
    ],
)
def test_no_layout_at_all_is_refused_with_what_is_there(tmp_path, names, seen):
    (tmp_path / "raw").mkdir()
    for name in names:
        (tmp_path / "raw" / name).touch()
    refused(tmp_path, rf"raw: holds {seen}: neither .*train_set/images.*training\.csv")


def test_a_missing_root_is_named(tmp_path):
    refused(tmp_path, r"raw: no such folder: point data\.root")


@pytest.mark.parametrize("make", [npy_release, original_release])
def test_another_layout_than_the_stated_one_is_refused(tmp_path, make):
    make(tmp_path / "raw")
    refused(
        tmp_path,
        r"has no folder images|expected one of training\.csv",
        layout="csv" if make is npy_release else "npy",
    )


def make_folders(root):
    class_folders(root)
    return {"layout": "folders", "folders": FOLDERS}


@pytest.mark.parametrize("make", [npy_release, original_release, make_folders])
def test_every_layout_is_read_by_a_function_that_a_worker_can_be_sent(tmp_path, make):
    data_set = found(tmp_path, **(make(tmp_path / "raw") or {}))
    read = pickle.loads(pickle.dumps(data_set.read))
    samples = [read(entry) for entry in data_set.parts["train_set"].entries]
    assert all(isinstance(sample, Sample) for sample in samples)
    assert sorted(s.label for s in samples)[: len(TRAIN_LABELS)] == TRAIN_LABELS
    assert pickle.loads(pickle.dumps(samples)) == samples


def test_the_folders_layout_needs_its_section(tmp_path):
    class_folders(tmp_path / "raw")
    params = load(tmp_path, data={"root": str(tmp_path / "raw")})
    data = params.data.model_copy(update={"layout": "folders"})
    with pytest.raises(ParamsError, match=r"data\.folders: null"):
        affectnet.find(data)


def test_lists_beside_drawn_faces_are_no_third_layout(tmp_path):
    npy_release(tmp_path / "raw")
    (tmp_path / "raw/manifest.json").touch()
    write_list(tmp_path / "raw/other.csv", [])
    assert found(tmp_path).layout == "npy"
