"""Stage pretrain: the codec of each quality and the classifier, given or trained here."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch

from mien import paths
from mien.classifier import resnet18
from mien.classifier.zoo import pretrained_classifier
from mien.codec.model import LAMBDAS, Codec, channels_of, load_codec, make_tables, new_codec
from mien.codec.zoo import pretrained_codec
from mien.data import shards
from mien.device import placed
from mien.params import SCRATCH, Params
from mien.provenance import source_commit
from mien.tensors import save_tensors, under
from mien.training import augment, optimizers
from mien.training.classifier_task import ClassifierTask, class_weights
from mien.training.codec_task import CodecTask
from mien.training.engine import Plan, Row, train, write_history
from mien.training.loss import Weighting


def pretrain_codec(params: Params, quality: int) -> None:
    """Write the pretrained codec of one quality, and its history if it was trained here."""
    channels = channels_of(params.codec, quality)
    path = paths.codec(quality)
    if params.codec.weights == SCRATCH:
        codec, history = _trained_codec(params, quality, channels)
        write_history(path.with_suffix(".csv"), history)
    else:
        codec = pretrained_codec(params.codec.weights, quality, channels)
    make_tables(codec.cpu())
    record = {
        "channels": list(channels),
        "quality": quality,
        "lambda": LAMBDAS[quality],
        "recipe": recipe(params, "codec"),
        "commit": source_commit(),
    }
    save_tensors(path, under(codec.state_dict(), "codec"), record)


def pretrain_classifier(params: Params) -> None:
    """Write the pretrained classifier, and its history if it was trained here."""
    path = paths.CLASSIFIER
    if params.classifier.weights == SCRATCH:
        classifier, history = _trained_classifier(params)
        write_history(path.with_suffix(".csv"), history)
    else:
        classifier = pretrained_classifier(params.classifier)
    record = {
        "classifier": resnet18.record_of(params.classifier),
        "recipe": recipe(params, "classifier"),
        "commit": source_commit(),
    }
    save_tensors(path, under(classifier.state_dict(), "classifier"), record)


def recipe(params: Params, model: str) -> dict[str, Any]:
    """Return the params that decide the weights of a trained `codec` or `classifier`."""
    section = params.pretrain.model_dump(mode="json", exclude={"codec", "classifier"})
    checks = {"layout", "counts", "strict", "max_unusable", "max_duplicates"}
    return {
        "data": params.data.model_dump(mode="json", exclude=checks, exclude_none=True),
        "shards": params.shards.model_dump(mode="json", exclude_none=True),
        "architecture": getattr(params, model).model_dump(mode="json"),
        "pretrain": section
        | getattr(params.pretrain, model).model_dump(mode="json", exclude_none=True),
    }


def _trained_codec(
    params: Params, quality: int, channels: tuple[int, int]
) -> tuple[Codec, list[Row]]:
    """Train one quality; in a chain the highest starts at random, the others from above."""
    section = params.pretrain.codec
    torch.manual_seed(params.pretrain.seed + quality)
    higher = [q for q in params.codec.qualities if q > quality]
    codec = placed(_start(section.start, quality, channels, higher))
    optimizer = optimizers.main_optimizer(optimizers.codec_groups(codec, section.lr, 0.0))
    auxiliary = optimizers.auxiliary_optimizer(codec, section.aux_lr)
    task = CodecTask(
        codec,
        reader=None,
        weighting=Weighting(bpp=1.0, mse=LAMBDAS[quality], ce=0.0),
        optimizer=optimizer,
        auxiliary=auxiliary,
        clip_norm=section.clip_norm,
        augment=partial(_crop, size=section.crop, seed=params.pretrain.seed),
    )
    steps = section.next_steps if higher else section.first_steps
    plan = Plan(
        epochs=params.pretrain.evaluations,
        patience=None,
        schedule=optimizers.cosine([optimizer, auxiliary], params.pretrain.evaluations),
    )
    batches = _Rounds(params, section.batch_size, steps)
    history = train(task, plan, batches, partial(_val, params), f"codec q{quality}")
    return codec, history


def _start(
    folder: str | None, quality: int, channels: tuple[int, int], higher: list[int]
) -> Codec:
    """Return what a training starts from: a given codec, the one above, or random weights."""
    if folder is not None:
        return pretrained_codec(folder, quality, channels)
    if higher:
        return load_codec(paths.codec(higher[0]))[0]
    return new_codec(channels)


def _trained_classifier(params: Params) -> tuple[resnet18.Classifier, list[Row]]:
    section = params.pretrain.classifier
    torch.manual_seed(params.pretrain.seed)
    classifier = placed(resnet18.new_classifier(params.classifier))
    groups = optimizers.classifier_groups(classifier, section.lr, section.weight_decay)
    optimizer = optimizers.main_optimizer(groups)
    task = ClassifierTask(
        classifier,
        params.classifier.output,
        class_weights(shards.labels_of(paths.SHARDS_MANIFEST, "train")),
        section.label_smoothing,
        optimizer,
        params.pretrain.seed,
    )
    plan = Plan(
        epochs=params.pretrain.evaluations,
        patience=None,
        schedule=optimizers.cosine([optimizer], params.pretrain.evaluations, warm_up=True),
    )
    batches = _Rounds(params, section.batch_size, section.steps)
    history = train(task, plan, batches, partial(_val, params), "classifier")
    return classifier, history


@dataclasses.dataclass
class _Rounds:
    """Training batches cut into rounds of equal length, one before each look at `val`."""

    params: Params
    batch_size: int
    steps: int

    def __post_init__(self) -> None:
        self._stream = self._endless()

    def __call__(self, epoch: int) -> Iterator[shards.Batch]:
        """Return the batches of round `epoch`, counted from 1."""
        rounds = self.params.pretrain.evaluations
        size = self.steps * epoch // rounds - self.steps * (epoch - 1) // rounds
        return (next(self._stream) for _ in range(size))

    def _endless(self) -> Iterator[shards.Batch]:
        epoch = 0
        while True:
            yield from shards.training_batches(
                paths.SHARDS_MANIFEST,
                "train",
                self.batch_size,
                self.params.pretrain.seed,
                epoch,
                None,
            )
            epoch += 1


def _val(params: Params) -> Iterable[shards.Batch]:
    return shards.split_batches(
        paths.SHARDS_MANIFEST,
        "val",
        params.evaluate.batch_size,
        params.pretrain.val_images,
    )


def _crop(images: torch.Tensor, step: int, size: int, seed: int) -> torch.Tensor:
    random = augment.generator(seed, step)
    return augment.cropped(augment.flipped(images, random), size, random)
