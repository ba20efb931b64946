"""What each strategy moves, and what it must leave alone."""

import copy

import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.data.shards import Batch
from mien.training import optimizers
from mien.training.codec_task import CodecTask, Reader
from mien.training.loss import Weighting


@pytest.fixture
def batch(faces):
    labels = torch.arange(8) % 8
    return Batch([f"train-{i:06d}" for i in range(8)], labels, faces[:8, :, 32:96, 32:96])


def new_task(trained_codec, *, joint=False, update_batch_norm=False, **weights):
    torch.manual_seed(0)
    codec = copy.deepcopy(trained_codec)
    reader = Reader(Classifier(4, 64, 0.1), "logits", joint, update_batch_norm)
    reader.freeze()
    groups = optimizers.codec_groups(codec, 2e-4, 0.0)
    groups += optimizers.classifier_groups(reader.classifier, 1e-3, 0.0)
    return CodecTask(
        codec,
        reader,
        Weighting(**({"bpp": 1.0, "mse": 0.01, "ce": 0.1} | weights)),
        optimizers.main_optimizer([group for group in groups if group["params"]]),
        optimizers.auxiliary_optimizer(codec, 1e-3),
        1.0,
        lambda images, _step: images,
    )


def everything(task):
    state = {f"codec.{k}": v.clone() for k, v in task.codec.state_dict().items()}
    reader = task.reader.classifier.state_dict()
    return state | {f"classifier.{k}": v.clone() for k, v in reader.items()}


def moved(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


def test_compression_only_moves_every_weight_of_the_codec_and_nothing_else(
    trained_codec, batch
):
    task = new_task(trained_codec)
    before = everything(task)
    for _ in range(3):
        task.step(batch)
    changed = moved(before, everything(task))
    assert changed == {f"codec.{name}" for name, _ in task.codec.named_parameters()}
    assert not task.reader.classifier.training


def test_joint_moves_the_classifier_but_not_its_batch_norm_statistics(trained_codec, batch):
    task = new_task(trained_codec, joint=True)
    before = everything(task)
    for _ in range(3):
        task.step(batch)
    changed = moved(before, everything(task))
    assert changed == {f"codec.{name}" for name, _ in task.codec.named_parameters()} | {
        f"classifier.{name}" for name, _ in task.reader.classifier.named_parameters()
    }


def test_batch_norm_statistics_move_when_asked_to(trained_codec, batch):
    task = new_task(trained_codec, joint=True, update_batch_norm=True)
    before = everything(task)
    task.step(batch)
    assert "classifier.encoder.1.running_mean" in moved(before, everything(task))


@pytest.mark.parametrize("term", ["bpp", "mse", "ce"])
def test_with_one_weight_alone_its_own_term_falls(trained_codec, batch, term):
    task = new_task(trained_codec, **({"bpp": 0.0, "mse": 0.0, "ce": 0.0} | {term: 1.0}))
    start = task.evaluate([batch])[term]
    for _ in range(25):
        task.step(batch)
    assert task.evaluate([batch])[term] < start


def test_the_state_comes_back(trained_codec, batch):
    task = new_task(trained_codec, joint=True)
    state, start = task.state(), task.evaluate([batch])
    task.step(batch)
    assert task.evaluate([batch]) != start
    task.restore(state)
    assert task.evaluate([batch]) == start


def test_a_frozen_classifier_is_not_part_of_the_state(trained_codec):
    assert not any(k.startswith("classifier.") for k in new_task(trained_codec).state())


def test_evaluation_sums_over_pictures_not_over_batches(trained_codec, batch):
    task = new_task(trained_codec)
    parts = [
        Batch(batch.keys[i:j], batch.labels[i:j], batch.images[i:j])
        for i, j in ((0, 7), (7, 8))
    ]
    whole, split = task.evaluate([batch]), task.evaluate(parts)
    assert split == pytest.approx(whole, rel=1e-4)


def test_evaluation_rounds_and_repeats(trained_codec, batch):
    task = new_task(trained_codec)
    task.step(batch)
    assert task.evaluate([batch]) == task.evaluate([batch])
