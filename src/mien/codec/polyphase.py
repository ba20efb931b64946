"""Convolutions of stride 2 and 5x5 taps with fewer products: polyphase Winograd in float32.

    down   4 results of 11 inputs: the even inputs meet 3 taps, the odd ones 2
    up     8 results of 6 inputs: the even results see 3 taps, the odd ones 2

Along one axis, 4 results of 3 taps take 6 products, at the points 0, 1, -1, 2, -2 and infinity,
and 4 of 2 taps take 5, at those without -2 (Lavin and Gray 2016, "Fast Algorithms for
Convolutional Neural Networks"): 11 and not 20, in two dimensions 121 and not 400. Both phases
of `down` are read off the same points, so the products are sums of them: 36 positions are left.

    a [H, W, C] --_spread--> v [T, 121 * C] --products--> m [positions, T, C_out] --_collect-->

T counts tiles, of 4x4 results of each phase. Sums have another order and larger terms than a
plain convolution's, so results differ from it; a test holds that below 5e-5 of the largest. Not
to be mixed up with the Winograd of `plans.py`, which is exact.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from numba import njit
from torch import Tensor, nn

Floats = npt.NDArray[np.float32]
Places = npt.NDArray[np.int64]

TILE = 4  # results of each phase, along one axis
AT_ONCE = 128  # tiles, so that their products stay in the caches

# G of the even and of the odd phase; B^T is in `_points`, A^T in `_results`.
_G_EVEN = [
    [1 / 4, 0, 0],
    [-1 / 6, -1 / 6, -1 / 6],
    [-1 / 6, 1 / 6, -1 / 6],
    [1 / 24, 1 / 12, 1 / 6],
    [1 / 24, -1 / 12, 1 / 6],
    [0, 0, 1],
]
_G_ODD = [[1 / 2, 0], [-1 / 2, -1 / 2], [-1 / 6, 1 / 6], [1 / 6, 1 / 3], [0, 1]]
EVEN, POINTS = 6, 11  # along one axis: the even phase's, and those of both, even ones first
_SAME = {0: 6, 1: 7, 2: 8, 3: 9, 5: 10}  # the odd point that is an even one

_TWO, _THREE, _FOUR, _FIVE, _EIGHT = (np.float32(i) for i in (2, 3, 4, 5, 8))


@dataclass(frozen=True)
class Polyphase:
    """One layer.

    Attributes:
        weights: float32 [positions, K, C_out], group by group; K is the same in a group.
        starts: [11, 11]: where in a tile's row of v a point is, in units of C.
        places: [phases, 6, 6]: the position of each point of a phase, row by row; -1 for none.
        bias: [C_out].
        step: 2 for a layer that halves the sides, 1 for one that doubles them.
    """

    weights: list[Tensor]
    starts: Places
    places: Places
    bias: Floats
    step: int

    @classmethod
    def of(cls, layer: nn.Conv2d | nn.ConvTranspose2d) -> Polyphase:
        """Return what computes a layer of stride 2, 5x5 taps and padding 2."""
        assert layer.bias is not None
        weight = layer.weight.detach().cpu().double()
        bias = layer.bias.detach().cpu().numpy()
        if isinstance(layer, nn.ConvTranspose2d):
            points = _at_points(weight.permute(2, 3, 0, 1), even=[4, 2, 0], odd=[3, 1])
            return cls([points.flatten(0, 1).float()], *_up(), bias, step=1)
        points = _at_points(weight.permute(2, 3, 1, 0), even=[0, 2, 4], odd=[1, 3])
        groups, starts, places = _down()
        weights = [
            torch.stack([torch.cat([points[p, q] for p, q in phases]) for phases in group])
            for group in groups
        ]
        return cls([group.float() for group in weights], starts, places, bias, step=2)

    def __call__(self, a: Tensor) -> Tensor:
        """Return float32 [H', W', C_out] of float32 [H, W, C].

        Raises:
            ValueError: If a side is no multiple of 8 (to be halved) or 4 (to be doubled).
        """
        height, width, c_in = a.shape
        side = TILE * self.step
        if height % side or width % side:
            raise ValueError(f"sides must be multiples of {side}: {height}x{width}")
        n_y, n_x = height // side, width // side
        scale = TILE * (2 if self.step == 1 else 1)
        out = torch.empty(scale * n_y, scale * n_x, len(self.bias))
        pixels = a.contiguous().flatten(1).numpy()
        rows = max(1, AT_ONCE // n_x)
        for first in range(0, n_y, rows):
            last = min(first + rows, n_y)
            v = torch.empty((last - first) * n_x, POINTS * POINTS * c_in)
            _spread(first, last, pixels, c_in, self.step, self.starts, v.numpy())
            m = self._products(v).numpy()
            _collect(first, last, m, n_x, self.places, self.bias, out.numpy())
        return out

    def _products(self, v: Tensor) -> Tensor:
        m = torch.empty(sum(map(len, self.weights)), len(v), len(self.bias))
        begin = position = 0
        for group in self.weights:
            n, k, _ = group.shape
            factors = v[:, begin : begin + n * k].reshape(-1, n, k).transpose(0, 1)
            torch.bmm(factors, group, out=m[position : position + n])
            begin, position = begin + n * k, position + n
        return m


def _at_points(taps: Tensor, even: list[int], odd: list[int]) -> Tensor:
    """Return the taps at each point, [11, 11, C_in, C_out], of [5, 5, C_in, C_out]."""
    g = torch.zeros(POINTS, 5, dtype=torch.float64)
    g[:EVEN, even] = torch.tensor(_G_EVEN, dtype=torch.float64)
    g[EVEN:, odd] = torch.tensor(_G_ODD, dtype=torch.float64)
    return torch.einsum("pk,ql,klio->pqio", g, g, taps)


def _up() -> tuple[Places, Places]:
    """Return `starts` and `places` where each point is a position."""
    starts = np.arange(POINTS * POINTS).reshape(POINTS, POINTS)
    at = [list(range(EVEN)), [_SAME.get(point, -1) for point in range(EVEN)]]
    places = [
        [[-1 if p < 0 or q < 0 else starts[p, q] for q in columns] for p in rows]
        for rows in at
        for columns in at
    ]
    return starts, np.array(places).reshape(4, EVEN, EVEN)


def _down() -> tuple[list[list[list[tuple[int, int]]]], Places, Places]:
    """Return what is summed at each of 36 positions, group by group; `starts`; `places`."""
    both = [[point, _SAME[point]] if point in _SAME else [point] for point in range(EVEN)]
    sums = [[(p, q) for p in rows for q in columns] for rows in both for columns in both]
    groups = [[phases for phases in sums if len(phases) == k] for k in (4, 2, 1)]
    starts = np.zeros((POINTS, POINTS), np.int64)
    order = [phases for group in groups for phases in group]
    for start, (p, q) in enumerate(pair for phases in order for pair in phases):
        starts[p, q] = start
    places = np.zeros((1, EVEN, EVEN), np.int64)
    for position, phases in enumerate(order):
        places[0][phases[0]] = position
    return groups, starts, places


@njit(cache=True, nogil=True, fastmath=True)
def _spread(begin, end, pixels, n_channels, step, starts, v):  # type: ignore[no-untyped-def]
    """Fill v with B^T d B of the tiles of some rows; pixels are [H, W * C], 0 beyond them."""
    height, width = pixels.shape
    n = 5 * step + 1
    n_x = width // (TILE * step * n_channels)
    d = np.empty((n, n * n_channels), np.float32)
    t = np.empty((POINTS, n * n_channels), np.float32)
    in_order = np.arange(POINTS)
    for ty in range(begin, end):
        for tx in range(n_x):
            top = (TILE * ty - 1) * step
            left = (TILE * tx - 1) * step * n_channels
            low, high = max(left, 0), min(left + n * n_channels, width)
            for i in range(n):
                if low - left or high - left < n * n_channels or not 0 <= top + i < height:
                    d[i] = 0
                if 0 <= top + i < height:
                    d[i, low - left : high - left] = pixels[top + i, low:high]
            _points(d, step, t, in_order)
            out = v[(ty - begin) * n_x + tx].reshape(-1, n_channels)
            for p in range(POINTS):
                _points(t[p].reshape(n, n_channels), step, out, starts[p])


@njit(cache=True, nogil=True, fastmath=True)
def _points(d, step, out, at):  # type: ignore[no-untyped-def]
    """Write what the rows of d are at each point: B^T d. Loops of one result vectorise."""
    a, b, c = d[0], d[step], d[2 * step]
    e, f, g = d[3 * step], d[4 * step], d[5 * step]
    o = out[at[0]]
    for i in range(len(a)):
        o[i] = _FOUR * a[i] - _FIVE * c[i] + f[i]
    o = out[at[1]]
    for i in range(len(a)):
        o[i] = e[i] + f[i] - _FOUR * (b[i] + c[i])
    o = out[at[2]]
    for i in range(len(a)):
        o[i] = f[i] - e[i] + _FOUR * (b[i] - c[i])
    o = out[at[3]]
    for i in range(len(a)):
        o[i] = f[i] - c[i] + _TWO * (e[i] - b[i])
    o = out[at[4]]
    for i in range(len(a)):
        o[i] = f[i] - c[i] - _TWO * (e[i] - b[i])
    o = out[at[5]]
    for i in range(len(a)):
        o[i] = _FOUR * b[i] - _FIVE * e[i] + g[i]
    a, b, c, e, f = d[1], d[1 + step], d[1 + 2 * step], d[1 + 3 * step], d[1 + 4 * step]
    o = out[at[6]]
    for i in range(len(a)):
        o[i] = _TWO * (a[i] - c[i]) - b[i] + e[i]
    o = out[at[7]]
    for i in range(len(a)):
        o[i] = e[i] - c[i] - _TWO * b[i]
    o = out[at[8]]
    for i in range(len(a)):
        o[i] = e[i] - _THREE * c[i] + _TWO * b[i]
    o = out[at[9]]
    for i in range(len(a)):
        o[i] = e[i] - b[i]
    o = out[at[10]]
    for i in range(len(a)):
        o[i] = f[i] - c[i] + _TWO * (b[i] - e[i])


@njit(cache=True, nogil=True, fastmath=True)
def _collect(begin, end, m, n_x, places, bias, out):  # type: ignore[no-untyped-def]
    """Write A^T m A + bias, phase by phase, of the tiles of some rows."""
    n_tiles, n_channels = m.shape[1:]
    products = m.reshape(-1, n_channels)
    step = 2 if len(places) == 4 else 1
    s = np.empty((EVEN * TILE, n_channels), np.float32)
    zeros = np.zeros(n_channels, np.float32)
    at = np.empty(EVEN, np.int64)
    for ty in range(begin, end):
        for tx in range(n_x):
            tile = (ty - begin) * n_x + tx
            for phase in range(len(places)):
                for q in range(EVEN):
                    for p in range(EVEN):
                        place = places[phase, p, q]
                        at[p] = place * n_tiles + tile if place >= 0 else -1
                    if at[0] >= 0:
                        _results(products, at, zeros, zeros, s, TILE * q, 1)
                for i in range(TILE):
                    for q in range(EVEN):
                        at[q] = TILE * q + i if places[phase, 0, q] >= 0 else -1
                    row = out[step * (TILE * ty + i) + phase // 2]
                    _results(s, at, zeros, bias, row, step * TILE * tx + phase % 2, step)


@njit(cache=True, nogil=True, fastmath=True)
def _results(m, at, zeros, bias, out, x, step):  # type: ignore[no-untyped-def]
    """Write A^T m + bias for products at the points 0, 1, -1, 2, -2 (if any) and infinity."""
    a, b, c, d, f = m[at[0]], m[at[1]], m[at[2]], m[at[3]], m[at[5]]
    e = m[at[4]] if at[4] >= 0 else zeros
    for i in range(len(bias)):
        out[x, i] = bias[i] + a[i] + b[i] + c[i] + d[i] + e[i]
    for i in range(len(bias)):
        out[x + step, i] = bias[i] + b[i] - c[i] + _TWO * (d[i] - e[i])
    for i in range(len(bias)):
        out[x + 2 * step, i] = bias[i] + b[i] + c[i] + _FOUR * (d[i] + e[i])
    for i in range(len(bias)):
        out[x + 3 * step, i] = bias[i] + b[i] - c[i] + _EIGHT * (d[i] - e[i]) + f[i]
