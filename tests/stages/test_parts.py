"""Several jobs of one stage: the same files as one job, and no part of something else."""

import json
import re
import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from mien import cli, paths
from mien.errors import DataError
from mien.params import Params
from mien.part import Part, all_parts, part_named
from mien.runs import PRETRAINED, Run
from mien.stages.decode import decode, decode_part
from mien.stages.decode_classic import decode as decode_classic
from mien.stages.decode_classic import decode_part as decode_classic_part
from mien.stages.encode import encode, encode_part
from mien.stages.encode_classic import encode as encode_classic
from mien.stages.encode_classic import encode_part as encode_classic_part
from mien.stages.shard import shard, shard_part

LEARNED, CLASSIC = Run(PRETRAINED, "q1"), Run("jpeg", "q40")
STAGES = {
    LEARNED: (encode, encode_part, decode, decode_part),
    CLASSIC: (encode_classic, encode_classic_part, decode_classic, decode_classic_part),
}


@pytest.fixture
def small(params):
    """Return params of 7 test images in 4 batches, the first 3 pictures shown as examples."""
    classic = {"jpeg": (40,)}
    evaluate = params.evaluate.model_copy(update={"batch_size": 2, "examples": 3})
    return params.model_copy(update={"classic": classic, "evaluate": evaluate})


def cut(params: Params, n: int) -> Params:
    return params.model_copy(update={"compute": params.compute.model_copy(update={"parts": n})})


def coded(params: Params, run: Run, n: int) -> dict[str, bytes]:
    """Return every file of encode and decode in `n` parts but the seconds, which are there."""
    params = cut(params, n)
    encode, encode_part, decode, decode_part = STAGES[run]
    for part_of, whole in ((encode_part, encode), (decode_part, decode)):
        for part in reversed(all_parts(n)) if n > 1 else []:
            part_of(params, run, part)
        whole(params, run)
    written = {path.name: path for path in paths.run_folder(run).iterdir()}
    keys = pq.read_table(paths.streams(run))["key"]
    for name in ("encode_seconds.parquet", "decode_seconds.parquet"):
        times = pq.read_table(written.pop(name))
        assert times["key"] == keys
        assert min(times["seconds"].to_pylist()) > 0
    return {name: path.read_bytes() for name, path in written.items()}


@pytest.mark.parametrize("n", [2, 3, 9])  # more parts than batches: some have nothing to do
@pytest.mark.parametrize("run", STAGES, ids=["learned", "classic"])
def test_encode_and_decode_give_the_same_files_in_any_number_of_parts(small, run, n):
    whole = coded(small, run, 1)
    assert {"streams.parquet", "streams.json", "per_image.parquet", "raw.parquet"} < set(whole)
    assert coded(small, run, n) == whole
    assert pq.read_table(paths.examples(run)).num_rows == 3
    assert run == CLASSIC or pq.read_table(paths.bits(run)).num_rows == 3


@pytest.mark.parametrize("n", [2, 4])
def test_shard_gives_the_same_files_in_any_number_of_parts(params, tmp_path, monkeypatch, n):
    for name in ("raw", "data"):
        shutil.copytree(name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    before = {path: path.read_bytes() for path in Path("data/shards").rglob("*.*")}
    assert len([path for path in before if path.suffix == ".tar"]) >= 4
    shutil.rmtree("data/shards")
    for part in all_parts(n):
        shard_part(cut(params, n), part, workers=1)
        assert not paths.SHARDS_MANIFEST.exists()
    made = {path.stat().st_mtime_ns for path in Path("data/shards").rglob("*.tar")}
    shard(cut(params, n), workers=1)
    assert {path.stat().st_mtime_ns for path in Path("data/shards").rglob("*.tar")} == made
    assert {path: path.read_bytes() for path in Path("data/shards").rglob("*.*")} == before


def test_parts_that_write_shards_leave_each_others_unfinished_files(
    params, tmp_path, monkeypatch
):
    for name in ("raw", "data"):
        shutil.copytree(name, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    names = [tar.name for tar in sorted(Path("data/shards/train").glob("*.tar"))]
    mine, theirs = (Path(f"data/shards/train/.{name}.1.tmp") for name in (names[0], names[-1]))
    for path in (mine, theirs):
        path.write_bytes(b"half a shard")
    shard_part(cut(params, 4), Part(1, 4), workers=1)
    assert (mine.exists(), theirs.exists()) == (False, True)


def test_a_missing_part_is_named(small):
    encode_part(cut(small, 2), LEARNED, Part(1, 2))
    with pytest.raises(DataError, match=r"encode/pretrained/q1/2-of-2.parquet: no such part"):
        encode(cut(small, 2), LEARNED)
    assert not paths.streams(LEARNED).exists()
    with pytest.raises(DataError, match=r"parts/shard/1-of-2.json: no such part"):
        shard(cut(small, 2), workers=1)


@pytest.mark.parametrize("what", ["batch_size", "precision"])
def test_a_part_that_was_made_with_other_params_is_refused(small, what):
    for part in all_parts(2):
        encode_part(cut(small, 2), LEARNED, part)
    changed = {"batch_size": 3, "precision": "fast"}[what]
    evaluate = small.evaluate.model_copy(update={what: changed})
    with pytest.raises(DataError, match=f"1-of-2.parquet: made with {what}"):
        encode(cut(small.model_copy(update={"evaluate": evaluate}), 2), LEARNED)
    assert not paths.part("encode", LEARNED, Part(1, 2)).exists()  # made again by the next run


def test_a_part_of_other_streams_is_refused(small):
    encode(small, LEARNED)
    for part in all_parts(2):
        decode_part(cut(small, 2), LEARNED, part)
    manifest = paths.manifest_of(paths.streams(LEARNED))
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"n_bytes": 0}))
    with pytest.raises(DataError, match=r"1-of-2.parquet: made with streams"):
        decode(cut(small, 2), LEARNED)
    assert not paths.decoded(LEARNED).exists()


def test_a_damaged_part_is_refused(small):
    for part in all_parts(2):
        encode_part(cut(small, 2), LEARNED, part)
    path = paths.part("encode", LEARNED, Part(2, 2))
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"2-of-2.parquet: not a whole part"):
        encode(cut(small, 2), LEARNED)


def test_the_command_line_runs_a_part_and_joins_them(small, tmp_path):
    import yaml

    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(cut(small, 2).model_dump(mode="json")))
    options = ["jpeg", "q40", "--params", str(file), "--threads", "1"]
    for command in ("encode-run", "decode-run"):
        assert cli.main([command, *options]) == 2
        for part in ("1-of-2", "2-of-2"):
            assert cli.main([command, *options, "--part", part]) == 0
        assert cli.main([command, *options]) == 0
    assert paths.evaluation_manifest(CLASSIC).exists()


@pytest.mark.parametrize("name", ["0-of-2", "3-of-2", "2", "1-of-x", "1-of-0"])
def test_what_is_no_part_is_refused(name):
    with pytest.raises(DataError, match=f"--part {re.escape(name)}: not a part"):
        part_named(name)


@pytest.mark.parametrize(("n", "total"), [(0, 3), (2, 5), (10, 1), (11, 4)])
def test_parts_are_all_of_it_once_and_nearly_equal(n, total):
    pieces = [list(part.of(n)) for part in all_parts(total)]
    assert [i for piece in pieces for i in piece] == list(range(n))
    assert max(map(len, pieces)) - min(map(len, pieces)) <= 1
    assert [part_named(str(part)) for part in all_parts(total)] == all_parts(total)
