import pytest
import torch

from mien.classifier.resnet18 import Classifier
from mien.training.reader import Reader


@pytest.fixture
def reader():
    torch.manual_seed(0)
    return Reader(Classifier(8, 64, 0.0).eval(), "logits", True, False, precision="bfloat16")


@pytest.fixture
def x(faces):
    return faces[:4].float().div(255)


def test_bfloat16_rounds_the_layers_and_neither_logits_nor_weights(reader, x):
    x.requires_grad_()
    logits, exact = reader.logits(x), reader.exact().logits(x)
    assert logits.dtype is torch.float32
    assert not torch.equal(logits, exact)
    torch.testing.assert_close(logits, exact, atol=0.05, rtol=0.05)
    reader.cross_entropy(x, torch.arange(4))[0].backward()
    assert x.grad is not None
    for tensor in (x.grad, *(p.grad for p in reader.classifier.parameters())):
        assert tensor.dtype is torch.float32
        assert tensor.isfinite().all()
        assert tensor.abs().sum()


def test_exactly_is_as_the_classifier_reads(reader, x):
    assert torch.equal(reader.exact().logits(x), reader.classifier(x))
