import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.codec.model import new_codec
from mien.training import optimizers
from mien.training.reader import Reader


@pytest.fixture(scope="module")
def codec():
    return new_codec((8, 12))


@pytest.fixture
def classifier():
    return Classifier(width=8, input_size=64, dropout=0.1)


def owners(codec, classifier):
    """Return how many optimiser groups own each parameter, by name."""
    groups = optimizers.codec_groups(codec, 1e-4, 1e-2)
    groups += optimizers.classifier_groups(classifier, 1e-4, 1e-2)
    owned = [p for group in groups for p in group["params"]] + optimizers.quantiles(codec)
    named = {f"codec.{k}": p for k, p in codec.named_parameters()}
    named |= {f"classifier.{k}": p for k, p in classifier.named_parameters()}
    return {name: sum(p is other for other in owned) for name, p in named.items()}


@pytest.mark.parametrize("joint", [True, False])
def test_every_trained_parameter_has_one_owner_and_every_frozen_one_none(
    codec, classifier, joint
):
    Reader(classifier, "logits", trained=joint, update_batch_norm=False).freeze()
    for name, count in owners(codec, classifier).items():
        assert count == (0 if name.startswith("classifier.") and not joint else 1), name


def test_only_convolution_and_linear_weights_decay(codec, classifier):
    decayed = {id(p) for p in optimizers.codec_groups(codec, 1e-4, 1e-2)[0]["params"]}
    names = {name for name, p in codec.named_parameters() if id(p) in decayed}
    assert names
    assert all(name.endswith(".weight") for name in names)
    assert not any(".gamma" in n or ".beta" in n or "entropy" in n for n in names)
    group = optimizers.classifier_groups(classifier, 1e-4, 1e-2)[1]
    assert group["weight_decay"] == 0.0
    assert all(p.ndim == 1 for p in group["params"])


def test_cosine_falls_from_the_start_to_zero():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = optimizers.Cosine([optimizer], epochs=4)
    rates = []
    for epoch in range(1, 5):
        schedule.step(epoch, 0.0)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == pytest.approx([1 + 2**-0.5, 1.0, 1 - 2**-0.5, 0.0])


def test_cosine_falls_on_after_the_optimiser_was_set_to_a_state():
    """A training that goes on sets it, and has other groups from then on."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = optimizers.Cosine([optimizer], epochs=2)
    optimizer.load_state_dict(optimizer.state_dict())
    schedule.step(1, 0.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0)


def test_a_warm_up_runs_the_first_epoch_at_a_tenth():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=2.0)
    schedule = optimizers.Cosine([optimizer], epochs=2, warm_up=True)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.2)
    schedule.step(1, 0.0)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1.0)


def test_plateau_waits_for_its_patience():
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedule = optimizers.Plateau([optimizer], factor=0.5, patience=1)
    rates = []
    for epoch, loss in enumerate([3.0, 2.0, 2.0, 2.0, 1.0], 1):
        schedule.step(epoch, loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1.0, 1.0, 1.0, 0.5, 0.5]


def test_a_plateau_is_continued_where_it_was():
    rates = []
    losses = [3.0, 2.0, 2.0, 2.0, 2.0, 2.0]
    for cut in (0, 3):
        optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
        schedule = optimizers.Plateau([optimizer], factor=0.5, patience=1)
        for epoch, loss in enumerate(losses, 1):
            if epoch == cut:
                kept = schedule.state()
                schedule = optimizers.Plateau([optimizer], factor=0.5, patience=1)
                schedule.set_state(kept)
            schedule.step(epoch, loss)
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [0.25, 0.25]


def test_clipping_is_by_the_joint_norm():
    a, b = torch.nn.Parameter(torch.zeros(2)), torch.nn.Parameter(torch.zeros(2))
    a.grad, b.grad = torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0])
    norm = optimizers.clip(torch.optim.SGD([{"params": [a]}, {"params": [b]}], lr=1.0), 1.0)
    assert norm.item() == pytest.approx(5.0)
    assert torch.cat([a.grad, b.grad]).norm().item() == pytest.approx(1.0, rel=1e-4)
    assert a.grad[0].item() == pytest.approx(0.6, rel=1e-4)
