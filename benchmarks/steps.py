"""What the training benchmark times: CompressAI's loop, and mien's step in its variants."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from compressai.layers import GDN
from torch import Tensor, nn
from torch.optim import AdamW

from benchmarks.measure import BenchmarkError
from benchmarks.peers import compressai_train
from mien.classifier.resnet18 import Classifier
from mien.codec.forward import training_forward
from mien.codec.model import Codec, new_codec
from mien.data.faces import draw_face
from mien.data.shards import Batch
from mien.device import device, placed
from mien.training import optimizers
from mien.training.codec_task import CodecTask
from mien.training.loss import Weighting
from mien.training.reader import Reader

LAMBDA = 0.0067  # the zoo's at quality 3
CROSS_ENTROPY = 0.05
Steps = Callable[[int], float]  # trains for so many steps; returns the loss of one of them

CUDA_GRAPHS = ("triton.cudagraphs",)
# GDN's 1x1 convolution as a matrix product that the root and the division are fused into.
FUSED_GDN = ("conv_1x1_as_mm", "max_autotune_gemm", "epilogue_fusion")


@dataclass(frozen=True)
class Variant:
    """One step to time.

    Attributes:
        precision: Of the transforms; None: CompressAI's own forward pass.
        compiled: Whether the forward and backward pass is.
        tf32: None: mien's step. Else CompressAI's loop again, so.
        gdn: False: identities in its place, a bound on what any GDN could gain.
        classifier: `frozen` or `joint` reads what is decoded; None: rate and MSE alone.
        capturable: AdamW keeps its counts on the GPU, as CUDA graphs need.
        inductor: Switches of the compiler that are on.
    """

    precision: str | None = "float32"
    compiled: bool = False
    tf32: bool | None = None
    gdn: bool = True
    classifier: str | None = None
    capturable: bool = False
    inductor: tuple[str, ...] = ()


COMPILED = Variant("bfloat16", compiled=True)
CPU = {
    "cpu_fp32": Variant(),
    "cpu_bf16_eager": Variant("bfloat16"),
    "cpu_bf16_compiled": COMPILED,
    "cpu_fp32_compiled": Variant(compiled=True),
    "cpu_bf16_no_gdn": Variant("bfloat16", compiled=True, gdn=False),
    "cpu_bf16_frozen": Variant("bfloat16", compiled=True, classifier="frozen"),
    "cpu_bf16_joint": Variant("bfloat16", compiled=True, classifier="joint"),
}
QUICK_CPU = ("cpu_fp32", "cpu_bf16_eager", "cpu_bf16_compiled")
GPU = {  # each adds to the one before, down to the graphs; the rest start from `compiled`
    "tf32_off": Variant(tf32=False),
    "channels_last": Variant(None),
    "permute": Variant(),
    "bf16": Variant("bfloat16"),
    "compiled": COMPILED,
    "graphs": Variant("bfloat16", compiled=True, capturable=True, inductor=CUDA_GRAPHS),
    "no_gdn": Variant("bfloat16", compiled=True, gdn=False),
    "fused_gdn": Variant("bfloat16", compiled=True, inductor=FUSED_GDN),
    "frozen": Variant("bfloat16", compiled=True, classifier="frozen"),
    "joint": Variant("bfloat16", compiled=True, classifier="joint"),
}
QUICK_GPU = ("permute", "bf16", "compiled", "graphs", "no_gdn", "joint")


@dataclass(frozen=True)
class Work:
    """What both sides are given.

    Attributes:
        channels: N and M of the codec.
        images: uint8 [B, 3, H, W] on the CPU.
    """

    channels: tuple[int, int]
    images: Tensor


def drawn(count: int, size: int) -> Tensor:
    """Return drawn faces, uint8 [count, 3, size, size], channels last as shards hold them."""
    faces = [draw_face(11, index, index % 8, size).image for index in range(count)]
    return torch.from_numpy(np.stack(faces)).permute(0, 3, 1, 2)


def peer(work: Work, *, tf32: bool = True) -> Steps:
    """Return CompressAI's loop, untouched, on a new codec."""
    torch.manual_seed(0)
    codec = new_codec(work.channels).to(device())
    x = work.images.contiguous().float().div(255)
    return compressai_train.epochs(codec, x, LAMBDA, tf32=tf32)


def ours(work: Work, variant: Variant) -> Steps:
    """Return mien's training step on the same codec and pictures."""
    if variant.tf32 is not None:
        return peer(work, tf32=variant.tf32)
    torch._dynamo.reset()  # one variant's graph would serve the next, which asks for another
    task = _task(work, variant)
    n = len(work.images)
    batch = Batch([f"face-{i}" for i in range(n)], torch.arange(n) % 8, work.images)

    def steps(count: int) -> float:
        with _switched_on(variant.inductor):
            for step in range(count):
                row = task.step(batch, step)
        if not math.isfinite(row["loss"]):
            raise BenchmarkError(f"mien's step diverged: {row}")
        return row["loss"]

    return steps


def _task(work: Work, variant: Variant) -> CodecTask:
    torch.manual_seed(0)
    codec = new_codec(work.channels)
    if not variant.gdn:
        _without_gdn(codec)
    placed(codec)
    reader = _reader(variant.classifier, variant.precision or "float32")
    groups = optimizers.codec_groups(codec, compressai_train.RATES.learning_rate, 1e-2)
    if reader is not None and reader.trained:
        groups += optimizers.classifier_groups(reader.classifier, 3e-5, 1e-2)
    groups = [group for group in groups if group["params"]]
    return CodecTask(
        codec,
        reader,
        Weighting(bpp=1.0, mse=LAMBDA, ce=0.0 if reader is None else CROSS_ENTROPY),
        AdamW(groups, fused=True, capturable=device().type == "cuda")
        if variant.capturable
        else optimizers.main_optimizer(groups),
        optimizers.auxiliary_optimizer(codec, compressai_train.RATES.aux_learning_rate),
        compressai_train.CLIP_NORM,
        lambda images, _step: images,
        None
        if variant.precision is None
        else training_forward(codec, variant.precision, variant.compiled),
    )


def _reader(classifier: str | None, precision: str) -> Reader | None:
    if classifier is None:
        return None
    network = placed(Classifier(width=64, input_size=224, dropout=0.1))
    joint = classifier == "joint"
    reader = Reader(network, "logits", joint, update_batch_norm=False, precision=precision)
    reader.freeze()
    return reader


def _without_gdn(codec: Codec) -> None:
    for transform in (codec.g_a, codec.g_s):
        for index, layer in enumerate(transform):
            if isinstance(layer, GDN):
                transform[index] = nn.Identity()


def _switched_on(names: tuple[str, ...]) -> contextlib.AbstractContextManager[None]:
    if not names:
        return contextlib.nullcontext()
    from torch._inductor import config  # seconds

    return config.patch(dict.fromkeys(names, True))
