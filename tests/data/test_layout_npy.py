from __future__ import annotations

import hashlib
import os
from collections import Counter

import numpy as np
import pytest

from mien.data.layouts import npy
from mien.data.layouts.records import Fault, Sample
from mien.errors import DataError
from tests.data.conftest import TRAIN_LABELS, add, annotate, noise, save
from tests.support.affectnet import cut, npy_release, odd_pictures


def find(root, part="train_set"):
    return npy.find(root)[0][part]


def read_all(root, part="train_set"):
    listing = find(root, part)
    return [*listing.faults, *(npy.read(root, entry) for entry in listing.entries)]


def read_seven(root):
    """Return what becomes of the one image, number 7."""
    (outcome,) = read_all(root)
    return outcome


@pytest.fixture
def one(tmp_path):
    """Return the folder of a train_set with one image, 7, said to be happy; val_set has one."""
    add(tmp_path / "train_set", 7, "1", seed=1)
    add(tmp_path / "val_set", 0, "1", seed=2)
    return tmp_path / "train_set"


def test_ids_are_sorted_as_numbers(root):
    numbers = [entry.number for entry in find(root).entries]
    assert numbers == [3 * place for place in range(len(TRAIN_LABELS))]  # "12" < "3" as text


def test_an_id_means_another_image_in_each_part(root):
    train, test = read_all(root)[0], read_all(root, "val_set")[0]
    assert train.number == test.number == 0
    assert (train.source, test.source) == ("train_set/images/0.jpg", "val_set/images/0.jpg")
    assert train.sha256 != test.sha256


def test_a_sample_has_the_facts_of_its_own_file(root):
    sample = read_all(root)[9]
    data = (root / "train_set/images/27.jpg").read_bytes()
    assert sample.sha256 == hashlib.sha256(data).hexdigest()
    assert (sample.width, sample.height, sample.crop) == (23, 17, None)
    assert (sample.label, sample.valence, sample.arousal) == (TRAIN_LABELS[9], 0.25, -0.5)


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("kind", [str, int, float])
def test_a_release_may_hold_text_or_numbers_and_have_a_doubled_folder(tmp_path, kind, doubled):
    npy_release(tmp_path, kind, doubled)
    samples = read_all(tmp_path)
    assert [sample.label for sample in samples] == TRAIN_LABELS
    assert samples[4].valence is None  # -2
    assert samples[4].arousal == 1.0
    folder = "train_set/train_set" if doubled else "train_set"
    assert samples[1].source == f"{folder}/images/3.JPG"


@pytest.mark.parametrize(
    "code", ["3", "3.0", b"3", 3, np.uint8(3), np.int64(3), np.float32(3.0), [3]], ids=repr
)
def test_an_expression_may_be_of_any_type(one, code):
    annotate(one, 7, exp=code)
    assert read_seven(one.parent).label == 3


@pytest.mark.parametrize("invalid", ["-2", "-2.0", -2, -2.0])
def test_minus_two_means_no_affect(one, invalid):
    annotate(one, 7, val=invalid)
    sample = read_seven(one.parent)
    assert (sample.valence, sample.arousal) == (None, -0.5)


def test_affect_may_be_absent(one):
    (one / "annotations/7_aro.npy").unlink()
    sample = read_seven(one.parent)
    assert (sample.valence, sample.arousal) == (0.25, None)


@pytest.mark.parametrize("value", ["1.01", -1.5, "nan", -3, "high"])
@pytest.mark.parametrize("which", ["val", "aro"])
def test_affect_outside_its_range_is_a_fault(one, which, value):
    annotate(one, 7, **{which: value})
    fault = read_seven(one.parent)
    assert (fault.kind, fault.source, fault.label) == ("affect", "train_set/images/7.jpg", 1)
    assert f"train_set/annotations/7_{which}.npy: " in fault.detail


@pytest.mark.parametrize(
    ("code", "seen"), [("8", "8"), (10, "10"), ("-1", "-1"), (1.5, "1.5"), ("nan", "nan")]
)
def test_a_code_outside_the_eight_is_a_fault(one, code, seen):
    annotate(one, 7, exp=code)
    fault = read_seven(one.parent)
    assert (fault.kind, fault.source, fault.label) == ("label", "train_set/images/7.jpg", None)
    assert fault.detail == f"train_set/annotations/7_exp.npy: {seen} is not one of 0..7"


PICKLED = np.array(1, dtype=object)  # reading it would run what is in the file


@pytest.mark.parametrize("content", ["happy", [1, 2], PICKLED, 1j], ids=repr)
def test_an_annotation_that_is_not_one_number_is_a_fault(one, content):
    annotate(one, 7, exp=content)
    fault = read_seven(one.parent)
    assert fault.kind == "label"
    assert "7_exp.npy: not an npy file with one number" in fault.detail


def header(shape: str) -> bytes:
    text = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode()


@pytest.mark.parametrize(
    "content",
    [
        *(b"", b"1", b"\x93NUMPY\x01\x00", b"PK\x03\x04", header("(10**9,)"), header("((((")),
        *(header("(9999999999999,)"), header("(9999999999999999999999,)")),
    ],
    ids=lambda content: content[-60:].decode("latin-1").strip() or "empty",
)
def test_an_annotation_that_is_no_npy_file_is_a_fault(one, content):
    (one / "annotations/7_exp.npy").write_bytes(content)
    fault = read_seven(one.parent)
    assert fault.kind == "label"
    assert "7_exp.npy: not an npy file with one number" in fault.detail
    assert "0x" not in fault.detail  # an address would be another in every run


def test_extensions_may_be_in_any_case(one):
    names = ["0.JPG", "1.Jpeg", "2.PNG", "7.jpg", "10.png", "11.TIF", "12.bmp"]
    for name in names:
        number = int(name.partition(".")[0])
        add(one, number, "0", number, name)
    found = find(one.parent).entries
    assert [entry.image.rpartition("/")[2] for entry in found] == names
    assert all(isinstance(outcome, Sample) for outcome in read_all(one.parent))


def test_images_without_an_expression_are_all_listed(root):
    for number in (30, 9, 12):
        (root / f"train_set/annotations/{number}_exp.npy").unlink()
    faults = [outcome for outcome in read_all(root) if isinstance(outcome, Fault)]
    assert [(fault.kind, fault.number, fault.source) for fault in faults] == [
        ("unlabelled", number, f"train_set/images/{number}.jpg") for number in (9, 12, 30)
    ]
    assert len(read_all(root)) == len(TRAIN_LABELS)


def test_annotations_without_an_image_are_all_listed_with_their_labels(root):
    for number in (30, 9):
        (root / f"train_set/images/{number}.jpg").unlink()
    faults = [outcome for outcome in read_all(root) if isinstance(outcome, Fault)]
    assert [(fault.kind, fault.number, fault.source, fault.label) for fault in faults] == [
        ("missing", number, f"train_set/annotations/{number}_*.npy", TRAIN_LABELS[number // 3])
        for number in (9, 30)
    ]
    assert len(read_all(root)) == len(TRAIN_LABELS)


def test_any_annotation_at_all_needs_an_image(root):
    annotate(root / "train_set", 1000, lnd=[0.0] * 136)
    fault = read_all(root)[-1]
    assert (fault.kind, fault.number, fault.label) == ("missing", 1000, None)


def test_a_link_to_nowhere_is_a_missing_image(one):
    (one / "images/7.jpg").unlink()
    (one / "images/7.jpg").symlink_to(one / "nowhere.jpg")
    fault = read_seven(one.parent)
    assert (fault.kind, fault.source, fault.label) == ("missing", "train_set/images/7.jpg", 1)


def test_a_file_that_cannot_be_read_is_broken(one):
    (one / "images/7.jpg").unlink()
    (one / "images/7.jpg").mkdir()
    fault = read_seven(one.parent)
    assert (fault.kind, fault.detail) == ("broken", "cannot be read: Is a directory")


def test_landmarks_are_accepted_and_not_read(root):
    (root / "train_set/annotations/0_lnd.npy").write_bytes(b"not even npy")
    assert Counter(map(type, read_all(root))) == {Sample: len(TRAIN_LABELS)}


@pytest.mark.parametrize("name", ["7.jpg", "7.png"])
@pytest.mark.parametrize("kept", [0.5, 0.9, 0.97])
def test_a_picture_that_is_cut_short_is_truncated(one, name, kept):
    (one / "images/7.jpg").unlink()
    cut(save(one / "images" / name, seed=1), kept)
    fault = read_seven(one.parent)
    assert (fault.kind, fault.source, fault.label) == (
        *("truncated", f"train_set/images/{name}", 1),
    )


@pytest.mark.parametrize("content", [b"", b"not a picture", bytes(1000)], ids=len)
def test_bytes_that_are_no_picture_are_broken(one, content):
    (one / "images/7.jpg").write_bytes(content)
    fault = read_seven(one.parent)
    assert (fault.kind, fault.label) == ("broken", 1)
    assert fault.detail.startswith("cannot be decoded: ")  # its path is the source already
    assert "0x" not in fault.detail


def test_grey_cmyk_alpha_and_turned_pictures_can_be_used(tmp_path, one):
    sizes = odd_pictures(tmp_path / "odd")
    for number, name in enumerate(sizes, start=100):
        path = tmp_path / "odd" / name
        path.rename(one / "images" / f"{number}{path.suffix}")
        annotate(one, number, exp=2)
    samples = read_all(one.parent)[1:]
    assert [(sample.width, sample.height) for sample in samples] == list(sizes.values())


@pytest.mark.parametrize(
    "name",
    [
        *("images/face.jpg", "images/007.jpg", "images/7.gif", "images/7", "images/7.jpg.part"),
        *("annotations/07_exp.npy", "annotations/7_exp.csv", "annotations/7_age.npy"),
    ],
)
def test_a_file_of_another_name_is_not_passed_over(root, name):
    (root / "train_set" / name).touch()
    with pytest.raises(DataError, match=f"{name}: not a name like"):
        find(root)


def test_hidden_files_are_no_part_of_the_data(root):
    for name in ("images/._0.jpg", "images/.DS_Store", "annotations/.DS_Store"):
        (root / "train_set" / name).touch()
    assert len(find(root).entries) == len(TRAIN_LABELS)


def test_two_images_of_one_number_are_refused(root):
    save(root / "train_set/images/6.png", seed=3)
    with pytest.raises(DataError, match=r"6\.png: 6\.jpg has the same number"):
        find(root)


def test_a_missing_part_is_named_with_what_is_expected(tmp_path):
    add(tmp_path / "train_set", 7, "1", seed=1)
    with pytest.raises(
        DataError, match=r"val_set: has no folder images.*val_set/images/N\.jpg"
    ):
        find(tmp_path)


def test_missing_annotations_are_named(tmp_path):
    for part in ("train_set", "val_set"):
        save(tmp_path / part / "images/0.jpg", seed=0)
    with pytest.raises(DataError, match=r"train_set/annotations: no such folder"):
        find(tmp_path)


def test_a_part_without_images_is_refused(root):
    for path in (root / "val_set/images").iterdir():
        path.unlink()
    with pytest.raises(DataError, match=r"val_set/images: holds no images"):
        find(root)


def test_each_folder_is_listed_once_and_no_file_is_asked_for(root, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    asked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: asked.append(a[0]) or stat(*a, **k))

    find(root)
    assert listed == [
        root / part / folder
        for part in ("train_set", "val_set")
        for folder in ("images", "annotations")
    ]
    assert not [path for path in asked if str(path).endswith((".jpg", ".npy"))]


def test_what_a_worker_gets_and_returns_is_small(root):
    entry = next(iter(find(root).entries))
    for record in (entry, npy.read(root, entry)):
        assert not hasattr(record, "__dict__")
        assert {type(getattr(record, name)) for name in record.__slots__} <= {
            *(int, str, float, type(None)),
        }


def test_the_picture_is_decoded_to_its_last_pixel(one):
    noise(3, (64, 64)).save(one / "images/7.jpg", quality=95)
    cut(one / "images/7.jpg", 0.8)  # the header and most rows are whole
    assert read_seven(one.parent).kind == "truncated"
