import subprocess

import pytest
import torch

from mien.classifier import zoo
from mien.classifier.resnet18 import new_classifier
from mien.errors import CheckpointError


@pytest.fixture
def section(toy_params):
    return toy_params.classifier


@pytest.fixture
def libreface(section, tmp_path):
    torch.manual_seed(0)
    state = new_classifier(section).state_dict()
    path = tmp_path / "resnet.pt"
    torch.save({"model": state, "epoch": 3}, path)
    return path, state


def test_a_file_in_librefaces_format_loads(section, libreface, monkeypatch, capsys):
    path, state = libreface
    monkeypatch.setattr(zoo, "LIBREFACE_BLOB", zoo.git_blob_hash(path))
    named = section.model_copy(update={"weights": str(path)})
    loaded = zoo.pretrained_classifier(named).state_dict()
    assert all(torch.equal(loaded[name], state[name]) for name in state)
    assert "non-profit" in capsys.readouterr().err


def test_a_file_with_another_hash_is_refused(section, libreface):
    named = section.model_copy(update={"weights": str(libreface[0])})
    with pytest.raises(CheckpointError, match="is not LibreFace's ResNet-18"):
        zoo.pretrained_classifier(named)


def test_the_hash_is_gits(libreface):
    path = libreface[0]
    out = subprocess.run(["git", "hash-object", str(path)], capture_output=True, check=True)
    assert zoo.git_blob_hash(path) == out.stdout.decode().strip()


@pytest.mark.parametrize("broken", ["truncated", "no model", "shape"])
def test_a_broken_file_is_one_clear_error(section, libreface, broken):
    path, state = libreface
    if broken == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    elif broken == "no model":
        torch.save(state, path)
    else:
        torch.save({"model": {**state, "classifier.4.weight": torch.zeros(7, 128)}}, path)
    with pytest.raises(CheckpointError, match=r"resnet\.pt"):
        zoo.classifier_from_libreface(path, section)


def test_a_missing_file_says_where_to_get_it(section, tmp_path):
    named = section.model_copy(update={"weights": str(tmp_path / "resnet.pt")})
    with pytest.raises(CheckpointError, match="checkpoints_fm_resnet"):
        zoo.pretrained_classifier(named)
