import dataclasses
import json

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from mien.codec.archive import SCHEMA, Shared, digest_of, read_archive, write_archive
from mien.errors import StreamError
from mien.files import write_manifest

STREAMS = [b"abc", b"", b"defgh"]


@pytest.fixture
def path(tmp_path):
    table = pa.table(
        {
            "key": ["test-000001", "test-000002", "test-000010"],
            "stream": STREAMS,
            "estimated_bits": [20.0, 1.0, 39.0],
        },
        schema=SCHEMA,
    )
    shared = Shared("codec", "stock", "float32", 64, 128, 4, digest_of(STREAMS), digest_of([]))
    write_archive(tmp_path / "streams.parquet", table, shared)
    return tmp_path / "streams.parquet"


def test_streams_come_back_byte_for_byte(path):
    table, shared = read_archive(path)
    assert table["stream"].to_pylist() == STREAMS
    assert (shared.height, shared.width, shared.batch_size) == (64, 128, 4)


def test_a_changed_stream_is_refused(path):
    table, shared = read_archive(path)
    changed = table.set_column(1, SCHEMA.field("stream"), pa.array([b"abc", b"", b"deFgh"]))
    write_archive(path, changed, shared)
    with pytest.raises(StreamError, match="a stream was changed"):
        read_archive(path)


def test_moved_boundaries_are_refused(path):
    table, shared = read_archive(path)
    changed = table.set_column(1, SCHEMA.field("stream"), pa.array([b"ab", b"c", b"defgh"]))
    write_archive(path, changed, dataclasses.replace(shared))
    with pytest.raises(StreamError, match="a stream was changed"):
        read_archive(path)


def test_other_files_are_refused(tmp_path):
    path = tmp_path / "streams.parquet"
    with pytest.raises(StreamError, match="no such archive"):
        read_archive(path)
    path.write_bytes(b"PAR1 and more")
    write_manifest(path.with_suffix(".json"), [path])
    with pytest.raises(StreamError, match="not a whole parquet file"):
        read_archive(path)
    pq.write_table(pa.table({"a": [1]}), path)
    write_manifest(path.with_suffix(".json"), [path])
    with pytest.raises(StreamError, match="not an archive of streams"):
        read_archive(path)


def test_another_version_is_named(path):
    table, shared = read_archive(path)
    write_archive(path, table, dataclasses.replace(shared, version=2))
    with pytest.raises(StreamError, match="format version 2, this mien reads 1"):
        read_archive(path)


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(data=st.data())
def test_no_damage_to_the_file_or_its_manifest_goes_unseen(path, data):
    victim = data.draw(st.sampled_from([path, path.with_suffix(".json")]))
    whole = victim.read_bytes()
    place = data.draw(st.integers(0, len(whole) - 1))
    some = data.draw(st.binary(min_size=1, max_size=30))
    damaged = data.draw(
        st.sampled_from(
            [whole[:place], whole[:place] + some + whole[place + len(some) :], whole + some]
        )
    )
    assume(damaged != whole)  # some bytes are what they were
    victim.write_bytes(damaged)
    try:
        table, _ = read_archive(path)
        # Of a manifest white space, say, may differ, or a number beside the digest.
        assert victim.suffix == ".json"
        assert table["stream"].to_pylist() == STREAMS
    except StreamError:
        pass
    finally:
        victim.write_bytes(whole)


def test_an_archive_that_its_manifest_does_not_list_is_refused(path):
    path.with_suffix(".json").write_text('{"files": {}}')
    with pytest.raises(StreamError, match="not listed in"):
        read_archive(path)


def overhead(folder, n):
    random = np.random.default_rng(0)
    streams = [random.bytes(int(length)) for length in random.integers(200, 500, n)]
    rows = {
        "key": [f"test-{index:06d}" for index in range(n)],
        "stream": streams,
        "estimated_bits": random.random(n),
    }
    shared = Shared("codec", "exact", "float32", 64, 64, 16, digest_of(streams), digest_of([]))
    path = folder / f"{n}/streams.parquet"
    write_archive(path, pa.table(rows, schema=SCHEMA), shared)
    facts = json.loads(path.with_suffix(".json").read_text())
    assert facts["n_bytes"] == sum(map(len, streams))
    unsent = 8 * n  # the estimates, which random numbers do not compress
    assert path.stat().st_size - facts["n_bytes"] - facts["overhead_bytes"] <= 1.1 * unsent
    return facts["overhead_bytes"]


def test_an_archive_adds_at_most_two_bytes_a_picture_and_a_constant(tmp_path):
    few, many = (overhead(tmp_path, n) for n in (100, 2100))
    assert (many - few) / 2000 <= 2
    assert few <= 2 * 100 + 2048
