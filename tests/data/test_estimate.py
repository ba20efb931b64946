from __future__ import annotations

import json
import shutil
from types import SimpleNamespace

import pytest

from mien.data import estimate, shard_index
from mien.errors import DataError
from tests.data.conftest import LOOK, noise_splits


@pytest.fixture
def sources(tmp_path):
    splits = noise_splits(tmp_path / "pictures")
    return [*splits["train"], *splits["val"]]


def free(monkeypatch, n_bytes):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=n_bytes))


def test_disk_is_foreseen_within_a_tenth(tmp_path, manifest, sources):
    need = estimate.of(sources, tmp_path / "pictures", LOOK)
    tars = list(manifest.parent.rglob("*.tar"))
    regions = sum(sum(shard_index.read(tar).sizes) for tar in tars)  # end marks are for all
    written = regions + sum(shard_index.path_of(tar).stat().st_size for tar in tars)
    assert need.n_images == 29
    assert need.n_images * need.bytes_per_image == pytest.approx(written, rel=0.1)


def test_few_of_many_are_looked_at(tmp_path, sources, monkeypatch):
    monkeypatch.setattr(estimate, "SAMPLED", 5)
    seen = []
    sample = estimate.sample
    monkeypatch.setattr(estimate, "sample", lambda s, *a: seen.append(s.key) or sample(s, *a))
    need = estimate.of(sources, tmp_path / "pictures", LOOK)
    assert (need.n_images, need.n_sampled) == (29, 5)
    assert seen[1:] == [sources[place].key for place in (0, 5, 11, 17, 23)]


def test_a_shortage_is_refused_and_enough_is_not(tmp_path, monkeypatch):
    need = estimate.Estimate(1000, 64, 50_000.0, 0.004)
    free(monkeypatch, 54_000_000)
    with pytest.raises(
        DataError, match=r"shards: 1000 images need about 0\.06 GB, but .* 0\.05"
    ):
        estimate.refuse_shortage(need, tmp_path / "data/shards")
    free(monkeypatch, 56_000_000)
    estimate.refuse_shortage(need, tmp_path / "data/shards")


def test_shards_that_will_be_replaced_count_as_room(manifest, monkeypatch):
    tars = sum(path.stat().st_size for path in manifest.parent.rglob("*.tar"))
    need = estimate.Estimate(1, 1, 100_000.0, 0.004)
    free(monkeypatch, 110_001 - tars)
    estimate.refuse_shortage(need, manifest.parent)
    free(monkeypatch, 109_999 - tars)
    with pytest.raises(DataError, match="make room"):
        estimate.refuse_shortage(need, manifest.parent)


def test_the_table_speaks_of_this_data_set_and_of_affectnet():
    text = estimate.table(estimate.Estimate(6000, 64, 80_000.0, 0.005), "faces", 4)
    head, own, affectnet = text.splitlines()
    assert head == "by 64 images: 80.0 kB each, 200 images/s a core"
    assert own == ("faces, 6000 images: 0.48 GB, 0.5 minutes of one core, 0.1 with --threads 4")
    assert affectnet.startswith("AffectNet, 291650 images: 23.33 GB, 24.3 minutes of one core")
    whole = estimate.Estimate(291_650, 64, 80_000.0, 0.005)
    assert len(estimate.table(whole, "AffectNet", 4).splitlines()) == 2


def test_json_of_an_index_is_about_as_long_as_assumed(manifest):
    path = manifest.parent / "train/train-00000.index.json"
    facts = json.loads(path.read_text())
    per_sample = sum(
        len(json.dumps(facts[name])) for name in ("keys", "labels", "sizes", "digests")
    )
    assert per_sample / 4 == pytest.approx(estimate.INDEX_BYTES, rel=0.25)
