import pytest
import torch

from mien.codec import limbs
from mien.codec.limbs import Limbs
from mien.codec.plans import around

needs_dot_products = pytest.mark.skipif(
    not limbs._fast_and_exact(), reason="this processor has no 8-bit dot products"
)


@needs_dot_products
@pytest.mark.parametrize("size", [1, 127, 128, 32_000, 8_000_000])
def test_products_are_those_of_whole_numbers(size):
    random = torch.Generator().manual_seed(size)
    a = torch.randint(-size, size + 1, (32, 96), generator=random)
    matrix = torch.randint(-20_000, 20_000, (96, 32), generator=random)
    a[0], matrix[:, 0] = size, 20_000
    product = Limbs.of(matrix.double()).product(a.double(), lambda rows: rows)
    assert torch.equal(product.long(), a @ matrix)


@needs_dot_products
@pytest.mark.parametrize("value", [9_000_000, -9_000_000])
def test_activations_of_too_many_digits_are_left_to_float64(value):
    a = torch.zeros(32, 96).double()
    a[3, 4] = value
    assert Limbs.of(torch.ones(96, 32).double()).product(a, lambda rows: rows) is None


@pytest.mark.parametrize("value", [0, 1, -1, 127, 128, -128, -129, 32_639, 32_640, -(2**25)])
def test_digits_add_up(value):
    digits = limbs._digits(torch.tensor([value]))
    assert sum(256**i * int(digit) for i, digit in enumerate(digits)) == value


def narrow(layout):
    """Return activations [1, 3, 1, 16] of a picture one latent wide, and a matrix for them."""
    random = torch.Generator().manual_seed(0)
    a = torch.randint(-90, 91, (1, 16, 3, 1), generator=random).contiguous(memory_format=layout)
    matrix = torch.randint(-90, 91, (144, 32), generator=random)
    return a.permute(0, 2, 3, 1).double(), matrix.double()


def neighbourhoods(a):
    return around(a).flatten(1)


LAYOUTS = pytest.mark.parametrize("layout", [torch.channels_last, torch.contiguous_format])


@LAYOUTS
def test_no_rows_that_lie_over_one_another_are_multiplied(layout, monkeypatch):
    """torch's kernel misreads them; it need not be here for this to be seen."""

    def product(a, b):
        assert a.is_contiguous()
        return a.int() @ b.int()

    monkeypatch.setattr(torch, "_int_mm", product)
    a, matrix = narrow(layout)
    found = Limbs(limbs._digits(matrix.int())).product(a, neighbourhoods)
    assert torch.equal(found, neighbourhoods(a) @ matrix)


@needs_dot_products
@LAYOUTS
def test_a_picture_one_latent_wide_has_the_products_of_whole_numbers(layout):
    a, matrix = narrow(layout)
    found = Limbs.of(matrix).product(a, neighbourhoods)
    assert torch.equal(found, neighbourhoods(a) @ matrix)
