from __future__ import annotations

import hashlib
import os

import pytest

from mien.data.layouts import original
from mien.data.layouts.reading import clamped, look
from mien.data.layouts.records import Fault, Sample, UnusableError
from mien.errors import DataError
from tests.data.conftest import TEST_LABELS, TRAIN_LABELS, noise, save
from tests.support.affectnet import (
    BOXES,
    HEADERS,
    LIST_FOLDERS,
    PICTURE_FOLDERS,
    TEST_ROWS,
    TRAIN_ROWS,
    Row,
    cut,
    odd_pictures,
    original_release,
    write_list,
)

USED = [place for place, row in enumerate(TRAIN_ROWS) if row.expression in range(8)]


def find(root, part="train_set"):
    return original.find(root)[0][part]


def read_all(root, part="train_set"):
    listing = find(root, part)
    return [*listing.faults, *(look(root, entry) for entry in listing.entries)]


def read_one(tmp_path, row, **options):
    """Return what becomes of a training part of this row alone."""
    original_release(tmp_path, train=[row], **options)
    (outcome,) = read_all(tmp_path)
    return outcome


@pytest.mark.parametrize("header", HEADERS)
@pytest.mark.parametrize("lists", LIST_FOLDERS)
@pytest.mark.parametrize("pictures", PICTURE_FOLDERS)
def test_lists_and_pictures_are_found_wherever_they_were_unpacked(
    tmp_path, lists, pictures, header
):
    original_release(tmp_path, lists, pictures, header)
    samples = read_all(tmp_path)
    assert [sample.label for sample in samples] == [*TRAIN_LABELS, 4]
    assert [sample.number for sample in samples] == USED
    for sample in samples:
        data = (tmp_path / sample.source).read_bytes()
        assert sample.sha256 == hashlib.sha256(data).hexdigest()
        assert (sample.valence, sample.arousal) == (0.25, -0.5)
    tests = read_all(tmp_path, "val_set")
    assert [sample.label for sample in tests] == [7, *TEST_LABELS]
    _, where = original.find(tmp_path)
    assert f"{lists}/training.csv".lstrip("/") in where
    assert f"pictures below {pictures or 'the root'}".rstrip("/") in where


def test_the_codes_without_an_expression_are_dropped_and_counted_by_name(tmp_path):
    original_release(tmp_path)
    listing = find(tmp_path)
    assert listing.dropped == {"none": 2, "uncertain": 1, "no-face": 1}
    assert listing.faults == []  # one of them names no picture: nobody asks for it
    assert find(tmp_path, "val_set").dropped == {"none": 0, "uncertain": 0, "no-face": 0}


def test_a_row_keeps_its_number_whatever_is_dropped_before_it(tmp_path):
    rows = [Row("1/nobody.jpg", 8), Row("1/a.jpg", 3), Row("1/nobody.jpg", 10), TRAIN_ROWS[1]]
    original_release(tmp_path, train=rows)
    assert [(sample.number, sample.label) for sample in read_all(tmp_path)] == [(1, 3), (3, 0)]


@pytest.mark.parametrize("header", ["plain", "missing"])
def test_numbers_count_from_the_first_data_row(tmp_path, header):
    original_release(tmp_path, header=header)
    assert next(iter(find(tmp_path, "val_set").entries)).number == 0


@pytest.mark.parametrize(
    ("stated", "on_disk"), [("a.JPG", "a.jpg"), ("a.jpg", "a.JPG"), ("A.jpeg", "a.Jpeg")]
)
def test_a_name_may_differ_in_case_from_the_file(tmp_path, stated, on_disk):
    original_release(tmp_path, pictures="Manually_Annotated", train=[Row(f"1/{stated}", 1)])
    folder = tmp_path / "Manually_Annotated/1"
    next(folder.iterdir()).rename(folder / on_disk)
    (sample,) = read_all(tmp_path)
    assert sample.source == f"Manually_Annotated/1/{on_disk}"


def test_the_very_name_goes_before_one_that_differs_in_case(tmp_path):
    rows = [Row("1/a.jpg", 1), Row("1/a.JPG", 2)]
    original_release(tmp_path, pictures="", train=rows)
    for seed, name in enumerate(("a.jpg", "a.JPG")):
        save(tmp_path / "1" / name, seed=seed)
    first, second = read_all(tmp_path)
    assert (first.source, second.source) == ("1/a.jpg", "1/a.JPG")
    assert isinstance(first, Sample)
    assert first.sha256 != second.sha256


def test_two_names_that_differ_in_case_are_no_match_for_a_third(tmp_path):
    original_release(tmp_path, pictures="", train=[Row("1/a.jpg", 1)])
    for path in (tmp_path / "1").iterdir():
        path.unlink()
    for name in ("a.JPG", "A.jpg"):
        save(tmp_path / "1" / name, seed=5)
    (fault,) = read_all(tmp_path)
    assert (fault.kind, fault.source) == ("missing", "1/a.jpg")
    assert "nor exactly one whose name differs only in case" in fault.detail


@pytest.mark.parametrize(("stated", "within"), BOXES)
def test_a_box_is_clamped_to_the_picture(tmp_path, stated, within):
    sample = read_one(tmp_path, Row("1/a.jpg", 1, stated))
    assert sample.crop == within
    assert (sample.width, sample.height) == (23, 17)  # of the whole picture


@pytest.mark.parametrize(
    "box",
    [
        *((23, 0, 5, 5), (0, 17, 5, 5), (-5, 0, 5, 5), (0, -9, 5, 5)),
        *((3, 3, 0, 5), (3, 3, 5, 0), (10, 10, -5, 5), ("nan", 0, 5, 5), (0, 0, "inf", 5)),
        *(("left", 0, 5, 5), ("", "", "", "")),
    ],
)
def test_a_box_that_holds_no_pixel_is_a_fault(tmp_path, box):
    fault = read_one(tmp_path, Row("1/a.jpg", 1, box))
    assert (fault.kind, fault.label) == ("crop", 1)


def test_a_clamped_box_is_the_pixels_the_box_and_the_picture_share():
    for box in [
        (x, y, w, h) for x in (-3, 0, 4) for y in (-2, 3) for w in (2, 9) for h in (4,)
    ]:
        columns = [c for c in range(6) if box[0] <= c < box[0] + box[2]]
        rows = [r for r in range(5) if box[1] <= r < box[1] + box[3]]
        if not columns or not rows:
            with pytest.raises(UnusableError, match="holds no pixel of the picture of 6 x 5"):
                clamped(box, 6, 5)
        else:
            within = (columns[0], rows[0], len(columns), len(rows))
            assert clamped(box, 6, 5) == within


def test_the_box_is_in_pixels_of_the_upright_picture(tmp_path):
    row = Row("1/a.jpg", 1, (0, 0, 99, 99))
    original_release(tmp_path, pictures="", train=[row])
    odd_pictures(tmp_path / "odd")
    (tmp_path / "odd/turned.jpg").replace(tmp_path / "1/a.jpg")
    (sample,) = read_all(tmp_path)
    assert (sample.width, sample.height, sample.crop) == (17, 23, (0, 0, 17, 23))


def test_a_row_without_its_picture_is_a_fault_with_its_label(tmp_path):
    rows = [*TRAIN_ROWS, Row("9/nobody.jpg", 6)]
    original_release(tmp_path, train=rows)
    faults = [outcome for outcome in read_all(tmp_path) if isinstance(outcome, Fault)]
    assert [(fault.kind, fault.number, fault.label) for fault in faults] == [
        ("missing", len(TRAIN_ROWS), 6)
    ]
    assert faults[0].source == f"{PICTURE_FOLDERS[0]}/9/nobody.jpg"


@pytest.mark.parametrize(("kept", "kind"), [(0.8, "truncated"), (0, "broken")])
def test_a_broken_picture_is_a_fault_with_its_label(tmp_path, kept, kind):
    original_release(tmp_path, pictures="")
    cut(tmp_path / TRAIN_ROWS[0].path, kept)
    fault = next(o for o in read_all(tmp_path) if isinstance(o, Fault))
    assert (fault.kind, fault.source, fault.label) == (kind, TRAIN_ROWS[0].path, 0)


@pytest.mark.parametrize("code", [-1, 11, 1.5, "nan", "happy", ""])
def test_a_code_that_is_none_is_a_fault(tmp_path, code):
    fault = read_one(tmp_path, Row("1/a.jpg", code))
    assert (fault.kind, fault.source, fault.label) == ("label", "1/a.jpg", None)
    assert fault.detail.startswith(
        "Manually_Annotated_file_lists/training.csv row 0: expression"
    )


@pytest.mark.parametrize("code", [3, "3", "3.0", " 3 "])
def test_a_code_may_be_spelt_as_a_float(tmp_path, code):
    assert read_one(tmp_path, Row("1/a.jpg", code)).label == 3


@pytest.mark.parametrize(
    ("value", "seen"), [(-2, None), ("-2.0", None), ("", None), ("1", 1.0)]
)
def test_affect_may_be_marked_invalid_or_be_absent(tmp_path, value, seen):
    assert read_one(tmp_path, Row("1/a.jpg", 1, valence=value)).valence == seen


@pytest.mark.parametrize("value", [1.5, -1.01, "nan", "high"])
def test_affect_outside_its_range_is_a_fault(tmp_path, value):
    fault = read_one(tmp_path, Row("1/a.jpg", 1, arousal=value))
    assert (fault.kind, fault.label) == ("affect", 1)
    assert "row 0: arousal: " in fault.detail


@pytest.mark.parametrize("path", ["../secret.jpg", "/etc/a.jpg", "1/../a.jpg", "1//a.jpg", ""])
def test_a_path_that_leads_elsewhere_is_a_fault(tmp_path, path):
    original_release(tmp_path)
    write_list(tmp_path / LIST_FOLDERS[1] / "training.csv", [Row(path, 1), TRAIN_ROWS[0]])
    fault, sample = read_all(tmp_path)
    assert (fault.kind, fault.number) == ("row", 0)
    assert isinstance(sample, Sample)


def test_a_row_that_is_cut_short_is_a_fault_and_a_blank_line_is_no_row(tmp_path):
    original_release(tmp_path, lists="")
    with (tmp_path / "training.csv").open("a") as file:
        file.write("\n9/train00.jpg,2,3,11\n")
    fault = find(tmp_path).faults[0]
    assert (fault.kind, fault.number) == ("row", len(TRAIN_ROWS))
    assert fault.source == f"training.csv row {len(TRAIN_ROWS)}"
    assert "has 4 columns" in fault.detail


def test_columns_are_known_by_their_names_not_their_places(tmp_path):
    original_release(tmp_path, lists="", pictures="", train=[Row("1/a.jpg", 5)])
    (tmp_path / "training.csv").write_text(
        "expression,valence,arousal,face_x,face_y,face_width,face_height,subDirectory_filePath\n"
        "5,-0.125,1,2,3,4,5,1/a.jpg\n"
    )
    (sample,) = read_all(tmp_path)
    assert (sample.label, sample.valence, sample.arousal) == (5, -0.125, 1.0)
    assert sample.crop == (2, 3, 4, 5)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"training\.csv: is empty"),
        (
            "1/a.jpg,2,3,4,5,1;2,3,0.5\n",
            r"training\.csv: its first line is no header and has 8",
        ),
        ("#subDirectory_filePath,expression\n", r"header names face_x 0 times: .*expression"),
        (
            "subDirectory_filePath,face_x,face_y,face_width,face_height,expression,valence,"
            "arousal,expression\n",
            r"header names expression 2 times",
        ),
        ("1/a.jpg,2,3,4,5," + "1" * 200_000, r"training\.csv: not a csv file in UTF-8"),
        ("1/\ud8ff.jpg", r"training\.csv: not a csv file in UTF-8"),
    ],
)
def test_a_list_of_another_form_is_refused(tmp_path, text, message):
    original_release(tmp_path, lists="")
    (tmp_path / "training.csv").write_text(text, errors="surrogatepass")
    with pytest.raises(DataError, match=message):
        find(tmp_path)


def test_a_missing_list_is_named_with_its_places(tmp_path):
    original_release(tmp_path)
    (tmp_path / "Manually_Annotated_file_lists/validation.csv").unlink()
    with pytest.raises(
        DataError, match=r"one of validation\.csv, .*file_lists/validation\.csv; found none"
    ):
        find(tmp_path)


def test_a_list_in_two_places_is_refused(tmp_path):
    original_release(tmp_path)
    write_list(tmp_path / "training.csv", TRAIN_ROWS)
    with pytest.raises(
        DataError, match=r"found training\.csv, Manually.*/training\.csv: remove"
    ):
        find(tmp_path)


def test_pictures_in_two_places_are_refused_with_their_counts(tmp_path):
    original_release(tmp_path)
    save(tmp_path / "Manually_Annotated_Images" / TRAIN_ROWS[0].path, seed=0)
    with pytest.raises(
        DataError,
        match=r"32 below Manually_Annotated/Manually_Annotated_Images/, "
        r"1 below Manually_Annotated_Images/",
    ):
        find(tmp_path)


def test_lists_without_any_picture_are_refused(tmp_path):
    original_release(tmp_path, pictures="elsewhere")
    with pytest.raises(DataError, match=r"none of the 32 pictures .*10/train01\.JPG, say"):
        find(tmp_path)


def test_pictures_of_every_kind_can_be_used(tmp_path):
    sizes = odd_pictures(tmp_path / "1")
    rows = [Row(f"1/{name}", 2, (0, 0, 99, 99)) for name in sizes]
    write_list(tmp_path / "training.csv", rows)
    write_list(tmp_path / "validation.csv", TEST_ROWS)
    samples = read_all(tmp_path)
    assert [(sample.width, sample.height) for sample in samples] == list(sizes.values())


def test_each_folder_is_listed_once_and_no_picture_is_asked_for(tmp_path, monkeypatch):
    original_release(tmp_path, lists="", pictures="Manually_Annotated")
    listed = []
    scandir = os.scandir

    def noted(path):
        entries = scandir(path)
        listed.append(path.relative_to(tmp_path).as_posix())  # only if it is there
        return entries

    monkeypatch.setattr(os, "scandir", noted)
    asked = []
    stat = os.stat
    monkeypatch.setattr(os, "stat", lambda *a, **k: asked.append(a[0]) or stat(*a, **k))

    find(tmp_path)
    assert sorted(listed) == [f"Manually_Annotated/{n}" for n in ("10", "11", "459", "9")]
    assert not [path for path in asked if not str(path).endswith(".csv")]


def test_the_faces_of_one_picture_share_its_bytes_and_not_their_crop(tmp_path):
    noise(1).save(tmp_path / "a.jpg")
    write_list(tmp_path / "training.csv", [Row("a.jpg", 1), Row("a.jpg", 2, (0, 0, 4, 4))])
    write_list(tmp_path / "validation.csv", [Row("a.jpg", 1)])
    first, second = read_all(tmp_path)
    assert first.sha256 == second.sha256
    assert (first.crop, second.crop) == ((2, 3, 11, 9), (0, 0, 4, 4))
