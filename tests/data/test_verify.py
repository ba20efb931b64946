from __future__ import annotations

import pytest

from mien.cli import main
from mien.data import shard_index
from mien.data.verify import verify
from mien.errors import DataError


def flip(path, place):
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(bytes(data))


@pytest.fixture
def folder(manifest):
    return manifest.parent


@pytest.fixture
def third(folder):
    return folder / "train/train-00002.tar"


def problems(folder):
    with pytest.raises(DataError, match=r"NOT whole") as refusal:
        verify(folder, workers=2)
    return str(refusal.value).splitlines()[1:]


def test_whole_shards_are_called_whole_with_their_counts(folder):
    n_bytes = sum(path.stat().st_size for path in folder.glob("*/*.tar"))
    verdict = verify(folder, workers=2)
    assert verdict == (
        f"{folder}: whole: 8 shards, 29 samples, {n_bytes} bytes in splits test, train, val"
    )


def test_every_byte_of_a_shard_is_looked_at(folder, third):
    size = third.stat().st_size
    index = shard_index.read(third)
    for place in range(0, size, 487):  # all parts of a sample and of the end mark
        flip(third, place)
        (problem,) = problems(folder)
        row = sum(start <= place for start in index.starts) - 1
        if row < len(index.keys):
            assert f"train-00002.tar: sample {index.keys[row]}, bytes" in problem
        else:
            assert "train-00002.tar: behind its last sample" in problem
        flip(third, place)
    verify(folder, workers=1)


def test_all_damaged_samples_are_named(folder, third):
    index = shard_index.read(third)
    flip(third, index.starts[1])
    flip(third, index.starts[3] + 600)
    flip(folder / "val/val-00000.tar", 5)
    named = [line.partition("sample ")[2].partition(",")[0] for line in problems(folder)]
    assert sorted(named) == ["train-000009", "train-000011", "val-000000"]


def test_a_long_list_of_problems_is_cut_and_counted(folder):
    for path in folder.glob("train/*.tar"):
        for start in shard_index.read(path).starts[:-1]:
            flip(path, start)
    lines = problems(folder)
    assert len(lines) == 21
    assert lines[-1].strip() == "and 3 more"


def test_a_shortened_shard_is_named_with_what_it_lost(folder, third):
    third.write_bytes(third.read_bytes()[: shard_index.read(third).starts[3] + 10])
    lines = problems(folder)
    assert any("train-00002.tar: " in line and "bytes are not" in line for line in lines)
    assert any("sample train-000011" in line for line in lines)
    assert not any("sample train-000010" in line for line in lines)


def test_missing_files_are_named(folder, third):
    third.unlink()
    (folder / "val/val-00001.index.json").unlink()
    lines = problems(folder)
    assert any("train-00002.tar: missing" in line for line in lines)
    assert any("val-00001.index.json: missing" in line for line in lines)
    assert len(lines) == 2


@pytest.mark.parametrize("text", ["", None])
def test_a_damaged_index_leaves_the_shard_checked_as_a_whole(folder, third, text):
    index = shard_index.path_of(third)
    index.write_text(
        index.read_text().replace('"labels":[1,', '"labels":[2,') if text is None else text
    )
    (line,) = problems(folder)
    assert "train-00002.index.json: " in line

    flip(third, 700)
    lines = problems(folder)
    assert len(lines) == 2
    assert "train-00002.tar: sha256" in lines[1]


def test_a_shard_that_nobody_listed_is_named(folder, third):
    (folder / "train/train-00099.tar").write_bytes(third.read_bytes())
    (line,) = problems(folder)
    assert "train-00099.tar: not listed in manifest.json" in line


def test_the_command_prints_the_verdict(folder, capsys):
    assert main(["verify", str(folder)]) == 0
    seen = capsys.readouterr()
    assert "whole: 8 shards, 29 samples" in seen.out
    assert "verify: 100%" in seen.err


def test_the_command_fails_on_damage(folder, third, capsys):
    flip(third, 1000)
    assert main(["verify", str(folder)]) == 2
    assert "train-00002.tar: sample train-000008" in capsys.readouterr().err


def test_a_folder_without_a_manifest_is_named(tmp_path):
    with pytest.raises(DataError, match=r"manifest\.json: no such file"):
        verify(tmp_path, workers=1)
