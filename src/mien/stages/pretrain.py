"""Stage pretrain: the codec of each quality and the classifier, given or trained here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any, Generic, TypeVar

import torch

from mien import files, paths
from mien.classifier import resnet18
from mien.classifier.zoo import imagenet_classifier, pretrained_classifier
from mien.codec.forward import training_forward
from mien.codec.integers import codec_id, exported
from mien.codec.model import Codec, load_codec, make_tables, new_codec
from mien.codec.zoo import pretrained_codec
from mien.data import shards
from mien.device import placed
from mien.params import IMAGENET, SCRATCH, Params
from mien.params import Classifier as Section
from mien.provenance import source_commit
from mien.source import code
from mien.stages.calibrated import calibration
from mien.stages.resumed import keeper_for
from mien.tensors import save_tensors, under
from mien.training import augment, inputs, optimizers
from mien.training.classifier_task import ClassifierTask, class_weights
from mien.training.codec_task import CodecTask
from mien.training.data import Rounds
from mien.training.engine import Plan, train, write_history
from mien.training.loss import Weighting
from mien.training.reader import Reader
from mien.training.resume import Keeper, Row

CLASSIFIER_CLIP_NORM = 5.0  # what the committed weights were trained with

Model = TypeVar("Model")


@dataclass(frozen=True)
class Trained(Generic[Model]):
    """What a training here made, and where its state was kept."""

    model: Model
    history: list[Row]
    keeper: Keeper


def pretrain_codec(params: Params, quality: int) -> None:
    """Write the pretrained codec of one quality, and its history if it was trained here."""
    channels = params.codec.channels_of(quality)
    path = paths.codec(quality)
    trained = None
    if params.codec.weights == SCRATCH:
        trained = _trained_codec(params, quality, channels)
        write_history(path.with_suffix(".csv"), trained.history)
        codec = trained.model
    else:
        codec = pretrained_codec(params.codec.weights, quality, channels)
    make_tables(codec.cpu())
    integers = exported(codec)
    record = {
        "channels": list(channels),
        "quality": quality,
        "lambda": params.codec.lambda_of(quality),
        "codec_id": codec_id(codec, integers),
        "recipe": recipe(params, "codec"),
        "commit": source_commit(),
    }
    tensors = under(codec.state_dict(), "codec") | under(integers, "exact")
    save_tensors(path, tensors, record)
    if trained:
        trained.keeper.remove()


def pretrain_classifier(params: Params) -> None:
    """Write the pretrained classifier, and its history if it was trained here."""
    path = paths.CLASSIFIER
    trained = None
    if params.classifier.weights == SCRATCH:
        trained = _trained_classifier(params)
        write_history(path.with_suffix(".csv"), trained.history)
        classifier = trained.model
    else:
        classifier = pretrained_classifier(params.classifier)
    record = {
        "classifier": resnet18.record_of(params.classifier),
        "calibration": calibration(placed(classifier), inputs.raw, "raw", _val(params)),
        "recipe": recipe(params, "classifier"),
        "commit": source_commit(),
    }
    save_tensors(path, under(classifier.state_dict(), "classifier"), record)
    if trained:
        trained.keeper.remove()


def recipe(params: Params, model: str) -> dict[str, Any]:
    """Return the params that decide the weights of a trained `codec` or `classifier`."""
    section = params.pretrain.model_dump(mode="json", exclude={"codec", "classifier"})
    checks = {"layout", "counts", "strict", "max_unusable", "max_duplicates"}
    return {
        "data": params.data.model_dump(mode="json", exclude=checks, exclude_none=True),
        "shards": params.shards.model_dump(mode="json", exclude_none=True),
        "architecture": _architecture(params, model),
        "pretrain": section
        | getattr(params.pretrain, model).model_dump(mode="json", exclude_none=True),
    }


def _architecture(params: Params, model: str) -> dict[str, Any]:
    own: dict[str, Any] = getattr(params, model).model_dump(mode="json", exclude={"entropy"})
    return {key: value for key, value in own.items() if (key, value) != ("lambdas", None)}


def _trained_codec(params: Params, quality: int, channels: tuple[int, int]) -> Trained[Codec]:
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
        weighting=Weighting(bpp=1.0, mse=params.codec.lambda_of(quality), ce=0.0),
        optimizer=optimizer,
        auxiliary=auxiliary,
        clip_norm=section.clip_norm,
        augment=partial(_crop, size=section.crop, seed=params.pretrain.seed),
        forward=training_forward(codec, params.compute.precision, params.compute.compile),
    )
    steps = section.next_steps if higher else section.first_steps
    schedule = optimizers.Cosine([optimizer, auxiliary], params.pretrain.evaluations)
    plan = _plan(params, f"codec q{quality}", schedule)
    begun_from = [files.sha256_of(paths.codec(q)) for q in higher[:1] if not section.start]
    keeper = _keeper(params, "codec", {"quality": quality, "start": begun_from})
    history = train(
        task, plan, _rounds(params, section.batch_size, steps), partial(_val, params), keeper
    )
    return Trained(codec, history, keeper)


def _start(
    folder: str | None, quality: int, channels: tuple[int, int], higher: list[int]
) -> Codec:
    """Return what a training starts from: a given codec, the one above, or random weights."""
    if folder is not None:
        return pretrained_codec(folder, quality, channels)
    if higher:
        return load_codec(paths.codec(higher[0]))[0]
    return new_codec(channels)


def _classifier_start(start: str | None, section: Section) -> resnet18.Classifier:
    """Return what a training starts from: random weights, ImageNet's or those of a file."""
    if start is None:
        return resnet18.new_classifier(section)
    if start == IMAGENET:
        return imagenet_classifier(section)
    return pretrained_classifier(section.model_copy(update={"weights": start}), to_train=True)


def _trained_classifier(params: Params) -> Trained[resnet18.Classifier]:
    section = params.pretrain.classifier
    torch.manual_seed(params.pretrain.seed)
    classifier = placed(_classifier_start(section.start, params.classifier))
    groups = optimizers.classifier_groups(classifier, section.lr, section.weight_decay)
    optimizer = optimizers.main_optimizer(groups)
    task = ClassifierTask(
        Reader(
            classifier,
            params.classifier.output,
            trained=True,
            update_batch_norm=True,
            precision=params.compute.precision,
        ),
        optimizer,
        CLASSIFIER_CLIP_NORM,
        partial(_shifted, seed=params.pretrain.seed),
        inputs.raw,
        class_weights(shards.labels_of(paths.SHARDS_MANIFEST, "train")),
        section.label_smoothing,
    )
    schedule = optimizers.Cosine([optimizer], params.pretrain.evaluations, warm_up=True)
    plan = _plan(params, "classifier", schedule)
    batches = _rounds(params, section.batch_size, section.steps)
    keeper = _keeper(params, "classifier", {})
    history = train(task, plan, batches, partial(_val, params), keeper)
    return Trained(classifier, history, keeper)


def _plan(params: Params, name: str, schedule: optimizers.Schedule) -> Plan:
    rounds, skipped = params.pretrain.evaluations, params.compute.max_skipped
    return Plan(name, rounds, patience=None, max_skipped=skipped, schedule=schedule)


def _rounds(params: Params, batch_size: int, steps: int) -> Rounds:
    section = params.pretrain
    return Rounds(paths.SHARDS_MANIFEST, batch_size, section.seed, steps, section.evaluations)


def _keeper(params: Params, model: str, more: dict[str, Any]) -> Keeper:
    config = recipe(params, model) | more
    config["compute"] = params.compute.model_dump(
        mode="json", include={"precision", "compile", "max_skipped"}
    )
    config |= {"data": files.sha256_of(paths.SHARDS_MANIFEST), "code": code("pretrain")}
    return keeper_for(f"pretrain-{model}", config, params.compute)


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


def _shifted(images: torch.Tensor, step: int, seed: int) -> torch.Tensor:
    """Mirror at random and cut by a sixteenth, which shifts the faces."""
    random = augment.generator(seed, step)
    side = images.shape[-1]
    return augment.cropped(augment.flipped(images, random), side - side // 16, random)
