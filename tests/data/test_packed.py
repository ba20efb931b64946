from __future__ import annotations

import hashlib
import pickle

import pytest

from mien.data.layouts.records import Sample
from mien.data.packed import BLOCK, Packed, unpack


@pytest.mark.parametrize("n", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 3 * BLOCK])
def test_records_come_out_as_they_went_in_as_often_as_needed(n):
    packed = Packed(range(n))
    assert len(packed) == n
    assert list(packed) == list(packed) == list(range(n))
    assert [record for block in packed.blocks() for record in unpack(block)] == list(range(n))


def test_what_is_appended_after_reading_is_there():
    packed = Packed(range(BLOCK - 1))
    packed.blocks()
    packed.append(-1)
    packed.append(-2)
    assert list(packed)[-2:] == [-1, -2]
    assert len(packed) == BLOCK + 1
    assert -2 in packed
    assert -3 not in packed


def test_a_sample_takes_less_than_half_of_its_pickle():
    samples = [
        Sample(
            n,
            n % 8,
            f"train_set/images/{n}.jpg",
            hashlib.sha256(b"%d" % n).hexdigest(),
            224,
            224,
            *v,
        )
        for n in range(BLOCK)
        for v in [(0.001 * n, -0.001 * n, None)]
    ]
    (block,) = Packed(samples).blocks()
    assert len(block) < sum(len(pickle.dumps(sample)) for sample in samples) / 2
