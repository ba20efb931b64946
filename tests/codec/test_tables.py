import numpy as np
import pytest
import torch
from scipy.stats import norm

from mien.codec.tables import TOTAL, coding_tables, table_of
from mien.errors import CheckpointError


@pytest.fixture(scope="module")
def tensors(trained_codec):
    return coding_tables(trained_codec)


def row_of(table, row):
    cdf = table.cdf[table.starts[row] : table.starts[row + 1]]
    counts = np.diff(cdf)
    symbols = np.roll(counts[:-1], table.mode[row])
    return np.append(symbols, counts[-1]), int(table.first[row])


def test_a_row_codes_its_gaussian_at_the_gaussians_entropy(tensors, trained_codec):
    table = table_of(tensors)
    for level, scale in enumerate(trained_codec.gaussian_conditional.scale_table.tolist()):
        counts, first = row_of(table, trained_codec.N + level)
        symbols = np.arange(first, first + len(counts) - 1)
        p = norm.cdf((symbols + 0.5) / scale) - norm.cdf((symbols - 0.5) / scale)
        assert first == -symbols[-1]
        assert p.sum() > 1 - 1e-6
        kept = p > 0
        cost = -(p[kept] * np.log2(counts[:-1][kept] / TOTAL)).sum()
        entropy = -(p[kept] * np.log2(p[kept])).sum()
        assert entropy - 1e-9 <= cost <= 1.03 * entropy + 2e-4, scale


def test_rows_of_z_follow_the_learnt_densities(tensors, trained_codec):
    table = table_of(tensors)
    bottleneck = trained_codec.entropy_bottleneck
    medians = bottleneck._get_medians().detach()
    for channel in range(trained_codec.N):
        counts, first = row_of(table, channel)
        z = medians + torch.arange(first, first + len(counts) - 1)
        p = bottleneck._likelihood(z)[0][channel, 0].detach().numpy()
        np.testing.assert_allclose(counts[:-1] / TOTAL, p, atol=len(counts) / TOTAL)


def test_every_row_has_an_escape_and_all_the_counts(tensors, trained_codec):
    table = table_of(tensors)
    assert len(table.first) == trained_codec.N + 64
    for row in range(len(table.first)):
        counts, _ = row_of(table, row)
        assert counts.sum() == TOTAL
        assert counts.min() >= 1


def test_tables_are_the_same_twice(tensors, trained_codec):
    again = coding_tables(trained_codec)
    assert all((again[name] == tensors[name]).all() for name in tensors)


def test_a_damaged_table_is_refused(tensors):
    damaged = dict(tensors, cdf=tensors["cdf"].clone())
    damaged["cdf"][1] = 0
    with pytest.raises(CheckpointError, match="coding tables are damaged"):
        table_of(damaged)
    with pytest.raises(CheckpointError, match="first"):
        table_of({name: tensors[name] for name in ("cdf", "starts")})
