import numpy as np
import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.data.shards import Batch
from mien.training import optimizers
from mien.training.classifier_task import ClassifierTask, class_weights


@pytest.fixture
def task():
    torch.manual_seed(0)
    classifier = Classifier(8, 64, 0.1)
    optimizer = optimizers.main_optimizer(optimizers.classifier_groups(classifier, 1e-3, 1e-2))
    return ClassifierTask(classifier, "logits", torch.ones(8), 0.05, optimizer, seed=0)


def test_it_learns_a_handful_of_faces(task, faces):
    batch = Batch([f"{i}" for i in range(8)], torch.arange(8), faces[:8])
    start = task.evaluate([batch])["loss"]
    for _ in range(40):
        task.step(batch)
    assert task.evaluate([batch])["loss"] < 0.7 * start


def test_class_weights_average_one_and_grow_with_rarity():
    labels = np.array([0] * 90 + [1] * 10)
    weights = class_weights(labels).numpy()
    assert weights[labels].mean() == pytest.approx(1.0)
    assert weights[1] / weights[0] == pytest.approx(3.0)
    assert (weights[2:] == 0).all()
