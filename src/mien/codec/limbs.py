"""Products of integer matrices in 8-bit arithmetic: the same integers, several times faster.

    a = a_0 + 2^8 a_1 + 2^16 a_2 ...  with digits in [-128, 127]
    a W = sum over i, j of 2^(8 (i + j)) a_i W_j

A processor with 8-bit dot products (AVX-512 VNNI) does 16 times as many of them as of float64.
One without may even saturate the sums of pairs, so each process first tries the worst case.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import torch
from torch import Tensor

BASE = 256
MOST_DIGITS = 3  # of activations; larger ones are rare and left to float64


@dataclass(frozen=True)
class Limbs:
    """An integer matrix as digits.

    Attributes:
        digits: int8, each of the matrix's shape, the lowest first.
    """

    digits: list[Tensor]

    @classmethod
    def of(cls, matrix: Tensor) -> Limbs | None:
        """Return the digits of a matrix of integers; None where they would gain nothing."""
        if matrix.device.type != "cpu" or not _fast_and_exact():
            return None
        return cls(_digits(matrix.int()))

    def product(self, a: Tensor, arranged: Callable[[Tensor], Tensor]) -> Tensor | None:
        """Return arranged(a) @ matrix in float64; None if `a` has more digits than are fast.

        Args:
            a: Integers of any shape.
            arranged: Makes rows of it by copying alone; the digits are arranged one by one.
        """
        lowest, highest = torch.aminmax(a)
        if highest > _largest(MOST_DIGITS) or lowest < -_largest(MOST_DIGITS):
            return None
        # `_int_mm` misreads rows that lie over one another, as those of a narrow picture may.
        rows = [arranged(digit).contiguous() for digit in _digits(a.int())]
        total: Tensor | None = None
        for i, row in enumerate(rows):
            for j, digit in enumerate(self.digits):
                part = torch._int_mm(row, digit).double() * float(BASE ** (i + j))
                total = part if total is None else total.add_(part)
        return total


def _largest(n_digits: int) -> int:
    """Return the largest magnitude that so many digits hold with either sign."""
    return 127 * sum(1 << 8 * i for i in range(n_digits))


def _digits(values: Tensor) -> list[Tensor]:
    digits = []
    while True:
        digit = ((values + BASE // 2) & (BASE - 1)) - BASE // 2
        digits.append(digit.to(torch.int8))
        values = (values - digit) >> 8
        if not values.any():
            return digits


@cache
def _fast_and_exact() -> bool:
    """Tell whether this processor has 8-bit dot products that are right at the extremes."""
    has_vnni = getattr(torch.cpu, "_is_vnni_supported", None)
    if has_vnni is None or not has_vnni() or not hasattr(torch, "_int_mm"):
        return False
    try:
        return all(
            torch.equal(torch._int_mm(a, b).double(), a.double() @ b.double())
            for a, b in _worst_cases()
        )
    except RuntimeError:
        return False


def _worst_cases() -> Iterator[tuple[Tensor, Tensor]]:
    """Yield pairs of matrices whose neighbouring products add up to the most, and random ones.

    Without dot products a library adds pairs of 8-bit products in 16 bits, which saturate; with
    oneDNN kept to AVX2 the sums of such a matrix are wrong by 10^5.
    """
    random = torch.Generator().manual_seed(0)
    for n_rows, n_inner in ((16, 576), (256, 2592)):
        shapes = (n_rows, n_inner), (n_inner, 384)
        for low, high in product((-128, 127), repeat=2):
            yield (
                torch.full(shapes[0], low, dtype=torch.int8),
                torch.full(shapes[1], high, dtype=torch.int8),
            )
        a, b = (torch.randint(-128, 128, s, dtype=torch.int8, generator=random) for s in shapes)
        yield a, b
