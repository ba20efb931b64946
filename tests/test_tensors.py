import argparse
import os
from pathlib import Path

import pytest
import torch

from mien.errors import CheckpointError
from mien.tensors import (
    check_names,
    fingerprint,
    load_tensors,
    save_tensors,
    tensors_in,
)

TENSORS = {"b.w": torch.arange(6.0).reshape(2, 3), "a": torch.tensor(3, dtype=torch.int32)}


def test_tensors_and_record_come_back(tmp_path):
    save_tensors(tmp_path / "t.safetensors", TENSORS, {"channels": [1, 2]})
    tensors, record = load_tensors(tmp_path / "t.safetensors")
    assert record["channels"] == [1, 2]
    assert tensors.keys() == TENSORS.keys()
    assert all(torch.equal(tensors[name], TENSORS[name]) for name in TENSORS)


def test_equal_input_gives_equal_bytes(tmp_path):
    record = {"a": 1, "b": {"y": 1, "x": 2}, "c": 3}
    save_tensors(tmp_path / "1.safetensors", TENSORS, record)
    reordered = dict(reversed(TENSORS.items()))
    save_tensors(tmp_path / "2.safetensors", reordered, dict(reversed(record.items())))
    first, second = (tmp_path / f"{i}.safetensors" for i in (1, 2))
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("change", ["name", "value", "shape", "type"])
def test_the_fingerprint_sees_every_change(change):
    tensor = TENSORS["b.w"]
    other = {
        "name": {"b.v": tensor},
        "value": {"b.w": tensor + 1},
        "shape": {"b.w": tensor.reshape(3, 2)},
        "type": {"b.w": tensor.view(torch.int32)},
    }[change]
    assert fingerprint({"b.w": tensor}) != fingerprint(other)


def test_a_truncated_file_is_refused(tmp_path):
    path = tmp_path / "t.safetensors"
    save_tensors(path, TENSORS, {})
    path.write_bytes(path.read_bytes()[:-4])
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load_tensors(path)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="no such weights file"):
        load_tensors(tmp_path / "t.safetensors")


STATE = {f"layer.{i}": torch.full((3, 2), float(i)) for i in range(4)}


def test_tensors_are_read_from_where_they_are(tmp_path):
    path = tmp_path / "weights.pt"
    torch.save({"model": STATE, "epoch": 3}, path)
    read = tensors_in(path, "model")
    assert all(torch.equal(read[name], STATE[name]) for name in STATE)
    with pytest.raises(CheckpointError, match=r"weights\.pt: no state dict, which"):
        tensors_in(path)
    with pytest.raises(CheckpointError, match=r"weights\.pt: no state dict at `state`"):
        tensors_in(path, "state")


@pytest.mark.parametrize("zipped", [True, False])
def test_a_file_cut_anywhere_is_one_error(tmp_path, zipped):
    path = tmp_path / "weights.pt"
    torch.save(STATE, path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    for size in range(0, len(whole), 7):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"weights\.pt: .*cut short"):
            tensors_in(path)


class Hostile:
    def __init__(self, mark):
        self.mark = mark

    def __reduce__(self):
        return os.mkdir, (str(self.mark),)


@pytest.mark.parametrize("zipped", [True, False])
def test_objects_are_named_and_never_unpickled(tmp_path, zipped):
    path = tmp_path / "weights.pt"
    for extra, name in (
        (argparse.Namespace(lr=1.0), r"argparse\.Namespace"),
        (Hostile(tmp_path / "mark"), r"posix\.mkdir"),
    ):
        content = {"model": STATE, "options": extra}
        torch.save(content, path, _use_new_zipfile_serialization=zipped)
        with pytest.raises(CheckpointError, match=rf"weights\.pt: holds a {name} beside"):
            tensors_in(path, "model")
    assert not (tmp_path / "mark").exists()


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({}, None),
        ({"layer.1": None}, "`layer.1` is missing:"),
        ({"extra": torch.zeros(1)}, "`extra` is unknown:"),
        ({"layer.3": torch.zeros(2, 3)}, "`layer.3` has shape [2, 3], not [3, 2]:"),
        ({"layer.0": None, "extra": torch.zeros(1)}, "`layer.0` is missing (and 1 more):"),
    ],
)
def test_a_tensor_missing_unknown_or_misshapen_is_named(change, said):
    seen = {name: t for name, t in {**STATE, **change}.items() if t is not None}
    if said is None:
        return check_names(Path("file.pt"), seen, STATE, "a model")
    with pytest.raises(CheckpointError) as caught:
        check_names(Path("file.pt"), seen, STATE, "a model")
    assert str(caught.value).startswith(f"file.pt: not a model: {said} use ")
    return None
