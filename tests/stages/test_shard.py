from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien import paths
from mien.cli import main
from mien.data.shards import count, labels_of, read_split
from mien.errors import DataError
from mien.expressions import EXPRESSIONS
from mien.files import sha256_of
from mien.stages.ingest import ingest
from mien.stages.shard import shard
from tests.data.conftest import affectnet_folder, load


@pytest.fixture
def params(tmp_path, monkeypatch):
    """Params of a small data set, seen from the working directory, whose index is written."""
    monkeypatch.chdir(tmp_path)
    affectnet_folder(tmp_path / "raw")
    params = load(tmp_path)
    ingest(params, workers=1)
    return params


def test_the_shards_hold_the_index_in_its_order(params):
    shard(params, workers=1)
    rows = pq.read_table(paths.INDEX).to_pylist()
    for split in ("train", "val", "test"):
        of_split = [row for row in rows if row["split"] == split]
        batch = read_split(paths.SHARDS_MANIFEST, split)
        assert batch.keys == [row["key"] for row in of_split]
        assert batch.labels.tolist() == [row["label"] for row in of_split]
        for row, image in zip(of_split, batch.images, strict=True):
            source = Image.open(f"raw/{row['source']}").resize(
                (64, 64), Image.Resampling.BICUBIC
            )
            assert np.array_equal(image.permute(1, 2, 0).numpy(), np.asarray(source))


@pytest.mark.usefixtures("params")
def test_params_shape_the_shards(tmp_path):
    wanted = {"image_size": 128, "format": "png", "filter": "lanczos", "images_per_shard": 7}
    shard(load(tmp_path, shards=wanted), workers=1)
    facts = json.loads(paths.SHARDS_MANIFEST.read_text())
    assert (facts["image_size"], facts["format"], facts["filter"]) == (128, "png", "lanczos")
    assert [entry["name"] for entry in facts["splits"]["train"]["shards"]] == [
        "train/train-00000.tar",
        "train/train-00001.tar",
        "train/train-00002.tar",
    ]
    assert read_split(paths.SHARDS_MANIFEST, "val").images.shape == (6, 3, 128, 128)


def test_counts_and_labels_agree_with_the_index(params):
    shard(params, workers=1)
    counts = json.loads(paths.INDEX_MANIFEST.read_text())["counts"]
    facts = json.loads(paths.SHARDS_MANIFEST.read_text())["splits"]
    for split, by_name in counts.items():
        assert facts[split]["labels"] == by_name
        assert count(paths.SHARDS_MANIFEST, split) == sum(by_name.values())
        seen = np.bincount(labels_of(paths.SHARDS_MANIFEST, split), minlength=8)
        assert seen.tolist() == [by_name[name] for name in EXPRESSIONS]


def test_the_same_bytes_with_two_workers(params):
    written = []
    for workers in (1, 2):
        shard(params, workers)
        found = sorted(path for path in paths.SHARDS.rglob("*") if path.is_file())
        written.append({str(path): path.read_bytes() for path in found})
        shutil.rmtree(paths.SHARDS)
    assert written[0] == written[1]
    assert len(written[0]) == 2 * (4 + 2 + 2) + 1


def test_an_index_that_its_manifest_does_not_vouch_for_is_refused(params):
    paths.INDEX.write_bytes(paths.INDEX.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"index\.parquet: sha256"):
        shard(params, workers=1)


def test_a_missing_index_is_named(params):
    paths.INDEX_MANIFEST.unlink()
    with pytest.raises(DataError, match=r"data/index\.json: no such file"):
        shard(params, workers=1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_source_that_changed_since_ingest_is_refused_by_name(params, tmp_path, workers):
    path = tmp_path / "raw/val_set/images/3.jpg"
    path.write_bytes(path.read_bytes() + b"\0")
    with pytest.raises(DataError, match=r"raw/val_set/images/3\.jpg: sha256 .* of test-000003"):
        shard(params, workers)
    assert not paths.SHARDS_MANIFEST.exists()


@pytest.mark.usefixtures("params")
def test_an_estimate_is_printed_and_nothing_written(capsys):
    assert main(["shard", "--estimate", "--threads", "2"]) == 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0].startswith("by 31 images: ")
    assert printed[1].startswith("noise, 31 images: ")
    assert printed[2].startswith("AffectNet, 291650 images: ")
    assert not paths.SHARDS.exists()


def test_a_shortage_of_disk_is_refused_before_the_first_byte(params, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    with pytest.raises(DataError, match=r"data/shards: 31 images need about .* make room"):
        shard(params, workers=1)
    assert not paths.SHARDS.exists()


def test_a_crop_of_the_index_is_what_the_shard_shows(params):
    table = pq.read_table(paths.INDEX)
    place = table["key"].to_pylist().index("test-000006")
    crop = {"crop_x": 3, "crop_y": 2, "crop_width": 11, "crop_height": 13}
    for name, value in crop.items():
        values = table[name].to_pylist()
        values[place] = value
        column = table.schema.get_field_index(name)
        table = table.set_column(column, table.schema.field(name), [values])
    pq.write_table(table, paths.INDEX)
    facts = json.loads(paths.INDEX_MANIFEST.read_text())
    facts["files"]["index.parquet"] = sha256_of(paths.INDEX)
    paths.INDEX_MANIFEST.write_text(json.dumps(facts))

    shard(params, workers=1)
    batch = read_split(paths.SHARDS_MANIFEST, "test")
    source = Image.open("raw/val_set/images/6.jpg")
    expected = source.crop((3, 2, 14, 15)).resize((64, 64), Image.Resampling.BICUBIC)
    seen = batch.images[batch.keys.index("test-000006")].permute(1, 2, 0).numpy()
    assert np.array_equal(seen, np.asarray(expected))
