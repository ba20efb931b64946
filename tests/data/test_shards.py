from __future__ import annotations

import json
import tarfile
from itertools import pairwise

import numpy as np
import pytest
import torch
from PIL import Image

from mien import files
from mien.data import shards
from mien.data.shards import count, labels_of, read_split, split_batches, training_batches
from mien.errors import DataError
from tests.data.conftest import LABELS

KEYS = [f"train-{number:06d}" for number in range(len(LABELS))]


def epoch(manifest, seed=0, epoch=0, batch_size=4, limit=None):
    batches = training_batches(manifest, "train", batch_size, seed, epoch, limit)
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
    decode = shards._decode
    monkeypatch.setattr(shards, "_decode", lambda s: decoded.append(s.key) or decode(s))
    batches = split_batches(manifest, "train", 5)
    assert decoded == []
    next(batches)
    assert decoded == KEYS[:5]


def test_labels_are_in_shard_order_without_a_picture_read(manifest, monkeypatch):
    monkeypatch.setattr(shards, "_decode", None)
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


def test_shards_are_read_as_they_are_needed(manifest, monkeypatch):
    monkeypatch.setattr(shards, "BUFFER", 3)
    monkeypatch.setattr(shards, "AHEAD", 2)
    opened = []
    opening = tarfile.open
    monkeypatch.setattr(
        tarfile, "open", lambda *a, **k: opened.append(a[0]) or opening(*a, **k)
    )
    batches = training_batches(manifest, "train", 2, 0, 0, None)
    next(batches)
    assert len(opened) == 2  # 2 samples given out, 3 in the buffer, 2 decoded ahead: 7 or 8
    assert len(list(batches)) == 10
    assert len(opened) == 6


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


@pytest.mark.parametrize("place", [0, 700, -2000])
def test_one_flipped_byte_is_refused_by_name(manifest, read, place):
    flip_a_byte(manifest.parent / "train/train-00002.tar", place)
    with pytest.raises(DataError, match=r"train-00002\.tar: sha256 .* is not .*mien shard"):
        read(manifest, "train")


def test_a_byte_flipped_after_a_first_reading_is_refused(manifest, read):
    read(manifest, "train")
    flip_a_byte(manifest.parent / "train/train-00002.tar", 700)
    with pytest.raises(DataError, match=r"train-00002\.tar: sha256"):
        read(manifest, "train")


def test_a_shortened_shard_is_refused_by_name(manifest, read):
    path = manifest.parent / "train/train-00002.tar"
    path.write_bytes(path.read_bytes()[:-512])
    with pytest.raises(DataError, match=r"train-00002\.tar: \d+ bytes are not \d+ as"):
        read(manifest, "train")


def test_a_missing_shard_is_refused_by_name(manifest, read):
    (manifest.parent / "train/train-00002.tar").unlink()
    with pytest.raises(DataError, match=r"train-00002\.tar: missing, though .*manifest\.json"):
        read(manifest, "train")


def test_a_shard_is_digested_once(manifest, monkeypatch):
    digested = []
    sha256_of = files.sha256_of
    monkeypatch.setattr(
        files, "sha256_of", lambda path: digested.append(path.name) or sha256_of(path)
    )
    for _ in range(3):
        read_split(manifest, "train")
    assert digested == [f"train-{number:05d}.tar" for number in range(6)]


def test_an_empty_split_is_refused(manifest, read):
    with pytest.raises(DataError, match=r"manifest\.json: split test has no images"):
        read(manifest, "test")


def test_an_unknown_split_is_refused(manifest):
    with pytest.raises(DataError, match=r"has no split 'valid', only test, train, val"):
        count(manifest, "valid")


def test_a_missing_manifest_is_named(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.json: no such file: run `mien shard`"):
        count(tmp_path / "manifest.json", "train")


@pytest.mark.parametrize("text", ["", "[]", "{}", json.dumps({"splits": 3})[:-1]])
def test_a_manifest_of_something_else_is_refused(tmp_path, text):
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(DataError, match=r"manifest\.json: lists no shards"):
        count(path, "train")
