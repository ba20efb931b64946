import pytest
import torch

from mien.errors import CheckpointError
from mien.tensors import fingerprint, load_tensors, save_tensors

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
