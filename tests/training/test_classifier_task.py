import copy

import numpy as np
import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.data.shards import Batch
from mien.training import inputs, optimizers
from mien.training.classifier_task import ClassifierTask, class_weights
from mien.training.reader import Reader


def new_task(shown=inputs.raw, update_batch_norm=True, lr=1e-3):
    torch.manual_seed(0)
    reader = Reader(Classifier(8, 64, 0.1), "logits", True, update_batch_norm)
    groups = optimizers.classifier_groups(reader.classifier, lr, 1e-2)
    return ClassifierTask(
        reader, optimizers.main_optimizer(groups), 5.0, lambda images, _step: images, shown
    )


@pytest.fixture
def batch(faces):
    return Batch([f"{i}" for i in range(8)], torch.arange(8), faces[:8])


def test_it_learns_a_handful_of_faces(batch):
    task = new_task()
    start = task.evaluate([batch])["loss"]
    for step in range(1, 41):
        task.step(batch, step)
    assert task.evaluate([batch])["loss"] < 0.7 * start


@pytest.mark.parametrize("update", [True, False])
def test_batch_norm_statistics_move_only_when_asked_to(batch, update):
    task = new_task(update_batch_norm=update)
    before = task.weights()
    task.step(batch, 1)
    moved = {name for name, old in before.items() if not torch.equal(old, task.weights()[name])}
    trained = {f"classifier.{name}" for name, _ in task.reader.classifier.named_parameters()}
    assert trained <= moved
    assert ("classifier.encoder.1.running_mean" in moved) == update


def test_on_decoded_pictures_the_codec_stays_as_it_was(batch, trained_codec):
    codec = copy.deepcopy(trained_codec)
    task = new_task(inputs.decoded(codec))
    for step in range(1, 4):
        task.step(batch, step)
    for name, tensor in trained_codec.state_dict().items():
        assert torch.equal(tensor, codec.state_dict()[name]), name


def test_decoded_pictures_are_what_the_codec_would_decode_to(batch, trained_codec):
    shown = inputs.decoded(copy.deepcopy(trained_codec))(batch.images)
    stack = trained_codec.compress(batch.images.float() / 255)
    x_hat = trained_codec.decompress(stack["strings"], stack["shape"])["x_hat"]
    assert (shown - (x_hat * 255).round() / 255).abs().max() <= 1.01 / 255
    assert torch.equal(shown * 255, (shown * 255).round())
    read_decoded = new_task(inputs.decoded(copy.deepcopy(trained_codec)))
    assert read_decoded.evaluate([batch]) != new_task().evaluate([batch])


def test_a_loss_that_is_not_finite_changes_no_weight(batch):
    task = new_task(lambda images: inputs.raw(images) * float("nan"))
    before = task.weights()
    assert not np.isfinite(task.step(batch, 1)["loss"])
    for name, _ in task.reader.classifier.named_parameters():
        assert torch.equal(before[f"classifier.{name}"], task.weights()[f"classifier.{name}"])


def test_the_state_continues_as_if_nothing_had_happened(batch):
    whole, second = new_task(), new_task(lr=9.0)
    for step in (1, 2):
        whole.step(batch, step)
    second.set_state(copy.deepcopy(whole.state()))
    random = torch.get_rng_state()
    whole.step(batch, 3)
    torch.set_rng_state(random)
    second.step(batch, 3)
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, second.weights()[name]), name


def test_class_weights_average_one_and_grow_with_rarity():
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels).numpy()
    assert weights[labels].mean() == pytest.approx(1.0)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert (weights[2:] == 0).all()
