"""The committed weights are what `snakemake demo_weights` makes, and small."""

import json

import pytest
import torch

from mien.classifier.resnet18 import load_classifier
from mien.codec.model import load_codec
from mien.codec.stream import coder_of
from mien.codec.zoo import pretrained_codec
from mien.files import read_manifest
from mien.params import load_params
from mien.stages.pack import pack
from mien.stages.pretrain import recipe
from mien.tensors import load_tensors, save_tensors, under


@pytest.fixture(scope="module")
def folder(request):
    return request.config.rootpath / "weights/demo"


@pytest.fixture(scope="module")
def preset(request):
    return load_params(request.config.rootpath / "presets/demo-weights.yaml")


@pytest.fixture(scope="module")
def demo(request):
    return load_params(request.config.rootpath / "params.yaml")


def test_they_stay_within_eight_megabytes(folder):
    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000


def test_every_file_is_whole(folder, preset):
    names = [f"codec-q{quality}" for quality in preset.codec.qualities] + ["classifier"]
    for name in names:
        assert read_manifest(folder / f"{name}.json")["files"].keys() == {f"{name}.safetensors"}


def test_they_were_trained_as_the_preset_says(folder, preset):
    """A changed preset asks for `snakemake demo_weights`; the seed is part of the recipe."""
    for quality in preset.codec.qualities:
        record = json.loads((folder / f"codec-q{quality}.json").read_text())["record"]
        assert record["recipe"] == recipe(preset, "codec")
        assert record["quality"] == quality
    record = json.loads((folder / "classifier.json").read_text())["record"]
    assert record["recipe"] == recipe(preset, "classifier")


def test_they_were_trained_on_other_faces_than_the_demo_draws(preset, demo):
    assert preset.data.faces.seed != demo.data.faces.seed
    assert preset.codec.channels == demo.codec.channels
    assert preset.classifier.width == demo.classifier.width


def test_the_demo_can_load_them_and_code_with_them(folder, demo, faces):
    for quality in demo.codec.qualities:
        codec = pretrained_codec(str(folder), quality, demo.codec.channels)
        assert codec.entropy_bottleneck._quantized_cdf.numel() > 0
        assert codec.gaussian_conditional.likelihood_lower_bound.bound > 0
        x = faces[:4].float().div(255)
        coder = coder_of(codec)
        assert torch.isfinite(coder.estimated_bits(coder.analyse(x))).all()
        assert coder.decode(coder.encode(x).streams, 128, 128)[1] == coder.encode(x).symbols
    load_classifier(folder / "classifier.safetensors", demo.classifier)


def test_packing_keeps_the_weights_to_half_precision(trained_codec, tmp_path):
    state = under(trained_codec.state_dict(), "codec")
    save_tensors(tmp_path / "models/codec/q3.safetensors", state, {"channels": [16, 24]})
    head = {"classifier.weight": torch.randn(3)}
    save_tensors(tmp_path / "models/classifier.safetensors", head, {})
    pack(tmp_path / "models", tmp_path / "packed")
    packed, record = load_tensors(tmp_path / "packed/codec-q3.safetensors")
    assert record["channels"] == [16, 24]
    assert all(tensor.dtype == torch.float16 for tensor in packed.values())
    loaded, _ = load_codec(tmp_path / "packed/codec-q3.safetensors")
    for (name, a), b in zip(trained_codec.named_parameters(), loaded.parameters(), strict=True):
        if not name.endswith("quantiles"):
            assert torch.equal(a.half().float(), b), name
