from __future__ import annotations

import hashlib
import os

import numpy as np
import pytest
from PIL import Image

from mien.data.affectnet import find_images, read_sample
from mien.errors import DataError
from tests.data.conftest import TRAIN_LABELS, add, annotate, noise, save


def read_all(root, part="train_set"):
    return [read_sample(root, entry) for entry in find_images(root, part)]


def one_image(tmp_path, label="1"):
    add(tmp_path / "train_set", 7, label, seed=1)
    return tmp_path


def test_ids_are_sorted_as_numbers(root):
    numbers = [entry.number for entry in find_images(root, "train_set")]
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
    assert (sample.width, sample.height) == (23, 17)
    assert (sample.label, sample.valence, sample.arousal) == (TRAIN_LABELS[9], 0.25, -0.5)


@pytest.mark.parametrize(
    "code", ["3", "3.0", b"3", 3, np.uint8(3), np.int64(3), np.float32(3.0)], ids=repr
)
def test_an_expression_may_be_text_or_a_number(tmp_path, code):
    assert read_all(one_image(tmp_path, code))[0].label == 3


@pytest.mark.parametrize("invalid", ["-2", "-2.0", -2, -2.0])
def test_minus_two_means_no_affect(tmp_path, invalid):
    one_image(tmp_path)
    annotate(tmp_path / "train_set", 7, val=invalid)
    sample = read_all(tmp_path)[0]
    assert (sample.valence, sample.arousal) == (None, -0.5)


def test_affect_may_be_absent(tmp_path):
    one_image(tmp_path)
    (tmp_path / "train_set/annotations/7_aro.npy").unlink()
    sample = read_all(tmp_path)[0]
    assert (sample.valence, sample.arousal) == (0.25, None)


@pytest.mark.parametrize("value", ["1.01", -1.5, "nan", -3])
def test_affect_outside_its_range_is_refused(tmp_path, value):
    one_image(tmp_path)
    annotate(tmp_path / "train_set", 7, aro=value)
    with pytest.raises(DataError, match=rf"7_aro\.npy: {float(value):g} "):
        read_all(tmp_path)


@pytest.mark.parametrize(
    ("code", "seen"), [("8", "8"), (10, "10"), ("-1", "-1"), (1.5, "1.5"), ("nan", "nan")]
)
def test_a_code_outside_the_eight_is_refused(tmp_path, code, seen):
    with pytest.raises(DataError, match=rf"7_exp\.npy: expression {seen} is not one of 0\.\.7"):
        read_all(one_image(tmp_path, code))


PICKLED = np.array(1, dtype=object)  # reading it would run what is in the file


@pytest.mark.parametrize("content", ["happy", [1, 2], PICKLED, 1j], ids=repr)
def test_an_annotation_that_is_not_one_number_is_refused(tmp_path, content):
    with pytest.raises(DataError, match=r"7_exp\.npy: not an npy file with one number"):
        read_all(one_image(tmp_path, content))


@pytest.mark.parametrize("content", [b"", b"1", b"\x93NUMPY\x01\x00", b"PK\x03\x04"], ids=repr)
def test_an_annotation_that_is_no_npy_file_is_refused(tmp_path, content):
    one_image(tmp_path)
    (tmp_path / "train_set/annotations/7_exp.npy").write_bytes(content)
    with pytest.raises(DataError, match=r"7_exp\.npy: not an npy file with one number"):
        read_all(tmp_path)


def test_a_doubled_folder_is_entered(root):
    plain = [sample.sha256 for sample in read_all(root)]
    (root / "train_set").rename(root / "inner")
    (root / "train_set").mkdir()
    (root / "inner").rename(root / "train_set/train_set")

    samples = read_all(root)
    assert [sample.sha256 for sample in samples] == plain
    assert samples[1].source == "train_set/train_set/images/3.jpg"


def test_extensions_may_be_in_any_case(tmp_path):
    names = ["0.JPG", "1.Jpeg", "2.PNG", "10.png", "11.TIF", "12.bmp"]
    for name in names:
        number = int(name.partition(".")[0])
        add(tmp_path / "train_set", number, "0", number, name)
    found = find_images(tmp_path, "train_set")
    assert [entry.image.rpartition("/")[2] for entry in found] == names


def test_images_without_an_expression_are_counted_and_the_first_is_named(root):
    for number in (30, 9, 12):
        (root / f"train_set/annotations/{number}_exp.npy").unlink()
    with pytest.raises(DataError, match=r"images/9\.jpg: .*without an expression: 3:"):
        find_images(root, "train_set")


def test_annotations_without_an_image_are_counted_and_the_first_is_named(root):
    for number in (30, 9):
        (root / f"train_set/images/{number}.jpg").unlink()
    with pytest.raises(DataError, match=r"annotations/9_\*\.npy: .*without an image: 2:"):
        find_images(root, "train_set")


def test_any_annotation_at_all_needs_an_image(root):
    annotate(root / "train_set", 1000, lnd=[0.0] * 136)
    with pytest.raises(DataError, match=r"annotations/1000_\*\.npy: has no image"):
        find_images(root, "train_set")


def test_landmarks_are_accepted_and_not_read(root):
    (root / "train_set/annotations/0_lnd.npy").write_bytes(b"not even npy")
    assert len(read_all(root)) == len(TRAIN_LABELS)


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
        find_images(root, "train_set")


def test_hidden_files_are_no_part_of_the_data(root):
    for name in ("images/._0.jpg", "images/.DS_Store", "annotations/.DS_Store"):
        (root / "train_set" / name).touch()
    assert len(find_images(root, "train_set")) == len(TRAIN_LABELS)


def test_two_images_of_one_number_are_refused(root):
    save(root / "train_set/images/6.png", seed=3)
    with pytest.raises(DataError, match=r"6\.png: 6\.jpg has the same number"):
        find_images(root, "train_set")


def test_a_missing_root_is_named(tmp_path):
    with pytest.raises(DataError, match=r"nowhere: no such folder.*train_set/ and val_set/"):
        find_images(tmp_path / "nowhere", "train_set")


def test_a_missing_part_is_named_with_what_is_expected(tmp_path):
    one_image(tmp_path)
    with pytest.raises(
        DataError, match=r"val_set: has no folder images.*val_set/images/N\.jpg"
    ):
        find_images(tmp_path, "val_set")


def test_missing_annotations_are_named(tmp_path):
    save(tmp_path / "train_set/images/0.jpg", seed=0)
    with pytest.raises(DataError, match=r"train_set/annotations: no such folder"):
        find_images(tmp_path, "train_set")


def test_a_part_without_images_is_refused(tmp_path):
    for folder in ("images", "annotations"):
        (tmp_path / "train_set" / folder).mkdir(parents=True)
    with pytest.raises(DataError, match=r"train_set/images: holds no images"):
        find_images(tmp_path, "train_set")


@pytest.mark.parametrize("name", ["7.jpg", "7.png"])
@pytest.mark.parametrize("kept", [0.0, 0.5, 0.97])
def test_a_truncated_image_is_refused(tmp_path, name, kept):
    add(tmp_path / "train_set", 7, "1", 1, name)
    path = tmp_path / "train_set/images" / name
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])
    with pytest.raises(DataError, match=rf"{name}: cannot be decoded: .*with its annotations"):
        read_all(tmp_path)


def test_width_and_height_are_those_of_the_upright_picture(tmp_path):
    one_image(tmp_path)
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turn right by 90 degrees
    noise(1).save(tmp_path / "train_set/images/7.jpg", exif=exif)
    sample = read_all(tmp_path)[0]
    assert (sample.width, sample.height) == (17, 23)


def test_each_folder_is_listed_once_and_no_file_is_asked_for(root, monkeypatch):
    listed = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda path: listed.append(path) or scandir(path))
    asked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: asked.append(a[0]) or stat(*a, **k))

    find_images(root, "train_set")
    part = root / "train_set"
    assert listed == [part / "images", part / "annotations"]
    assert not [path for path in asked if str(path).endswith((".jpg", ".npy"))]
