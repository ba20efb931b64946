from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
import webdataset
from PIL import Image

from mien import files
from mien.data.shard_writer import Source, write_shards
from mien.errors import DataError
from tests.data.conftest import LABELS, LOOK, noise_splits


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def members(tar):
    with tarfile.open(tar) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]


def test_the_same_bytes_whatever_the_workers(tmp_path):
    splits = noise_splits(tmp_path / "pictures")
    for workers in (1, 2):
        write_shards(tmp_path / f"w{workers}/manifest.json", splits, LOOK, "noise", workers)
    written = contents(tmp_path / "w1")
    assert len(written) == 6 + 2 + 1
    assert contents(tmp_path / "w2") == written


def test_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    splits = noise_splits(tmp_path / "pictures")
    write_shards(tmp_path / "now/manifest.json", splits, LOOK, "noise", 1)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write_shards(tmp_path / "later/manifest.json", splits, LOOK, "noise", 1)
    assert contents(tmp_path / "later") == contents(tmp_path / "now")


def test_members_carry_no_trace_of_who_wrote_them_and_when(manifest):
    for member, _ in members(manifest.parent / "train/train-00000.tar"):
        assert (member.mtime, member.uid, member.gid) == (0, 0, 0)
        assert (member.uname, member.gname, member.mode) == ("", "", 0o644)


@pytest.mark.parametrize("format", ["webp", "png"])
@pytest.mark.parametrize("filter", ["bilinear", "lanczos"])
def test_a_shard_holds_pillows_resize_to_the_last_bit(tmp_path, format, filter):
    look = LOOK.model_copy(update={"format": format, "filter": filter, "image_size": 128})
    splits = noise_splits(tmp_path / "pictures")
    write_shards(tmp_path / "manifest.json", splits, look, "noise", 1)

    seen = members(tmp_path / "train/train-00001.tar")
    for source, (member, data) in zip(splits["train"][4:8], seen[1::2], strict=True):
        assert member.name == f"{source.key}.{format}"
        expected = Image.open(source.path).resize(
            (128, 128), getattr(Image.Resampling, filter.upper())
        )
        with Image.open(io.BytesIO(data)) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(expected))


def test_webdataset_reads_the_same_samples(tmp_path, manifest):
    sources = noise_splits(tmp_path / "pictures")["train"]
    seen = []
    for tar in sorted((manifest.parent / "train").iterdir()):
        with tar.open("rb") as stream:
            archive = iter([{"url": str(tar), "stream": stream}])
            samples = webdataset.tariterators.tar_file_expander(archive)
            seen += webdataset.tariterators.group_by_keys(samples)
    assert [sample["__key__"] for sample in seen] == [source.key for source in sources]
    for sample, source in zip(seen, sources, strict=True):
        assert json.loads(sample["json"]) == {"label": source.label, "sha256": source.sha256}
        assert sample["webp"][8:12] == b"WEBP"


def test_the_manifest_lists_what_is_there(manifest):
    facts = json.loads(manifest.read_text())
    assert facts["image_size"] == 64
    assert (facts["format"], facts["filter"], facts["name"]) == ("webp", "bicubic", "noise")
    train = facts["splits"]["train"]
    assert train["count"] == len(LABELS) == 23
    assert train["labels"]["neutral"] == 4
    assert train["labels"]["anger"] == 3
    assert train["labels"]["contempt"] == 0
    assert [shard["count"] for shard in train["shards"]] == [4, 4, 4, 4, 4, 3]
    assert facts["splits"]["test"] == {
        "count": 0,
        "labels": dict.fromkeys(train["labels"], 0),
        "shards": [],
    }
    for shard in train["shards"]:
        path = manifest.parent / shard["name"]
        assert shard["bytes"] == path.stat().st_size
        assert shard["sha256"] == files.sha256_of(path)


def test_shards_of_an_earlier_run_are_removed(tmp_path, manifest):
    killed = manifest.parent / "val/.val-00001.tar.4711.tmp"
    killed.touch()
    larger = LOOK.model_copy(update={"images_per_shard": 12})
    write_shards(manifest, noise_splits(tmp_path / "pictures"), larger, "noise", 1)

    listed = [
        shard["name"]
        for split in json.loads(manifest.read_text())["splits"].values()
        for shard in split["shards"]
    ]
    assert sorted(listed) == [
        "train/train-00000.tar",
        "train/train-00001.tar",
        "val/val-00000.tar",
    ]
    assert set(contents(manifest.parent)) == {*listed, "manifest.json"}


def refused(tmp_path, manifest, change, pattern):
    splits = noise_splits(tmp_path / "pictures")
    before = (manifest.parent / "train/train-00005.tar").read_bytes()
    change(splits["train"])
    with pytest.raises(DataError, match=pattern):
        write_shards(manifest, splits, LOOK, "noise", 1)
    assert not manifest.exists()
    assert (manifest.parent / "train/train-00005.tar").read_bytes() == before
    assert not list(manifest.parent.rglob("*.tmp"))


def test_a_changed_source_is_refused_and_nothing_half_written(tmp_path, manifest):
    def change(sources: list[Source]) -> None:
        sources[22].path.write_bytes(sources[21].path.read_bytes())

    refused(tmp_path, manifest, change, r"train22\.png: sha256 .* train-000022: .*mien ingest")


def test_a_missing_source_is_refused_and_nothing_half_written(tmp_path, manifest):
    def change(sources: list[Source]) -> None:
        sources[22].path.unlink()

    refused(tmp_path, manifest, change, r"train22\.png: missing, .* train-000022: ")
