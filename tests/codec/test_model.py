import pytest
import torch

from mien.codec.model import (
    codec_from,
    likelihood_bits,
    load_codec,
    make_tables,
    new_codec,
)
from mien.codec.stream import coder_of
from mien.errors import CheckpointError
from mien.params import zoo_channels
from mien.tensors import fingerprint, save_tensors, under


@pytest.mark.parametrize(
    ("quality", "parameters"), [(1, 7_028_003), (4, 7_028_003), (5, 17_561_699)]
)
def test_the_codec_has_the_size_of_the_zoo(quality, parameters):
    assert sum(p.numel() for p in new_codec(zoo_channels(quality)).parameters()) == parameters


def test_a_saved_codec_codes_the_same_bytes(trained_codec, faces, tmp_path):
    path = tmp_path / "codec.safetensors"
    save_tensors(path, under(trained_codec.state_dict(), "codec"), {"channels": [16, 24]})
    loaded, record = load_codec(path)
    assert record["channels"] == [16, 24]
    assert fingerprint(loaded.state_dict()) == fingerprint(trained_codec.state_dict())
    x = faces[:2].float().div(255)
    assert coder_of(loaded).encode(x).streams == coder_of(trained_codec).encode(x).streams


def test_parameters_alone_get_tables_and_constants(trained_codec, faces, tmp_path):
    state = {name: p.detach().half() for name, p in trained_codec.named_parameters()}
    codec = codec_from(state, (16, 24), tmp_path / "half")
    bound = codec.entropy_bottleneck.likelihood_lower_bound.bound
    assert torch.equal(bound, trained_codec.entropy_bottleneck.likelihood_lower_bound.bound)
    assert bound > 0
    coder = coder_of(codec)
    coded = coder.encode(faces[:2].float().div(255))
    assert coder.decode(coded.streams, 128, 128)[1] == coded.symbols


def test_tables_follow_the_weights(trained_codec):
    state = {k: v.clone() for k, v in trained_codec.state_dict().items()}
    codec = codec_from(state, (16, 24), "memory")
    before = codec.entropy_bottleneck._quantized_cdf.clone()
    with torch.no_grad():
        codec.entropy_bottleneck.biases[0].add_(0.5)
    make_tables(codec)
    after = codec.entropy_bottleneck._quantized_cdf
    assert before.shape != after.shape or not torch.equal(before, after)


def test_another_architecture_is_refused(trained_codec, tmp_path):
    with pytest.raises(CheckpointError, match=r"N, M = \[8, 12\].* \(and \d+ more\)"):
        codec_from(trained_codec.state_dict(), (8, 12), tmp_path)


def test_bits_are_summed_over_y_and_z_per_picture():
    likelihoods = {"y": torch.full((2, 3, 2, 2), 0.5), "z": torch.full((2, 1, 1, 1), 0.25)}
    assert likelihood_bits(likelihoods).tolist() == [14.0, 14.0]
