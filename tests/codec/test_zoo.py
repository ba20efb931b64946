import hashlib

import pytest
import torch

from mien.codec import zoo
from mien.codec.model import codec_id, new_codec
from mien.errors import CheckpointError
from mien.tensors import save_tensors, under


@pytest.fixture(scope="module")
def zoo_state():
    """A quality-1 codec's state dict with CompressAI's older names of the bottleneck."""
    torch.manual_seed(1)
    codec = new_codec((128, 192))
    codec.update()
    return codec, codec.state_dict()


def renamed(state, old):
    """Rename `matrices.0` to `_matrix0` or `_matrices.0`, as older zoo files have it."""
    out = {}
    for key, tensor in state.items():
        for name, single in (("matrices", "matrix"), ("biases", "bias"), ("factors", "factor")):
            part = f"entropy_bottleneck.{name}."
            new = f"_{single}" if old == "_matrix0" else f"_{name}."
            key = key.replace(part, f"entropy_bottleneck.{new}")
        out[key] = tensor
    return out


def saved(folder, state, monkeypatch):
    """Write a file as the zoo names it, the hash of its bytes in its name."""
    draft = folder / "draft"
    torch.save(state, draft)
    name = f"mbt2018-mean-1-{hashlib.sha256(draft.read_bytes()).hexdigest()[:8]}.pth.tar"
    path = draft.rename(folder / name)
    urls = {"mbt2018-mean": {"mse": {1: f"https://host.invalid/{name}"}}}
    monkeypatch.setattr(zoo, "model_urls", urls)
    monkeypatch.setattr(zoo, "ZOO_FOLDER", folder)
    return path


@pytest.mark.parametrize("generation", ["matrices.0", "_matrix0", "_matrices.0"])
def test_every_generation_of_zoo_files_loads(zoo_state, generation, tmp_path, monkeypatch):
    codec, state = zoo_state
    saved(
        tmp_path,
        state if generation == "matrices.0" else renamed(state, generation),
        monkeypatch,
    )
    loaded = zoo.pretrained_codec("compressai", 1, (128, 192))
    assert codec_id(loaded) == codec_id(codec)


def test_a_changed_zoo_file_is_refused_by_the_hash_in_its_name(
    zoo_state, tmp_path, monkeypatch
):
    path = saved(tmp_path, zoo_state[1], monkeypatch)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(CheckpointError, match="as its name says"):
        zoo.pretrained_codec("compressai", 1, (128, 192))


def test_a_zoo_file_that_cannot_be_had_is_named(zoo_state, tmp_path, monkeypatch):
    path = saved(tmp_path, zoo_state[1], monkeypatch)
    path.unlink()
    monkeypatch.setattr(zoo, "model_urls", {"mbt2018-mean": {"mse": {1: f"file://{path}"}}})
    with pytest.raises(CheckpointError, match=f"{path.name}: no such file.*fetch"):
        zoo.pretrained_codec("compressai", 1, (128, 192))
    assert list(tmp_path.iterdir()) == []


def test_the_zoo_has_one_width_for_each_quality():
    with pytest.raises(CheckpointError, match=r"set codec\.channels to null"):
        zoo.pretrained_codec("compressai", 1, (32, 48))


def test_a_folder_of_ours_loads_and_another_width_is_refused(trained_codec, tmp_path):
    path = tmp_path / "codec-q2.safetensors"
    save_tensors(path, under(trained_codec.state_dict(), "codec"), {"channels": [16, 24]})
    assert codec_id(zoo.pretrained_codec(str(tmp_path), 2, (16, 24))) == codec_id(trained_codec)
    with pytest.raises(CheckpointError, match=r"codec\.channels asks for"):
        zoo.pretrained_codec(str(tmp_path), 2, (32, 48))
