import pytest
import torch

from mien.codec import limbs
from mien.codec.limbs import Limbs

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
