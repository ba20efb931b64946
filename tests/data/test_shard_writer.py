from __future__ import annotations

import io
import json
import tarfile

import numpy as np
import pytest
import webdataset
from PIL import Image

from mien import files
from mien.data import pictures, shard_writer
from mien.data.shard_writer import write_shards
from mien.errors import DataError
from tests.data.conftest import LABELS, LOOK, noise_splits


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def write(folder, splits, look, workers):
    """Write shards of the pictures beside `folder` into it."""
    pictures = folder.parent / "pictures"
    write_shards(folder / "manifest.json", pictures, splits, look, "noise", workers)


def members(tar):
    with tarfile.open(tar) as archive:
        return [(member, archive.extractfile(member).read()) for member in archive]


def test_the_same_bytes_whatever_the_workers(tmp_path):
    splits = noise_splits(tmp_path / "pictures")
    for workers in (1, 2):
        write(tmp_path / f"w{workers}", splits, LOOK, workers)
    written = contents(tmp_path / "w1")
    assert len(written) == 2 * (6 + 2) + 1
    assert contents(tmp_path / "w2") == written


def test_the_same_bytes_at_another_time(tmp_path, monkeypatch):
    splits = noise_splits(tmp_path / "pictures")
    write(tmp_path / "now", splits, LOOK, 1)
    monkeypatch.setattr("time.time", lambda: 2e9)
    write(tmp_path / "later", splits, LOOK, 1)
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
    write(tmp_path / "shards", splits, look, 1)

    seen = members(tmp_path / "shards/train/train-00001.tar")
    for source, (member, data) in zip(splits["train"][4:8], seen[1::2], strict=True):
        assert member.name == f"{source.key}.{format}"
        expected = Image.open(tmp_path / "pictures" / source.path).resize(
            (128, 128), getattr(Image.Resampling, filter.upper())
        )
        with Image.open(io.BytesIO(data)) as picture:
            assert np.array_equal(np.asarray(picture), np.asarray(expected))


def test_webdataset_reads_the_same_samples(tmp_path, manifest):
    sources = noise_splits(tmp_path / "pictures")["train"]
    seen = []
    for tar in sorted((manifest.parent / "train").glob("*.tar")):
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
    write(manifest.parent, noise_splits(tmp_path / "pictures"), larger, 1)

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
    indexes = {name.replace(".tar", ".index.json") for name in listed}
    assert set(contents(manifest.parent)) == {*listed, *indexes, "manifest.json"}


def refused(tmp_path, manifest, change, pattern):
    splits = noise_splits(tmp_path / "pictures")
    before = (manifest.parent / "train/train-00005.tar").read_bytes()
    change(tmp_path / "pictures")
    with pytest.raises(DataError, match=pattern):
        write(manifest.parent, splits, LOOK, 1)
    assert not manifest.exists()
    assert (manifest.parent / "train/train-00005.tar").read_bytes() == before
    assert not list(manifest.parent.rglob("*.tmp"))


def test_a_changed_source_is_refused_and_nothing_half_written(tmp_path, manifest):
    def change(pictures):
        (pictures / "train22.png").write_bytes((pictures / "train21.png").read_bytes())

    (manifest.parent / "train/train-00005.index.json").unlink()
    refused(tmp_path, manifest, change, r"train22\.png: sha256 .* train-000022: .*mien ingest")


def test_a_missing_source_is_refused_and_nothing_half_written(tmp_path, manifest):
    def change(pictures):
        (pictures / "train22.png").unlink()

    (manifest.parent / "train/train-00005.index.json").unlink()
    refused(tmp_path, manifest, change, r"train22\.png: missing, .* train-000022: ")


@pytest.fixture
def made(monkeypatch):
    """Return the keys of the samples that are made from now on, in this process."""
    keys = []
    sample = shard_writer.sample
    monkeypatch.setattr(
        shard_writer, "sample", lambda source, *a: keys.append(source.key) or sample(source, *a)
    )
    return keys


def again(tmp_path, manifest, splits=None, **look):
    """Write the shards once more; return nothing, the files have to be the same or new."""
    splits = splits or noise_splits(tmp_path / "pictures")
    write(manifest.parent, splits, LOOK.model_copy(update=look), 1)


def test_whole_shards_are_not_written_twice(tmp_path, manifest, made):
    before = contents(manifest.parent)
    manifest.unlink()
    again(tmp_path, manifest)
    assert made == []
    assert contents(manifest.parent) == before


@pytest.mark.parametrize(
    "name", ["train/train-00002.tar", "train/train-00002.index.json"], ids=["tar", "index"]
)
@pytest.mark.parametrize("damage", ["missing", "flipped", "shortened"])
def test_a_shard_that_is_not_whole_is_written_again(tmp_path, manifest, made, name, damage):
    before = contents(manifest.parent)
    path = manifest.parent / name
    data = path.read_bytes()
    path.unlink()
    if damage == "flipped":
        path.write_bytes(data[:20] + bytes([data[20] ^ 1]) + data[21:])
    if damage == "shortened":
        path.write_bytes(data[:-5])
    again(tmp_path, manifest)
    assert made == [f"train-{number:06d}" for number in range(8, 12)]
    assert contents(manifest.parent) == before


@pytest.mark.parametrize(
    "look",
    [
        {"image_size": 128},
        {"format": "png"},
        {"filter": "lanczos"},
        {"format": "jpg", "quality": 80},
    ],
    ids=str,
)
def test_another_look_is_written_anew(tmp_path, manifest, made, look):
    again(tmp_path, manifest, **look)
    assert len(made) == 29
    fresh = tmp_path / "fresh"
    write(fresh, noise_splits(tmp_path / "pictures"), LOOK.model_copy(update=look), 1)
    assert contents(fresh) == contents(manifest.parent)


def test_a_changed_sample_rewrites_its_shard_alone(tmp_path, manifest, made):
    splits = noise_splits(tmp_path / "pictures")
    splits["train"][9] = splits["train"][9]._replace(label=7)
    again(tmp_path, manifest, splits)
    assert made == [f"train-{number:06d}" for number in range(8, 12)]


@pytest.mark.parametrize("change", ["libraries", "code"])
def test_other_libraries_or_code_write_everything_anew(
    tmp_path, manifest, made, monkeypatch, change
):
    before = manifest.read_text()
    if change == "libraries":
        monkeypatch.setitem(pictures.LIBRARIES, "pillow", "0.1")
    else:
        monkeypatch.setattr(shard_writer, "_code", lambda: ["another"])
    again(tmp_path, manifest)
    assert len(made) == 29
    assert (manifest.read_text() == before) == (change == "code")  # the same bytes came out


def test_a_second_writer_is_refused(tmp_path, manifest):
    with shard_writer._held(manifest.parent):
        before = contents(manifest.parent)
        with pytest.raises(DataError, match=r"shards: another process is writing shards there"):
            again(tmp_path, manifest)
        assert contents(manifest.parent) == before
    again(tmp_path, manifest)


def test_a_crop_is_what_the_shard_shows(tmp_path, manifest):
    splits = noise_splits(tmp_path / "pictures")
    splits["train"][1] = splits["train"][1]._replace(crop=(3, 2, 11, 13))
    again(tmp_path, manifest, splits)
    member, data = members(manifest.parent / "train/train-00000.tar")[3]
    assert member.name == "train-000001.webp"
    part = Image.open(tmp_path / "pictures/train1.png").crop((3, 2, 14, 15))
    expected = part.resize((64, 64), Image.Resampling.BICUBIC)
    with Image.open(io.BytesIO(data)) as picture:
        assert np.array_equal(np.asarray(picture), np.asarray(expected))


@pytest.mark.parametrize(("format", "suffix"), [("jpg", "jpg"), ("raw", "npy")])
def test_other_formats_have_their_own_suffix(tmp_path, format, suffix):
    look = LOOK.model_copy(
        update={"format": format, "quality": 90 if format == "jpg" else None}
    )
    write(tmp_path / "shards", noise_splits(tmp_path / "pictures"), look, 1)
    names = [member.name for member, _ in members(tmp_path / "shards/val/val-00000.tar")]
    assert names[:2] == ["val-000000.json", f"val-000000.{suffix}"]
