"""The forward pass that training runs: CompressAI's numbers, in half precision or compiled.

    x --g_a--> y --h_a--> z       transforms, float32 or bfloat16
               |          |
               |     z_hat, p(z)  float32
               |          |
               |         h_s      transforms
               |          |
             y_hat, p(y | scales, means)   float32
               |
              g_s --> x_hat       transforms

In float32 every output has the bits of `codec(x)`. CompressAI permutes z by a *tensor*, which
breaks a compiled graph and makes a GPU wait in every step; here it is a constant.

Noise in place of rounding has a floor: a latent that is always rounded to its mean costs next
to nothing in a stream, but with noise of one step's width 0.15 bit at the smallest scale, 0.11.
At 0.01 bit/pixel that floor is most of the rate that training sees; `rounded` has none.

bfloat16 has float32's exponents, so GDN needs nothing of its own: its parametrisation (2^-36
under beta and gamma, beta >= 1e-6) runs on float32 parameters, outside what autocast rounds;
the 1x1 convolution and the root keep 8 bits of mantissa and their range. At those floors its
gradients are within 0.4 % of float32's; in float16 they are NaN.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeAlias

import torch
from compressai.entropy_models import EntropyBottleneck, EntropyModel, GaussianConditional
from compressai.ops import quantize_ste
from torch import Tensor

from mien.codec.model import Codec
from mien.device import say_if_slow
from mien.errors import ParamsError
from mien.share import WHOLE, Share

Outputs: TypeAlias = dict[str, Any]  # x_hat [B, 3, H, W]; likelihoods {y, z}; float32
Noise: TypeAlias = tuple[Tensor, Tensor]  # z: [N, 1, B * H/64 * W/64]; y: [B, M, H/16, W/16]
Quantize: TypeAlias = Callable[[EntropyModel, Tensor, Tensor, Tensor | None], Tensor]

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
DOWNSAMPLING = 64
NOISE, ROUNDED = "noise", "rounded"


def training_forward(
    codec: Codec,
    precision: str,
    compiled: bool,
    share: Share = WHOLE,
    quantization: str = NOISE,
) -> Callable[[Tensor], Outputs]:
    """Return what a training step calls in place of `codec(x)`; it follows `codec.training`.

    The noise is drawn before the graph, from torch's global generator of x's device, z first,
    as CompressAI draws it. So the compiled step sees the numbers of the eager one (inductor's
    own generator has others), and a training that saves the generator's state resumes bit for
    bit: nothing else here is random or remembered from step to step.

    Args:
        codec: Trained in place; its weights stay float32.
        precision: Of the transforms g_a, h_a, h_s, g_s: `float32` or `bfloat16`. The entropy
            models are float32 always, under a caller's autocast too.
        compiled: Compile the training pass as one graph (half a minute at the first batch, and
            again for another batch shape). Eval passes are never compiled.
        share: Of each batch: x is that part of it, and gets that part of the noise.
        quantization: Of a training pass. `noise`: uniform noise is added, as in CompressAI.
            `rounded`: the latents are rounded as in encoding, for the rate and for h_s and g_s;
            gradients pass as if they had not been (Theis et al. 2017, arXiv 1703.00395). No
            noise is drawn.

    Raises:
        ParamsError: If `compiled` and there is no C++ compiler.
        ValueError: For another precision or quantization; from the function, for sides not
            multiples of 64.
    """
    if precision not in DTYPES:
        raise ValueError(f"precision {precision!r} is none of {', '.join(DTYPES)}")
    if quantization not in (NOISE, ROUNDED):
        raise ValueError(f"quantization {quantization!r} is none of {NOISE}, {ROUNDED}")
    say_if_slow(precision)
    if compiled:
        _require_compiler()
    with_noise = quantization == NOISE
    outputs = partial(_outputs, codec, DTYPES[precision])
    coded = partial(outputs, _rounded)
    trained: Callable[..., Outputs] = partial(outputs, _noisy if with_noise else _straight)
    if compiled:
        # `dynamic`: a short last batch gets a graph of its own, no slower one for all shapes.
        trained = torch.compile(trained, fullgraph=True, dynamic=False)

    def forward(x: Tensor) -> Outputs:
        if any(side % DOWNSAMPLING for side in x.shape[-2:]):
            raise ValueError(f"sides must be multiples of {DOWNSAMPLING}: {tuple(x.shape)}")
        if not codec.training:
            return coded(x, None)
        return trained(x, _noise(codec, x, share) if with_noise else None)

    return forward


def _require_compiler() -> None:
    from torch._inductor.cpp_builder import get_cpp_compiler  # seconds, and only when compiling
    from torch._inductor.exc import InvalidCxxCompiler

    try:
        get_cpp_compiler()
    except InvalidCxxCompiler:
        raise ParamsError(
            "params.yaml: compute.compile is true, but there is no C++ compiler: "
            "install g++, name another one in the variable CXX, or set it to false"
        ) from None


def _noise(codec: Codec, x: Tensor, share: Share) -> Noise:
    """Draw U(-1/2, 1/2) for z, then for y, in the order in memory of CompressAI's own draw."""
    _, _, height, width = x.shape
    n_pictures = share.total(len(x))
    n_z = n_pictures * (height // DOWNSAMPLING) * (width // DOWNSAMPLING)
    z = torch.empty(codec.N, 1, n_z, device=x.device)
    # A convolution answers in channels-last order when its input or its weights have it.
    either = (x, codec.g_a[-1].weight)
    last = any(tensor.is_contiguous(memory_format=torch.channels_last) for tensor in either)
    y = torch.empty(
        (n_pictures, codec.M, height // 16, width // 16),
        device=x.device,
        memory_format=torch.channels_last if last else torch.contiguous_format,
    )
    z.uniform_(-0.5, 0.5)
    y.uniform_(-0.5, 0.5)
    return z[:, :, share.part(n_z)], y[share.part(n_pictures)]


def _outputs(
    codec: Codec, dtype: torch.dtype, quantize: Quantize, x: Tensor, noise: Noise | None
) -> Outputs:
    z_noise, y_noise = noise or (None, None)
    with run_in(dtype, x):
        y = codec.g_a(x)
        z = codec.h_a(y)
    with run_in(torch.float32, x):
        z_hat, z_likelihoods = _factorised(
            codec.entropy_bottleneck, quantize, z.float(), z_noise
        )
    with run_in(dtype, x):
        parameters = codec.h_s(z_hat)
    with run_in(torch.float32, x):
        scales, means = parameters.float().chunk(2, 1)
        y_hat, y_likelihoods = _gaussian(
            codec.gaussian_conditional, quantize, y.float(), scales, means, y_noise
        )
    with run_in(dtype, x):
        x_hat = codec.g_s(y_hat)
    return {"x_hat": x_hat.float(), "likelihoods": {"y": y_likelihoods, "z": z_likelihoods}}


def run_in(dtype: torch.dtype, x: Tensor) -> torch.autocast:
    """Return autocast to bfloat16; for float32 no autocast, whatever is around."""
    return torch.autocast(x.device.type, torch.bfloat16, enabled=dtype is torch.bfloat16)


def _factorised(
    bottleneck: EntropyBottleneck, quantize: Quantize, z: Tensor, noise: Tensor | None
) -> tuple[Tensor, Tensor]:
    """Return z_hat and its likelihoods, both [B, N, H/64, W/64]: EntropyBottleneck.forward."""
    by_channel = z.permute(1, 0, 2, 3).contiguous()
    values = by_channel.reshape(len(by_channel), 1, -1)
    values = quantize(bottleneck, values, bottleneck._get_medians(), noise)
    likelihoods = bottleneck.likelihood_lower_bound(bottleneck._likelihood(values)[0])
    z_hat, p = (t.reshape(by_channel.shape).permute(1, 0, 2, 3) for t in (values, likelihoods))
    return z_hat.contiguous(), p.contiguous()


def _gaussian(
    conditional: GaussianConditional,
    quantize: Quantize,
    y: Tensor,
    scales: Tensor,
    means: Tensor,
    noise: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return y_hat and its likelihoods, both of y's shape: GaussianConditional.forward."""
    y_hat = quantize(conditional, y, means, noise)
    likelihoods = conditional._likelihood(y_hat, scales, means)
    return y_hat, conditional.likelihood_lower_bound(likelihoods)


def _noisy(
    _model: EntropyModel, values: Tensor, _centres: Tensor, noise: Tensor | None
) -> Tensor:
    assert noise is not None, "drawn before the graph"
    return values + noise


def _straight(
    _model: EntropyModel, values: Tensor, centres: Tensor, _noise: Tensor | None
) -> Tensor:
    rounded: Tensor = quantize_ste(values - centres)
    return rounded + centres


def _rounded(
    model: EntropyModel, values: Tensor, centres: Tensor, _noise: Tensor | None
) -> Tensor:
    rounded: Tensor = model.quantize(values, "dequantize", centres)
    return rounded
