from __future__ import annotations

import csv
import hashlib
import json
import re
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest

from mien import files, paths
from mien.data import release
from mien.data.index import SCHEMA
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.stages.ingest import ingest
from tests.data.conftest import (
    TEST_LABELS,
    TRAIN_LABELS,
    add,
    affectnet_folder,
    annotate,
    load,
    save,
)
from tests.support.affectnet import (
    BOXES,
    ORDER,
    PICTURE_FOLDERS,
    TRAIN_ROWS,
    Row,
    class_folders,
    cut,
    npy_release,
    original_release,
    write_list,
)

GENEROUS = {"max_unusable": 0.9, "max_duplicates": 0.9}
FOLDERS = {"train": "Train", "test": "Test", "label_order": list(ORDER)}


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Params of a small data set in `raw`, seen from the working directory."""
    monkeypatch.chdir(tmp_path)
    affectnet_folder(tmp_path / "raw")
    return load(tmp_path)


@pytest.fixture
def empty(tmp_path, monkeypatch):
    """Return `raw`, where nothing is, seen from the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path / "raw"


def ingested(tmp_path, **changes):
    """Ingest the data set in `raw` and return the manifest."""
    ingest(load(tmp_path, data=changes), workers=1)
    return manifest()


def refused(tmp_path, match, **changes):
    with pytest.raises(DataError, match=match):
        ingest(load(tmp_path, data=changes), workers=1)
    assert not paths.INDEX.exists()
    assert not paths.INDEX_MANIFEST.exists()


def report():
    """Return the rows of the report: kind, part, source."""
    with paths.INGEST_REPORT.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["kind", "part", "source", "detail"]
    assert all(row[3] for row in rows[1:])
    return [tuple(row[:3]) for row in rows[1:]]


def index():
    return pq.read_table(paths.INDEX).to_pylist()


def manifest():
    return files.read_manifest(paths.INDEX_MANIFEST)


def test_the_index_has_the_agreed_columns(params):
    ingest(params, workers=1)
    assert pq.read_schema(paths.INDEX).equals(SCHEMA)
    assert SCHEMA.names == [
        *("key", "split", "label", "source", "sha256", "width", "height", "valence", "arousal"),
        *("crop_x", "crop_y", "crop_width", "crop_height"),
    ]


def test_every_image_is_a_row_and_keeps_its_own_facts(params, tmp_path):
    ingest(params, workers=1)
    rows = index()
    assert len(rows) == len(TRAIN_LABELS) + len(TEST_LABELS)
    for row in rows:
        split, number = row["key"].split("-")
        part, labels = (
            ("val_set", TEST_LABELS) if split == "test" else ("train_set", TRAIN_LABELS)
        )
        assert (split, len(number)) == (row["split"], 6)
        assert row["source"] == f"{part}/images/{int(number)}.jpg"
        assert row["label"] == labels[int(number) // 3]
        assert row["sha256"] == files.sha256_of(tmp_path / "raw" / row["source"])
        assert (row["width"], row["height"]) == (23, 17)
        assert (row["valence"], row["arousal"]) == (0.25, -0.5)
        assert row["crop_x"] is row["crop_y"] is row["crop_width"] is row["crop_height"] is None


def test_rows_are_sorted_by_split_and_number(params):
    ingest(params, workers=1)
    order = [(row["split"], int(row["key"].split("-")[1])) for row in index()]
    assert order == sorted(order, key=lambda p: (["train", "val", "test"].index(p[0]), p[1]))
    assert len({row["key"] for row in index()}) == len(order)


def test_val_is_a_quarter_of_each_label_of_the_training_part(params):
    ingest(params, workers=1)
    counts = manifest()["counts"]
    assert [counts["val"][name] for name in EXPRESSIONS] == [2, 2, 1, 1, 0, 0, 0, 0]
    assert [counts["train"][name] for name in EXPRESSIONS] == [6, 6, 3, 3, 0, 0, 0, 0]
    assert [counts["test"][name] for name in EXPRESSIONS] == [1, 1, 1, 1, 1, 1, 1, 0]


def test_the_seed_of_params_moves_val_and_nothing_else(params, tmp_path):
    ingest(params, workers=1)
    first = index()
    ingest(load(tmp_path, data={"seed": 1}), workers=1)
    second = index()
    assert {r["source"] for r in first if r["split"] == "val"} != {
        r["source"] for r in second if r["split"] == "val"
    }
    assert [r for r in first if r["split"] == "test"] == [
        r for r in second if r["split"] == "test"
    ]


def test_an_empty_class_is_warned_of_in_one_line(params, capsys):
    ingest(params, workers=1)
    warned = [line for line in capsys.readouterr().err.splitlines() if "warning" in line]
    assert warned == ["warning: no image of contempt in any split"]


def test_the_manifest_names_the_data_set_and_where_it_was(params):
    ingest(params, workers=1)
    assert (manifest()["name"], manifest()["root"]) == ("noise", "raw")


@pytest.mark.usefixtures("params")
def test_identical_images_are_reported_and_kept_on_one_side(tmp_path):
    for number in (500, 501, 502):
        add(tmp_path / "raw/train_set", number, "1", seed=8)  # the first happy one, at 24
    add(tmp_path / "raw/train_set", 503, "2", seed=0)  # the first neutral one, said to be sad
    facts = ingested(tmp_path, **GENEROUS)
    assert facts["duplicates"] == {
        "train_set": {"groups": 2, "images": 6, "conflicting_labels": 1},
        "val_set": {"groups": 0, "images": 0, "conflicting_labels": 0},
    }
    assert report() == [
        *(("duplicate", "train_set", f"train_set/images/{n}.jpg") for n in (500, 501, 502)),
        ("conflict", "train_set", "train_set/images/503.jpg"),
    ]
    assert len(index()) == len(TRAIN_LABELS) + len(TEST_LABELS) + 4
    sides = {}
    for row in index():
        sides.setdefault(row["sha256"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())


@pytest.mark.usefixtures("params")
def test_too_many_duplicates_are_refused_and_still_listed(tmp_path):
    for number in (500, 501):
        add(tmp_path / "raw/train_set", number, "1", seed=8)
    add(tmp_path / "raw/train_set", 502, "2", seed=0)
    refused(
        tmp_path,
        r"raw: train_set: 3 of 27 usable images are the same as an earlier one, a share of "
        r"0\.1111, above data\.max_duplicates 0\.1: duplicate 2, conflict 1, "
        r"the first of them train_set/images/502\.jpg .*: "
        r"data/ingest_report\.csv lists them all: .*raise data\.max_duplicates",
        max_duplicates=0.1,
    )
    assert len(report()) == 3
    ingested(tmp_path, max_duplicates=0.12)


@pytest.mark.usefixtures("params")
def test_duplicates_of_the_test_set_have_a_share_of_their_own(tmp_path):
    add(tmp_path / "raw/val_set", 500, "0", seed=1000)
    refused(tmp_path, r"val_set: 1 of 8 usable images .*0\.125", max_duplicates=0.1)


@pytest.mark.usefixtures("params")
def test_a_test_image_that_is_also_trained_on_is_reported_not_dropped(tmp_path, capsys):
    save(tmp_path / "raw/val_set/images/6.jpg", seed=4)
    save(tmp_path / "raw/val_set/images/12.jpg", seed=9)
    facts = ingested(tmp_path, max_unusable=0.0, max_duplicates=0.0)
    assert facts["test_images_also_in_train_set"] == {
        "count": 2,
        "keys": ["test-000006", "test-000012"],
    }
    assert report() == [
        ("leak", "val_set", f"val_set/images/{number}.jpg") for number in (6, 12)
    ]
    assert sum(row["split"] == "test" for row in index()) == len(TEST_LABELS)
    assert "warning: 2 test images are also in train_set" in capsys.readouterr().err


def test_the_same_bytes_twice_and_whatever_the_workers(empty, tmp_path):
    npy_release(empty)
    (empty / "train_set/images/3.JPG").write_bytes(b"no picture")
    cut(empty / "train_set/images/0.jpg", 0.5)
    written = []
    for workers in (1, 1, 2):
        ingest(load(tmp_path, data=GENEROUS), workers)
        names = (paths.INDEX, paths.INDEX_MANIFEST, paths.INGEST_REPORT)
        written.append([path.read_bytes() for path in names])
    assert written[0] == written[1] == written[2]


@pytest.mark.usefixtures("params")
def test_unusable_images_are_left_out_counted_and_listed(tmp_path):
    train = tmp_path / "raw/train_set"
    (train / "images/0.jpg").write_bytes(b"no picture")
    cut(train / "images/3.jpg", 0.9)
    (train / "images/6.jpg").unlink()
    (train / "annotations/9_exp.npy").unlink()
    annotate(train, 12, exp="8")
    annotate(train, 15, aro=1.5)
    facts = ingested(tmp_path, **GENEROUS)
    assert report() == [
        ("missing", "train_set", "train_set/annotations/6_*.npy"),
        ("unlabelled", "train_set", "train_set/images/9.jpg"),
        ("broken", "train_set", "train_set/images/0.jpg"),
        ("truncated", "train_set", "train_set/images/3.jpg"),
        ("label", "train_set", "train_set/images/12.jpg"),
        ("affect", "train_set", "train_set/images/15.jpg"),
    ]
    seen = Counter(kind for kind, _, _ in report())
    assert {kind: n for kind, n in facts["findings"]["train_set"].items() if n} == seen
    assert not any(facts["findings"]["val_set"].values())
    assert facts["listed"] == {"train_set": len(TRAIN_LABELS), "val_set": len(TEST_LABELS)}
    kept = {row["source"] for row in index() if row["split"] != "test"}
    assert kept == {f"train_set/images/{3 * n}.jpg" for n in range(6, len(TRAIN_LABELS))}


@pytest.mark.usefixtures("params")
def test_too_many_unusable_images_are_refused_and_still_listed(tmp_path):
    (tmp_path / "raw/val_set/images/9.jpg").write_bytes(b"no picture")
    refused(
        tmp_path,
        r"raw: val_set: 1 of 7 listed images cannot be used, a share of 0\.1429, above "
        r"data\.max_unusable 0\.14: broken 1, the first of them "
        r"val_set/images/9\.jpg .*lists them all",
        max_unusable=0.14,
    )
    assert report() == [("broken", "val_set", "val_set/images/9.jpg")]
    ingested(tmp_path, max_unusable=0.15)


@pytest.mark.usefixtures("params")
def test_damage_of_the_test_set_does_not_drown_in_the_training_part(tmp_path):
    cut(tmp_path / "raw/val_set/images/9.jpg", 0.9)
    refused(tmp_path, "val_set: 1 of 7", max_unusable=0.1)  # 1 of all 31 would do


def test_a_data_set_without_a_fault_has_an_empty_report_that_the_manifest_vouches_for(params):
    ingest(params, workers=1)
    assert report() == []
    assert set(manifest()["files"]) == {"index.parquet", "ingest_report.csv"}


def test_the_original_release_is_indexed_with_its_crops(empty, tmp_path, capsys):
    original_release(empty)
    facts = ingested(tmp_path)
    assert facts["layout"] == "csv"
    assert facts["where"].startswith("original release, Manually_Annotated_file_lists/")
    assert facts["where"] in capsys.readouterr().err
    assert facts["dropped_codes"]["train_set"] == {"none": 2, "uncertain": 1, "no-face": 1}
    rows = {row["key"]: row for row in index()}
    assert len(rows) == len(TRAIN_LABELS) + 1 + 1 + len(TEST_LABELS)
    for number in range(len(TRAIN_LABELS)):
        (row,) = (r for k, r in rows.items() if re.fullmatch(rf"(train|val)-0*{number}", k))
        crop = tuple(row[f"crop_{side}"] for side in ("x", "y", "width", "height"))
        assert crop == BOXES[number % 5][1]
        assert (row["width"], row["height"]) == (23, 17)
        assert row["source"].casefold() == (
            f"{PICTURE_FOLDERS[0]}/{TRAIN_ROWS[number].path}".casefold()
        )
        assert row["sha256"] == files.sha256_of(empty / row["source"])


def test_the_report_is_by_row_whenever_an_image_was_found_missing(empty, tmp_path):
    original_release(empty, train=[*TRAIN_ROWS, Row("9/nobody.jpg", 6)])
    (path,) = (empty / PICTURE_FOLDERS[0]).glob("11/train05.*")
    path.unlink()
    path.symlink_to("nowhere")  # listed like a picture, and missed when it is read
    ingested(tmp_path, **GENEROUS)
    assert report()[:-1] == [  # the last one is the leak of every such data set
        ("missing", "train_set", path.relative_to(empty).as_posix()),
        ("missing", "train_set", f"{PICTURE_FOLDERS[0]}/9/nobody.jpg"),
    ]


def test_the_faces_of_one_picture_are_on_one_side_and_no_duplicates(empty, tmp_path):
    rows = [Row(f"1/{n}.png", n % 2, (m, m, 9, 9)) for n in range(12) for m in (0, 1, 2)]
    original_release(empty, train=rows)
    facts = ingested(tmp_path, max_duplicates=0.0)
    assert facts["duplicates"]["train_set"]["groups"] == 0
    sides = {}
    for row in index():
        sides.setdefault(row["sha256"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())
    assert facts["counts"]["val"]["neutral"] == facts["counts"]["val"]["happy"] == 3


def test_one_lost_file_among_a_thousand_rows_is_within_the_default_limit(empty, tmp_path):
    rows = [Row(f"1/{n % 40}.bmp", 0, (n % 20, n // 40 % 15, 2, 2)) for n in range(1000)]
    original_release(empty, train=[*rows, Row("1/nobody.jpg", 1)])
    facts = ingested(tmp_path, max_duplicates=0.9)
    assert facts["findings"]["train_set"]["missing"] == 1
    refused_rows = [*rows, Row("1/nobody.jpg", 1), Row("1/nobody.bmp", 1)]
    write_list(empty / "Manually_Annotated_file_lists/training.csv", refused_rows)
    with pytest.raises(DataError, match="2 of 1,002 listed images cannot be used"):
        ingested(tmp_path, max_duplicates=0.9)


def test_a_copy_in_folders_is_indexed_in_the_stated_order(empty, tmp_path):
    class_folders(empty)
    facts = ingested(tmp_path, layout="folders", folders=FOLDERS)
    assert facts["layout"] == "folders"
    assert [facts["counts"]["test"][name] for name in EXPRESSIONS] == [1] * 7 + [0]
    assert {ORDER.index(row["source"].split("/")[1]) == row["label"] for row in index()} == {
        True
    }


@pytest.mark.parametrize("doubled", [False, True])
@pytest.mark.parametrize("kind", [str, int, float])
def test_the_8_label_release_is_indexed_with_all_its_quirks(empty, tmp_path, kind, doubled):
    npy_release(empty, kind, doubled)
    facts = ingested(tmp_path)
    assert facts["layout"] == "npy"
    assert facts["test_images_also_in_train_set"]["keys"] == ["test-000000"]
    labels = {
        row["key"].split("-")[1]: row["label"] for row in index() if row["split"] != "test"
    }
    assert [labels[f"{3 * n:06d}"] for n in range(len(TRAIN_LABELS))] == TRAIN_LABELS
    assert Counter(row["valence"] is None for row in index()) == {False: 26, True: 5}


def make_folders(root):
    class_folders(root)
    return {"layout": "folders", "folders": FOLDERS}


@pytest.mark.parametrize("make", [npy_release, original_release, make_folders])
def test_no_key_has_a_dot_where_webdataset_would_end_it(empty, tmp_path, make):
    ingested(tmp_path, **(make(empty) or {}))
    keys = [row["key"] for row in index()]
    assert len(set(keys)) == len(keys)
    assert all(re.fullmatch(r"(train|val|test)-\d{6,}", key) for key in keys)


def of(labels):
    return tuple(np.bincount(labels, minlength=8).tolist())


@pytest.fixture
def small_releases(monkeypatch):
    """Make the releases as small as the fixtures, the npy one again without the first row."""
    train, test = of(TRAIN_LABELS), of(TEST_LABELS)
    npy = {"train_set": train, "val_set": test}
    csv_ = {"train_set": of([*TRAIN_LABELS, 4]), "val_set": of([*TEST_LABELS, 7])}
    monkeypatch.setitem(release.RELEASES, "8-label release", npy)
    monkeypatch.setitem(release.RELEASES, "original release", csv_)


@pytest.mark.usefixtures("small_releases")
@pytest.mark.parametrize(
    ("make", "name"),
    [(npy_release, "8-label release"), (original_release, "original release")],
)
def test_the_release_that_matches_is_named(empty, tmp_path, capsys, make, name):
    make(empty)
    facts = ingested(tmp_path, counts="affectnet", strict=True)
    assert (facts["class_counts"]["release"], facts["class_counts"]["matches"]) == (name, True)
    assert f"images per class: as in AffectNet's {name}" in capsys.readouterr().err


@pytest.mark.usefixtures("small_releases")
def test_counts_are_of_what_is_stated_usable_or_not(empty, tmp_path):
    npy_release(empty)
    (empty / "train_set/images/3.JPG").write_bytes(b"no picture")
    (empty / "train_set/images/6.jpeg").unlink()
    annotate(empty / "train_set", 9, val=7)
    assert ingested(tmp_path, **GENEROUS, counts="affectnet")["class_counts"]["matches"]


@pytest.mark.usefixtures("small_releases")
def test_other_counts_are_a_warning_with_a_table_and_stand_in_the_manifest(
    empty, tmp_path, capsys
):
    npy_release(empty)
    annotate(empty / "train_set", 0, exp=5)
    facts = ingested(tmp_path, counts="affectnet")
    assert facts["class_counts"]["differences"] == {
        "train_set": {
            "neutral": {"expected": 8, "seen": 7},
            "disgust": {"expected": 0, "seen": 1},
        },
        "val_set": {},
    }
    printed = capsys.readouterr().err
    assert "warning: images per class differ from AffectNet's 8-label release" in printed
    assert re.search(r"^neutral +8 +7 +-1$", printed, re.MULTILINE)
    assert re.search(r"^disgust +0 +1 +\+1$", printed, re.MULTILINE)


@pytest.mark.usefixtures("small_releases")
def test_other_counts_are_an_error_when_strict(empty, tmp_path):
    npy_release(empty)
    annotate(empty / "train_set", 0, exp=5)
    refused(
        tmp_path,
        r"raw: images per class differ from AffectNet's 8-label release: train_set neutral 7 "
        r"instead of 8, train_set disgust 1 instead of 0: .*data\.strict to false",
        counts="affectnet",
        strict=True,
    )


def test_no_release_is_compared_with_when_none_is_named(params):
    ingest(params, workers=1)
    assert manifest()["class_counts"] is None


def test_val_is_chosen_by_content_alone(params, tmp_path):
    ingest(params, workers=1)
    ranked = {}  # of each label: the digest of seed and content, and the number
    for place, label in enumerate(TRAIN_LABELS):
        content = files.sha256_of(tmp_path / f"raw/train_set/images/{3 * place}.jpg")
        rank = hashlib.sha256(f"0:{content}".encode()).hexdigest()
        ranked.setdefault(label, []).append((rank, 3 * place))
    chosen = [
        n for of_label in ranked.values() for _, n in sorted(of_label)[: len(of_label) // 4]
    ]
    assert [row["key"] for row in index() if row["split"] == "val"] == [
        f"val-{number:06d}" for number in sorted(chosen)
    ]


@pytest.mark.usefixtures("params")
@pytest.mark.parametrize(("fraction", "split"), [(0.05, "val"), (0.99, "train")])
def test_a_split_that_would_be_empty_is_refused(tmp_path, fraction, split):
    with pytest.raises(DataError, match=f"split {split} .*data.val_fraction {fraction}"):
        ingest(load(tmp_path, data={"val_fraction": fraction}), workers=1)
    assert not paths.INDEX.exists()


def test_a_killed_run_leaves_an_index_that_its_manifest_does_not_vouch_for(
    params, tmp_path, monkeypatch
):
    ingest(params, workers=1)
    monkeypatch.setattr(files, "write_manifest", killed)
    with pytest.raises(KeyboardInterrupt):
        ingest(load(tmp_path, data={"seed": 1}), workers=1)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    json.loads(paths.INDEX_MANIFEST.read_text())
    with pytest.raises(DataError, match=r"index\.parquet: sha256"):
        manifest()


def killed(*_, **__):
    raise KeyboardInterrupt
