"""h_s in plain numpy int64, from the text of docs/format.md: no code of the package."""

import numpy as np

CUT = 1 << 25


def hyper_synthesis(tensors, z):
    """Return scale indexes and means [B, M, 16h, 16w] of symbols of z [B, N, h, w]."""
    t = {
        name.removeprefix("hyper."): np.asarray(array).astype(np.int64)
        for name, array in tensors.items()
    }
    a = cut(z.astype(np.int64) * 4096 + t["medians"][None, :, None, None])
    for layer in (0, 2):
        a = cut((doubled(a, t[f"weight.{layer}"]) + bias(t, layer)) >> 12)
        a = np.where(a < 0, (a * 41) >> 12, a)
    a = cut((convolved(a, t["weight.4"]) + bias(t, 4)) >> 12)
    scales, means = np.split(a, 2, axis=1)
    return (scales[..., None] >= t["thresholds"]).sum(-1), means


def cut(a):
    return np.clip(a, -CUT, CUT - 1)


def bias(tensors, layer):
    return tensors[f"bias.{layer}"][None, :, None, None]


def doubled(a, weight):
    """Scatter each pixel over 5x5: transposed convolution, stride 2, padding 2."""
    batch, _, height, width = a.shape
    out = np.zeros((batch, weight.shape[1], 2 * height + 3, 2 * width + 3), np.int64)
    for y in range(5):
        for x in range(5):
            part = np.einsum("bchw,co->bohw", a, weight[:, :, y, x])
            out[:, :, y : y + 2 * height : 2, x : x + 2 * width : 2] += part
    return out[:, :, 2 : 2 + 2 * height, 2 : 2 + 2 * width]


def convolved(a, weight):
    _, _, height, width = a.shape
    padded = np.pad(a, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sum(
        np.einsum(
            "bchw,oc->bohw", padded[:, :, y : y + height, x : x + width], weight[:, :, y, x]
        )
        for y in range(3)
        for x in range(3)
    )
