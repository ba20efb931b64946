from __future__ import annotations

import io
import json
import tarfile

import pytest

from mien.data import tars

FACTS = {"sha256": "ab" * 32, "label": 3}


def archive(*regions):
    data = b"".join(regions)
    return data + tars.end_mark(len(data))


@pytest.mark.parametrize("n_bytes", [0, 1, 511, 512, 513, 70_000])
def test_python_reads_the_members_back(n_bytes):
    picture = bytes(range(256)) * 300
    region = tars.region("train-000017", FACTS, "webp", picture[:n_bytes])
    with tarfile.open(fileobj=io.BytesIO(archive(region, region)), mode="r:") as tar:
        members = [(member.name, tar.extractfile(member).read()) for member in tar]
    text = json.dumps(FACTS, sort_keys=True).encode()
    assert members == 2 * [
        ("train-000017.json", text),
        ("train-000017.webp", picture[:n_bytes]),
    ]


def test_the_archive_is_what_tarfile_itself_would_write():
    regions = [
        tars.region(f"k{n}", FACTS, "png", b"x" * size) for n, size in enumerate((9, 600))
    ]
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for n, size in enumerate((9, 600)):
            for name, data in (
                (f"k{n}.json", json.dumps(FACTS, sort_keys=True).encode()),
                (f"k{n}.png", b"x" * size),
            ):
                member = tarfile.TarInfo(name)
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))
    assert archive(*regions) == buffer.getvalue()


@pytest.mark.parametrize("n_bytes", [0, 9216, 9728, 10240])
def test_an_archive_is_whole_records(n_bytes):
    end = tars.end_mark(n_bytes)
    assert (n_bytes + len(end)) % tarfile.RECORDSIZE == 0
    assert 1024 <= len(end) < 1024 + tarfile.RECORDSIZE
    assert not end.strip(b"\0")


@pytest.mark.parametrize("n_bytes", [0, 1, 512, 5000])
@pytest.mark.parametrize("text", ["", "x" * 511, "x" * 600])
def test_the_picture_is_found_behind_its_facts(n_bytes, text):
    picture = b"\xaa" * n_bytes
    region = tars.region("test-000001", {"text": text}, "jpg", picture)
    assert len(region) % 512 == 0
    assert bytes(tars.picture_of(region)) == picture


def test_a_name_that_does_not_fit_is_a_mistake():
    tars.region("k" * 95, FACTS, "webp", b"")
    with pytest.raises(ValueError, match="longer than the 100 bytes"):
        tars.region("k" * 96, FACTS, "webp", b"")
