"""What each strategy moves, and what it must leave alone."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.data.shards import Batch
from mien.training import optimizers
from mien.training.codec_task import NO_WARM_UP, CodecTask, RateWarmUp
from mien.training.loss import Weighting
from mien.training.reader import Reader


@pytest.fixture
def batch(faces):
    labels = torch.arange(8) % 8
    return Batch([f"train-{i:06d}" for i in range(8)], labels, faces[:8, :, 32:96, 32:96])


def new_task(
    trained_codec, *, joint=False, update_batch_norm=False, warm_up=NO_WARM_UP, **weights
):
    torch.manual_seed(0)
    codec = copy.deepcopy(trained_codec)
    reader = Reader(Classifier(16, 64, 0.1), "logits", joint, update_batch_norm)
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
        warm_up=warm_up,
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
    for step in range(1, 4):
        task.step(batch, step)
    changed = moved(before, everything(task))
    assert changed == {f"codec.{name}" for name, _ in task.codec.named_parameters()}
    assert not task.reader.classifier.training


def test_joint_moves_the_classifier_but_not_its_batch_norm_statistics(trained_codec, batch):
    task = new_task(trained_codec, joint=True)
    before = everything(task)
    for step in range(1, 4):
        task.step(batch, step)
    changed = moved(before, everything(task))
    assert changed == {f"codec.{name}" for name, _ in task.codec.named_parameters()} | {
        f"classifier.{name}" for name, _ in task.reader.classifier.named_parameters()
    }


def test_batch_norm_statistics_move_when_asked_to(trained_codec, batch):
    task = new_task(trained_codec, joint=True, update_batch_norm=True)
    before = everything(task)
    task.step(batch, 1)
    assert "classifier.encoder.1.running_mean" in moved(before, everything(task))


@pytest.mark.parametrize("term", ["bpp", "mse", "ce"])
def test_with_one_weight_alone_its_own_term_falls(trained_codec, batch, term):
    task = new_task(trained_codec, **({"bpp": 0.0, "mse": 0.0, "ce": 0.0} | {term: 1.0}))
    start = task.evaluate([batch])[term]
    for step in range(1, 26):
        task.step(batch, step)
    assert task.evaluate([batch])[term] < start


def test_the_weight_of_the_rate_rises_step_by_step_and_val_is_judged_by_all_of_it(
    trained_codec, batch
):
    task = new_task(trained_codec, warm_up=RateWarmUp(4), bpp=8.0)
    start = task.evaluate([batch])
    assert start["weighted_bpp"] == pytest.approx(8.0 * start["bpp"])
    for step, weight in [(1, 2.0), (2, 4.0), (3, 6.0), (4, 8.0), (5, 8.0)]:
        row = task.step(batch, step)
        assert row["weighted_bpp"] == pytest.approx(weight * row["bpp"])
        parts = [row[f"weighted_{term}"] for term in ("bpp", "mse", "ce")]
        assert row["loss"] == pytest.approx(sum(parts))


@pytest.mark.parametrize(
    ("start", "expected"),
    [(0.0, [0.0, 2.0, 4.0, 6.0, 8.0, 8.0]), (20.0, [20.0, 17.0, 14.0, 11.0, 8.0, 8.0])],
)
def test_the_weight_of_the_rate_goes_evenly_from_where_it_was_to_its_own(start, expected):
    weighting = Weighting(bpp=8.0, mse=2.0, ce=3.0)
    steps = [RateWarmUp(4, start).at(step, weighting) for step in range(6)]
    assert [step.bpp for step in steps] == pytest.approx(expected)
    assert {(step.mse, step.ce) for step in steps} == {(2.0, 3.0)}
    assert NO_WARM_UP.at(0, weighting) == weighting


def test_val_is_judged_in_float32_whatever_a_step_rounds(trained_codec, batch):
    task = new_task(trained_codec, joint=True)
    exact = task.evaluate([batch])
    task.reader = replace(task.reader, precision="bfloat16")
    assert task.evaluate([batch]) == exact


def test_the_weights_come_back(trained_codec, batch):
    task = new_task(trained_codec, joint=True)
    weights, start = task.weights(), task.evaluate([batch])
    task.step(batch, 1)
    assert task.evaluate([batch]) != start
    task.set_weights(weights)
    assert task.evaluate([batch]) == start


def test_a_frozen_classifier_is_not_part_of_the_weights(trained_codec):
    assert not any(k.startswith("classifier.") for k in new_task(trained_codec).weights())


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
    task.step(batch, 1)
    assert task.evaluate([batch]) == task.evaluate([batch])


@pytest.mark.parametrize("joint", [True, False])
def test_the_state_continues_as_if_nothing_had_happened(trained_codec, batch, joint):
    whole, second = (new_task(trained_codec, joint=joint) for _ in range(2))
    for step in (1, 2):
        whole.step(batch, step)
    random = torch.get_rng_state()
    second.set_state(copy.deepcopy(whole.state()))
    expected = whole.step(batch, 3)
    torch.set_rng_state(random)
    assert second.step(batch, 3) == expected
    for name, tensor in whole.weights().items():
        assert torch.equal(tensor, second.weights()[name]), name


@pytest.mark.parametrize("where", ["loss", "gradient"])
def test_what_is_not_finite_changes_no_weight(trained_codec, batch, where):
    task = new_task(trained_codec, joint=True)
    before = task.weights()
    if where == "loss":
        task.forward = lambda x: task.codec(x * float("nan"))
    else:
        task.codec.g_s[-1].weight.register_hook(lambda gradient: gradient * float("inf"))
    terms = task.step(batch, 1)
    assert not np.isfinite(terms["loss" if where == "loss" else "gradient_norm"])
    for name, tensor in before.items():
        assert torch.equal(tensor, task.weights()[name]), name


def test_a_reader_without_weight_costs_nothing_in_training(trained_codec, batch):
    task = new_task(trained_codec, ce=0.0)
    task.reader.classifier.forward = None
    assert "ce" not in task.step(batch, 1)


def test_each_term_is_told_unweighted_and_weighted_and_the_loss_is_their_sum(
    trained_codec, batch
):
    weights = {"bpp": 2.0, "mse": 0.5, "ce": 3.0}
    task = new_task(trained_codec, **weights)
    for row in (task.step(batch, 1), task.evaluate([batch])):
        weighted = {name: weight * row[name] for name, weight in weights.items()}
        assert {name: row[f"weighted_{name}"] for name in weights} == pytest.approx(weighted)
        assert row["loss"] == pytest.approx(sum(weighted.values()), rel=1e-5)
    assert "weighted_ce" not in new_task(trained_codec, ce=0.0).step(batch, 1)
