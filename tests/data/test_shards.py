from __future__ import annotations

import hashlib
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from mien.data import pictures, shard_index, shards
from mien.data.shard_access import OpenShard
from mien.data.shard_writer import write_shards
from mien.data.shards import (
    count,
    epoch_order,
    labels_of,
    read_split,
    split_batches,
    training_batches,
)
from mien.errors import DataError
from tests.data.conftest import LABELS, LOOK, noise_splits

KEYS = [f"train-{number:06d}" for number in range(len(LABELS))]


def epoch(manifest, seed=0, epoch=0, batch_size=4, limit=None, start=0):
    batches = training_batches(manifest, "train", batch_size, seed, epoch, limit, start)
    return [key for batch in batches for key in batch.keys]


def flip_a_byte(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


def test_a_batch_is_what_it_says(manifest):
    batch = read_split(manifest, "train")
    assert batch.keys == KEYS
    assert batch.labels.dtype == torch.int64
    assert batch.labels.tolist() == LABELS
    assert (batch.images.dtype, batch.images.shape) == (torch.uint8, (23, 3, 64, 64))


def test_pictures_are_channels_first_and_belong_to_their_keys(tmp_path, manifest):
    batch = read_split(manifest, "train")
    for number, seen in enumerate(batch.images):
        source = Image.open(tmp_path / f"pictures/train{number}.png")
        expected = np.asarray(source.resize((64, 64), Image.Resampling.BICUBIC))
        assert np.array_equal(seen.numpy(), np.moveaxis(expected, 2, 0))


@pytest.mark.parametrize("limit", [1, 4, 6, 23, 100])
def test_a_limit_keeps_the_first(manifest, limit):
    whole, part = read_split(manifest, "train"), read_split(manifest, "train", limit)
    assert part.keys == KEYS[:limit]
    assert torch.equal(part.images, whole.images[:limit])
    assert torch.equal(part.labels, whole.labels[:limit])


@pytest.mark.parametrize(
    ("limit", "sizes"), [(None, [5, 5, 5, 5, 3]), (7, [5, 2]), (10, [5, 5])]
)
def test_evaluation_sees_every_image_in_order(manifest, limit, sizes):
    batches = list(split_batches(manifest, "train", 5, limit))
    whole = read_split(manifest, "train", limit)
    assert [len(batch.keys) for batch in batches] == sizes
    assert [key for batch in batches for key in batch.keys] == whole.keys
    assert torch.equal(torch.cat([batch.images for batch in batches]), whole.images)
    assert torch.equal(torch.cat([batch.labels for batch in batches]), whole.labels)


def test_evaluation_decodes_no_picture_before_it_is_asked_for(manifest, monkeypatch):
    decoded = []
    decode = pictures.decoded
    monkeypatch.setattr(pictures, "decoded", lambda *a: decoded.append(1) or decode(*a))
    batches = split_batches(manifest, "train", 5)
    assert decoded == []
    next(batches)
    assert len(decoded) == 5


def test_labels_are_in_shard_order_without_a_picture_read(manifest, monkeypatch):
    monkeypatch.setattr(pictures, "decoded", None)
    labels = labels_of(manifest, "train")
    assert labels.dtype == np.int64
    assert labels.tolist() == LABELS


def test_counts(manifest):
    assert [count(manifest, split) for split in ("train", "val", "test")] == [23, 6, 0]


def test_an_epoch_repeats_for_its_seed_and_number(manifest):
    assert epoch(manifest, seed=5, epoch=3) == epoch(manifest, seed=5, epoch=3)


def test_every_epoch_and_every_seed_has_its_own_order(manifest):
    orders = {tuple(epoch(manifest, seed, number)) for seed in range(4) for number in range(4)}
    assert len(orders) == 16  # so (0, 1) is not (1, 0) either


@pytest.mark.parametrize(("batch_size", "seen"), [(1, 23), (4, 20), (5, 20), (23, 23)])
def test_an_epoch_has_full_batches_of_different_images(manifest, batch_size, seen):
    keys = epoch(manifest, batch_size=batch_size)
    assert len(keys) == len(set(keys)) == seen
    assert set(keys) <= set(KEYS)


def test_training_pictures_and_labels_belong_to_their_keys(manifest):
    whole = read_split(manifest, "train")
    for batch in training_batches(manifest, "train", 4, 0, 0, None):
        rows = [KEYS.index(key) for key in batch.keys]
        assert torch.equal(batch.images, whole.images[rows])
        assert torch.equal(batch.labels, whole.labels[rows])


def test_a_limited_epoch_is_another_choice_each_time(manifest):
    choices = [frozenset(epoch(manifest, epoch=number, limit=9)) for number in range(6)]
    assert {len(choice) for choice in choices} == {8}  # two full batches
    assert len(set(choices)) == 6
    assert len(frozenset.union(*choices)) > 16


def test_the_buffer_mixes_shards(manifest, monkeypatch):
    monkeypatch.setattr(shards, "BUFFER", 6)
    keys = epoch(manifest, batch_size=1)
    assert sorted(keys) == KEYS
    shard_of = [KEYS.index(key) // 4 for key in keys]
    assert sum(a != b for a, b in pairwise(shard_of)) > 8  # 5 if shards stayed together


def test_an_epoch_may_begin_in_any_shard(manifest, monkeypatch):
    monkeypatch.setattr(shards, "BUFFER", 3)  # smaller than a shard, so it cannot mix far
    first = {KEYS.index(epoch(manifest, epoch=number)[0]) // 4 for number in range(30)}
    assert first == {0, 1, 2, 3, 4, 5}


def regions_read(monkeypatch):
    """Return the keys of all samples that are read from now on."""
    keys = []
    region = OpenShard.region
    monkeypatch.setattr(
        OpenShard,
        "region",
        lambda shard, row: keys.append(shard.index.keys[row]) or region(shard, row),
    )
    return keys


def test_samples_are_read_as_they_are_needed(manifest, monkeypatch):
    monkeypatch.setattr(shards, "AHEAD", 2)
    read = regions_read(monkeypatch)
    batches = training_batches(manifest, "train", 2, 0, 0, None)
    next(batches)
    assert 2 <= len(read) <= 4  # 2 given out, 2 decoded ahead or about to be
    assert len(list(batches)) == 10
    assert len(read) == 22


@pytest.mark.parametrize("start", [0, 4, 8, 20])
@pytest.mark.parametrize("buffer", [3, 2048])
def test_an_epoch_goes_on_where_it_stopped(manifest, monkeypatch, start, buffer):
    monkeypatch.setattr(shards, "BUFFER", buffer)
    whole = epoch(manifest, seed=1, epoch=2)
    assert epoch(manifest, seed=1, epoch=2, start=start) == whole[start:]


def test_what_was_seen_before_is_not_read_again(manifest, monkeypatch):
    read = regions_read(monkeypatch)
    epoch(manifest, start=16)
    assert len(read) == 4


def test_an_epoch_may_go_on_within_a_batch(manifest):
    order = [KEYS[4 * s + row] for s, row in epoch_order([4, 4, 4, 4, 4, 3], 0, 0)]
    assert epoch(manifest, batch_size=4, start=3) == order[3:23]
    assert epoch(manifest, batch_size=4, start=3, limit=12) == order[3:11]
    assert epoch(manifest, batch_size=4, start=23) == []


@pytest.mark.parametrize("start", [-1, 24])
def test_a_start_outside_the_epoch_is_a_mistake(manifest, start):
    with pytest.raises(ValueError, match="is not within an epoch of 23 images"):
        epoch(manifest, start=start)


def test_the_order_of_an_epoch_is_every_place_once():
    counts = [1000, 1, 0, 3000, 500]
    order = list(epoch_order(counts, 3, 1))
    assert sorted(order) == [(s, row) for s, n in enumerate(counts) for row in range(n)]
    assert order != sorted(order)


def test_the_order_of_an_epoch_is_that_of_every_earlier_version():
    """A training that is continued by another version must see the same samples."""
    order = list(epoch_order([1000] * 5, 0, 0))
    assert order[:3] == [(1, 625), (1, 635), (1, 936)]
    assert hashlib.sha256(str(order).encode()).hexdigest()[:16] == "b94bba1e4fa7413a"


@pytest.mark.parametrize("format", ["png", "jpg", "raw"])
def test_every_format_is_read(tmp_path, manifest, format):
    webp = read_split(manifest, "train")
    look = LOOK.model_copy(
        update={"format": format, "quality": 95 if format == "jpg" else None}
    )
    folder = tmp_path / "pictures"
    other = tmp_path / format / "manifest.json"
    write_shards(other, folder, noise_splits(folder), look, "noise", 1)
    seen = read_split(other, "train")
    assert seen.keys == webp.keys
    assert seen.labels.tolist() == webp.labels.tolist()
    difference = (seen.images.int() - webp.images.int()).abs()
    if format == "jpg":
        assert 0 < difference.float().mean() < 60  # of noise, which JPEG can hardly code
    else:
        assert difference.max() == 0


def test_a_batch_lies_in_memory_as_the_networks_want_it(manifest):
    assert read_split(manifest, "train").images.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(("batch_size", "limit"), [(24, None), (8, 7)])
def test_an_epoch_without_a_full_batch_is_refused_at_once(manifest, batch_size, limit):
    with pytest.raises(DataError, match=f"split train fills no batch of {batch_size}"):
        training_batches(manifest, "train", batch_size, 0, 0, limit)


READERS = {
    "read_split": lambda manifest, split: read_split(manifest, split),
    "split_batches": lambda manifest, split: list(split_batches(manifest, split, 4)),
    "training_batches": lambda manifest, split: list(
        training_batches(manifest, split, 1, 0, 0, None)
    ),
    "labels_of": labels_of,
}


@pytest.fixture(params=READERS.values(), ids=READERS.keys())
def read(request):
    return request.param


READS_PICTURES = pytest.mark.parametrize(
    "read", [READERS[name] for name in READERS if name != "labels_of"]
)


@READS_PICTURES
@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_one_flipped_byte_is_refused_with_shard_and_sample(manifest, read, share):
    path = manifest.parent / "train/train-00002.tar"
    index = shard_index.read(path)
    place = index.starts[2] + int(share * index.sizes[2])
    flip_a_byte(path, place)
    with pytest.raises(
        DataError, match=r"train-00002\.tar: sample train-000010, bytes .*sha256 .*mien shard"
    ):
        read(manifest, "train")


@READS_PICTURES
def test_a_byte_flipped_after_a_first_reading_is_refused(manifest, read):
    read(manifest, "train")
    flip_a_byte(manifest.parent / "train/train-00002.tar", 700)
    with pytest.raises(DataError, match=r"train-00002\.tar: sample train-000008"):
        read(manifest, "train")


def test_a_flipped_end_mark_is_refused(manifest, read):
    flip_a_byte(manifest.parent / "train/train-00002.tar", -3)
    with pytest.raises(DataError, match=r"train-00002\.tar: its end mark is damaged"):
        read(manifest, "train")


def test_a_shard_of_another_run_is_refused(manifest, read):
    folder = manifest.parent / "train"
    for suffix in ("tar", "index.json"):
        data = (folder / f"train-00001.{suffix}").read_bytes()
        (folder / f"train-00002.{suffix}").write_bytes(data)
    with pytest.raises(
        DataError, match=r"train-00002\.(tar: \d+ bytes|index\.json: lists other)"
    ):
        read(manifest, "train")


def test_a_changed_index_is_refused(manifest, read):
    path = manifest.parent / "train/train-00002.index.json"
    path.write_text(path.read_text().replace('"labels":[1,', '"labels":[3,'))
    with pytest.raises(DataError, match=r"train-00002\.index\.json: lists other samples"):
        read(manifest, "train")


@pytest.mark.parametrize("text", ["", "[]", "{}", "3"])
def test_an_index_of_something_else_is_refused(manifest, read, text):
    (manifest.parent / "train/train-00002.index.json").write_text(text)
    with pytest.raises(DataError, match=r"train-00002\.index\.json: not the index of a shard"):
        read(manifest, "train")


def test_a_missing_index_is_named(manifest, read):
    (manifest.parent / "train/train-00002.index.json").unlink()
    with pytest.raises(DataError, match=r"train-00002\.index\.json: missing"):
        read(manifest, "train")


def test_a_shortened_shard_is_refused_by_name(manifest, read):
    path = manifest.parent / "train/train-00002.tar"
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(DataError, match=r"train-00002\.tar: \d+ bytes are not \d+ as"):
        read(manifest, "train")


def test_a_missing_shard_is_refused_by_name(manifest, read):
    (manifest.parent / "train/train-00002.tar").unlink()
    with pytest.raises(DataError, match=r"train-00002\.tar: missing, though the manifest"):
        read(manifest, "train")


@READS_PICTURES
def test_a_shard_that_goes_missing_later_is_named(manifest, read):
    read(manifest, "train")
    (manifest.parent / "train/train-00002.tar").unlink()
    with pytest.raises(DataError, match=r"train-00002\.tar: missing, though the manifest"):
        read(manifest, "train")


def test_an_empty_split_is_refused(manifest, read):
    with pytest.raises(DataError, match=r"manifest\.json: split test has no images"):
        read(manifest, "test")


def test_an_unknown_split_is_refused(manifest):
    with pytest.raises(DataError, match=r"has no split 'valid', only test, train, val"):
        count(manifest, "valid")


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.json: no such file: run `mien shard`"):
        count(tmp_path / "manifest.json", "train")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({"splits": 3})[:-1],
        '{"splits": {"train": {"shards": [{"name": 1}]}}}',
    ],
)
def test_a_manifest_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: lists no shards"):
        count(path, "train")
