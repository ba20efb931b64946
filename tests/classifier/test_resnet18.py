import numpy as np
import pytest
import torch
from PIL import Image
from torch.nn import functional as F
from torchvision.models import resnet18

from mien.classifier.resnet18 import (
    Classifier,
    load_classifier,
    new_classifier,
    record_of,
    recorded_classifier,
    scores,
)
from mien.errors import CheckpointError
from mien.tensors import save_tensors, under


@pytest.fixture(scope="module")
def full():
    torch.manual_seed(0)
    return Classifier(width=64, input_size=224, dropout=0.1).eval()


def test_it_has_the_tensors_of_libreface(full):
    state = full.state_dict()
    assert len(state) == 129
    assert sum(p.numel() for p in full.parameters()) == 11_243_464
    assert state["encoder.0.weight"].shape == (64, 3, 7, 7)
    assert state["encoder.5.0.downsample.0.weight"].shape == (128, 64, 1, 1)
    assert state["classifier.0.weight"].shape == (128, 512)
    assert state["classifier.4.weight"].shape == (8, 128)
    assert {name.split(".")[0] for name in state} == {"encoder", "classifier"}


def test_the_encoder_is_torchvisions_resnet18(full):
    torch.manual_seed(1)
    reference = resnet18()
    children = torch.nn.Sequential(*list(reference.children())[:-1]).eval()
    full.encoder.load_state_dict(children.state_dict())
    x = torch.rand(2, 3, 224, 224)
    with torch.inference_mode():
        expected = children((x - full.mean) / full.std)
        assert torch.equal(full.encoder((x - full.mean) / full.std), expected)


def test_resizing_is_pillows_bicubic_to_within_its_rounding(full, faces):
    resized = full.resized(faces[:1].float().div(255))[0].permute(1, 2, 0).mul(255).numpy()
    picture = Image.fromarray(faces[0].permute(1, 2, 0).numpy())
    expected = np.asarray(picture.resize((224, 224), Image.Resampling.BICUBIC), np.float32)
    difference = np.abs(resized - expected)  # Pillow rounds after each direction
    assert difference.max() <= 2.0
    assert difference.mean() <= 0.35


@pytest.mark.parametrize("sides", [(128, 128), (256, 192), (40, 64), (224, 100)])
def test_resizing_and_its_gradient_are_pytorchs(full, sides):
    x = torch.rand(2, 3, *sides).requires_grad_()
    expected = F.interpolate(x, size=(224, 224), mode="bicubic", antialias=True).clamp(0, 1)
    weights = torch.rand_like(expected)
    with torch.autocast("cpu", torch.bfloat16):
        resized = full.resized(x)
    assert resized.dtype is torch.float32
    torch.testing.assert_close(resized, expected, atol=1e-5, rtol=0)
    gradients = [torch.autograd.grad((y * weights).sum(), x)[0] for y in (resized, expected)]
    torch.testing.assert_close(*gradients, atol=1e-4, rtol=1e-4)


def test_resizing_is_trained_through_after_it_was_used_in_inference(faces):
    classifier = Classifier(8, 48, 0.0).eval()
    with torch.inference_mode():
        classifier(faces[:1].float().div(255))
    x = faces[:1].float().div(255).requires_grad_()
    classifier(x).sum().backward()
    assert x.grad.abs().sum()


def test_scores_are_logits_or_their_sigmoid():
    logits = torch.tensor([[-2.0, 0.0, 3.0]])
    assert torch.equal(scores(logits, "logits"), logits)
    assert torch.equal(scores(logits, "sigmoid"), torch.sigmoid(logits))


def test_another_width_is_refused(toy_params, tmp_path):
    section = toy_params.classifier
    path = tmp_path / "c.safetensors"
    state = under(new_classifier(section).state_dict(), "classifier")
    save_tensors(path, state, {"classifier": record_of(section)})
    assert load_classifier(path, section)[1]["classifier"]["labels"][7] == "contempt"
    with pytest.raises(
        CheckpointError, match=r"classifier\.width 16: .* shape .*more"
    ) as error:
        load_classifier(path, section.model_copy(update={"width": 16}))
    assert len(str(error.value)) < 400  # one tensor and a count, not all hundred


def test_classes_in_another_order_are_refused(toy_params, tmp_path):
    section = toy_params.classifier
    path = tmp_path / "c.safetensors"
    state = under(new_classifier(section).state_dict(), "classifier")
    record = record_of(section)
    record["labels"] = sorted(record["labels"])
    save_tensors(path, state, {"classifier": record})
    for load in (recorded_classifier, lambda path: load_classifier(path, section)):
        with pytest.raises(
            CheckpointError, match=r"labels are anger, contempt, .* not neutral"
        ):
            load(path)


@pytest.mark.parametrize(("key", "other"), [("input_size", 96), ("output", "sigmoid")])
def test_one_that_was_made_for_another_input_or_output_is_only_a_start(
    toy_params, tmp_path, key, other
):
    section = toy_params.classifier
    path = tmp_path / "c.safetensors"
    state = under(new_classifier(section).state_dict(), "classifier")
    save_tensors(path, state, {"classifier": record_of(section) | {key: other}})
    asked = getattr(section, key)
    with pytest.raises(
        CheckpointError,
        match=rf"c\.safetensors: its record's classifier\.{key} is {other}, params ask for "
        rf"{asked}: set classifier\.{key} to {other}, or train it on, by .*scratch",
    ):
        load_classifier(path, section)
    started, _ = load_classifier(path, section, to_train=True)
    assert started.input_size == section.input_size
    save_tensors(path, state, {})  # a file that says nothing is taken for what params say
    assert load_classifier(path, section)[0].input_size == section.input_size
