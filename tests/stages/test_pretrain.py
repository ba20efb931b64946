"""What a pretraining starts from, and the rate point it is for."""

import pytest
import torch

from mien import paths, workflow
from mien.classifier.resnet18 import load_classifier
from mien.errors import CheckpointError
from mien.stages.pretrain import pretrain_classifier, pretrain_codec
from mien.tensors import load_tensors


def changed(params, section, **keys):
    part = getattr(params, section)
    return params.model_copy(update={section: part.model_copy(update=keys)})


def starting_from(params, start, lr=1e-12):
    own = params.pretrain.classifier.model_copy(update={"start": start, "lr": lr})
    return changed(params, "pretrain", classifier=own)


@pytest.fixture
def kept(params):
    """Keep the files that other tests start from."""
    files = {path: path.read_bytes() for path in paths.MODELS.rglob("*") if path.is_file()}
    yield params
    for path, data in files.items():
        path.write_bytes(data)


def test_a_classifier_starts_from_a_file(kept, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(paths.CLASSIFIER.read_bytes())
    params = starting_from(kept, str(start))
    assert workflow.classifier_files(params) == [str(start)]
    pretrain_classifier(params)
    section = params.classifier
    (before, _), (after, _) = (load_classifier(p, section) for p in (start, paths.CLASSIFIER))
    for (name, old), new in zip(before.named_parameters(), after.parameters(), strict=True):
        torch.testing.assert_close(old, new, atol=1e-6, rtol=0, msg=name)


def test_a_classifier_that_read_another_size_can_be_trained_on(kept, tmp_path):
    start = tmp_path / "start.safetensors"
    start.write_bytes(paths.CLASSIFIER.read_bytes())
    size = kept.classifier.input_size // 2
    params = changed(starting_from(kept, str(start)), "classifier", input_size=size)
    pretrain_classifier(params)
    assert load_classifier(paths.CLASSIFIER, params.classifier)[0].input_size == size
    with pytest.raises(CheckpointError, match=r"classifier\.input_size"):
        pretrain_classifier(changed(params, "classifier", weights=str(start)))


def test_without_a_start_it_is_another_one(kept):
    before = load_tensors(paths.CLASSIFIER)[0]
    params = starting_from(changed(kept, "pretrain", seed=kept.pretrain.seed + 1), None)
    assert workflow.classifier_files(params) == []
    pretrain_classifier(params)
    after = load_tensors(paths.CLASSIFIER)[0]
    assert not torch.equal(
        before["classifier.encoder.0.weight"], after["classifier.encoder.0.weight"]
    )


def test_a_start_that_is_missing_is_named(kept, tmp_path):
    with pytest.raises(CheckpointError, match=r"none\.safetensors"):
        pretrain_classifier(starting_from(kept, str(tmp_path / "none.safetensors")))


def test_a_lambda_of_one_s_own_gives_another_codec_and_stands_in_its_record(kept):
    (before, zoo) = load_tensors(paths.codec(1))
    pretrain_codec(changed(kept, "codec", lambdas={1: 1e-5}), 1)
    after, own = load_tensors(paths.codec(1))
    assert (zoo["lambda"], own["lambda"]) == (0.0018, 1e-5)
    assert not torch.equal(before["codec.g_a.0.weight"], after["codec.g_a.0.weight"])
