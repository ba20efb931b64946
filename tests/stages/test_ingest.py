from __future__ import annotations

import json

import pyarrow.parquet as pq
import pytest

from mien import files, paths
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.stages.ingest import SCHEMA, ingest
from tests.data.conftest import TEST_LABELS, TRAIN_LABELS, add, affectnet_folder, load, save


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Params of a small data set in `raw`, seen from the working directory."""
    monkeypatch.chdir(tmp_path)
    affectnet_folder(tmp_path / "raw")
    return load(tmp_path)


def index():
    return pq.read_table(paths.INDEX).to_pylist()


def manifest():
    return files.read_manifest(paths.INDEX_MANIFEST)


def test_the_index_has_the_agreed_columns(params):
    ingest(params, workers=1)
    assert pq.read_schema(paths.INDEX).equals(SCHEMA)
    assert SCHEMA.names == [
        *("key", "split", "label", "source", "sha256", "width", "height", "valence", "arousal")
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


def test_identical_images_are_reported_and_kept_on_one_side(params, tmp_path):
    for number in (500, 501, 502):
        add(tmp_path / "raw/train_set", number, "1", seed=8)  # the first happy one, at 24
    add(tmp_path / "raw/train_set", 503, "2", seed=0)  # the first neutral one, said to be sad
    ingest(params, workers=1)
    assert manifest()["duplicates"] == {
        "train_set": {"groups": 2, "images": 6, "conflicting_labels": 1},
        "val_set": {"groups": 0, "images": 0, "conflicting_labels": 0},
    }
    sides = {}
    for row in index():
        sides.setdefault(row["sha256"], set()).add(row["split"])
    assert all(len(splits) == 1 for splits in sides.values())


def test_a_test_image_that_is_also_trained_on_is_reported_not_dropped(params, tmp_path, capsys):
    save(tmp_path / "raw/val_set/images/6.jpg", seed=4)
    save(tmp_path / "raw/val_set/images/12.jpg", seed=9)
    ingest(params, workers=1)
    assert manifest()["test_images_also_in_train_set"] == {
        "count": 2,
        "keys": ["test-000006", "test-000012"],
    }
    assert sum(row["split"] == "test" for row in index()) == len(TEST_LABELS)
    assert "warning: 2 test images are also in train_set" in capsys.readouterr().err


def test_the_same_bytes_twice_and_whatever_the_workers(params):
    written = []
    for workers in (1, 1, 2):
        ingest(params, workers)
        written.append((paths.INDEX.read_bytes(), paths.INDEX_MANIFEST.read_bytes()))
    assert written[0] == written[1] == written[2]


def test_a_broken_image_is_refused_by_name_and_nothing_is_written(params, tmp_path):
    path = tmp_path / "raw/val_set/images/9.jpg"
    path.write_bytes(path.read_bytes()[:400])
    with pytest.raises(DataError, match=r"raw/val_set/images/9\.jpg: cannot be decoded"):
        ingest(params, workers=1)
    assert not (tmp_path / "data").exists()


@pytest.mark.usefixtures("params")
@pytest.mark.parametrize(("fraction", "split"), [(0.05, "val"), (0.99, "train")])
def test_a_split_that_would_be_empty_is_refused(tmp_path, fraction, split):
    with pytest.raises(DataError, match=f"split {split} .*data.val_fraction {fraction}"):
        ingest(load(tmp_path, data={"val_fraction": fraction}), workers=1)
    assert not (tmp_path / "data").exists()


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
