"""Stage finetune: one run of a strategy: a codec, a classifier, or both."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mien import files, paths
from mien.classifier.resnet18 import Classifier, load_classifier, record_of
from mien.codec.forward import training_forward
from mien.codec.integers import codec_id, exported
from mien.codec.model import load_codec, make_tables
from mien.data import shards
from mien.device import placed
from mien.params import Params, Training
from mien.provenance import source_commit
from mien.runs import (
    CLASSIFIER_DECODED,
    CLASSIFIER_RAW,
    PRETRAINED,
    TRAINS_CLASSIFIER,
    TRAINS_CODEC,
    Run,
    finetune_section,
    loss_weights,
    run_config,
    setting_named,
    start_of,
)
from mien.share import Share
from mien.source import code
from mien.stages.calibrated import calibration
from mien.stages.resumed import keeper_for
from mien.tensors import save_tensors, under
from mien.training import augment, inputs, optimizers
from mien.training.classifier_task import ClassifierTask
from mien.training.codec_task import CodecTask, RateWarmUp
from mien.training.data import Epochs
from mien.training.engine import Plan, train, write_history
from mien.training.events import Events
from mien.training.loss import Weighting
from mien.training.reader import Reader
from mien.training.team import ALONE, Team, together


def finetune(params: Params, run: Run) -> None:
    """Train one run, or go on; write checkpoint and history.

    Raises:
        ParamsError: If it cannot be done on so many devices.
        TrainingError: If its loss keeps being not finite.
    """
    together(params.compute.devices, _finetune, params, run)


def _finetune(team: Team, params: Params, run: Run) -> None:
    section = finetune_section(params, run)
    torch.manual_seed(section.seed)
    config = run_config(params, run) | {"setting": run.setting, "inputs": _inputs(params, run)}
    keeper = keeper_for(
        "finetune", config | {"code": code("finetune")}, params.compute, writes=team.leads
    )
    task, plan = prepared(params, run, team)
    history = train(
        task,
        plan,
        _epochs(section, team),
        partial(_val, params),
        keeper,
        team,
        _events(params, run, team),
    )
    if not team.leads:
        return
    tensors, record = task.weights(), _record(params, run)
    if isinstance(task, CodecTask):
        make_tables(task.codec.cpu())
        integers = exported(task.codec)
        tensors = task.weights() | under(integers, "exact")
        record["codec_id"] = codec_id(task.codec, integers)
    if run.strategy in TRAINS_CLASSIFIER:
        record["calibration"] = _calibration(params, run, task)
    write_history(paths.history(run), history)
    save_tensors(paths.checkpoint(run), tensors, record)
    keeper.remove()


def prepared(
    params: Params, run: Run, team: Team = ALONE
) -> tuple[CodecTask | ClassifierTask, Plan]:
    """Return what a run trains, from the models it starts from, and for how long."""
    section = finetune_section(params, run)
    start = paths.classifier_of(start_of(params, run))
    classifier: Classifier = placed(load_classifier(start, params.classifier)[0])
    trained = run.strategy in TRAINS_CLASSIFIER
    if trained and section.update_batch_norm:
        classifier = team.synchronised(classifier)
    reader = Reader(
        classifier,
        params.classifier.output,
        trained=trained,
        update_batch_norm=section.update_batch_norm,
        precision=params.compute.precision,
    )
    reader.freeze()
    make = _codec_task if run.strategy in TRAINS_CODEC else _classifier_task
    task, owners = make(params, run, reader, team)
    name = f"{run.strategy} {run.setting}"
    plan = Plan(
        name,
        section.epochs,
        section.patience,
        params.compute.max_skipped,
        _schedule(section, owners),
    )
    return task, plan


def _codec_task(
    params: Params, run: Run, reader: Reader, team: Team
) -> tuple[CodecTask, list[Optimizer]]:
    section = finetune_section(params, run)
    quality = setting_named(params, run.setting).quality
    start = start_of(params, run)
    codec = placed(load_codec(paths.codec_of(start))[0])
    groups = optimizers.codec_groups(codec, section.lr, section.weight_decay)
    groups += optimizers.classifier_groups(
        reader.classifier, section.classifier_lr, section.weight_decay
    )
    optimizer = optimizers.main_optimizer([group for group in groups if group["params"]])
    auxiliary = optimizers.auxiliary_optimizer(codec, section.aux_lr)
    task = CodecTask(
        codec,
        reader,
        Weighting.of(loss_weights(params, run), params.codec.lambda_of(quality)),
        optimizer,
        auxiliary,
        section.clip_norm,
        _augment(section, team.share),
        training_forward(
            codec,
            params.compute.precision,
            params.compute.compile,
            team.share,
            section.quantization,
        ),
        RateWarmUp(
            round(section.rate_warm_up * _epochs(section, team).steps(1)),
            0.0 if start.strategy == PRETRAINED else loss_weights(params, start).bpp,
        ),
        team,
    )
    return task, [optimizer, auxiliary]


def _classifier_task(
    params: Params, run: Run, reader: Reader, team: Team
) -> tuple[ClassifierTask, list[Optimizer]]:
    section = finetune_section(params, run)
    optimizer = optimizers.main_optimizer(
        optimizers.classifier_groups(
            reader.classifier, section.classifier_lr, section.weight_decay
        )
    )
    shown: inputs.Shown = inputs.raw
    if run.strategy == CLASSIFIER_DECODED:
        shown = inputs.decoded(placed(load_codec(paths.codec_of(run))[0]))
    task = ClassifierTask(
        reader,
        optimizer,
        section.clip_norm,
        _augment(section, team.share),
        shown,
        team=team,
    )
    return task, [optimizer]


def _epochs(section: Training, team: Team) -> Epochs:
    return Epochs(
        paths.SHARDS_MANIFEST,
        section.batch_size,
        section.seed,
        section.images_per_epoch,
        team.share,
    )


def _schedule(section: Training, owners: list[Optimizer]) -> optimizers.Schedule:
    if section.schedule == "cosine":
        return optimizers.Cosine(owners, section.epochs)
    return optimizers.Plateau(owners, section.lr_factor, section.lr_patience)


def _inputs(params: Params, run: Run) -> list[dict[str, str]]:
    """Return the digests of all that a training starts from."""
    digests = [
        files.read_manifest(paths.manifest_of(model))["files"]
        for model in paths.read_by_training(params, run)
    ]
    return [*digests, {"shards": files.sha256_of(paths.SHARDS_MANIFEST)}]


def _record(params: Params, run: Run) -> dict[str, Any]:
    record: dict[str, Any] = {
        "strategy": run.strategy,
        "setting": run.setting,
        "finetune": finetune_section(params, run).model_dump(mode="json"),
        "classifier": record_of(params.classifier),
        "data": params.data.name,
        "commit": source_commit(),
    }
    if run.strategy in TRAINS_CODEC:
        setting = setting_named(params, run.setting)
        record |= {
            "channels": list(params.codec.channels_of(setting.quality)),
            "quality": setting.quality,
            "lambda": params.codec.lambda_of(setting.quality),
            "loss": loss_weights(params, run).model_dump(),
        }
    return record


def _calibration(params: Params, run: Run, task: CodecTask | ClassifierTask) -> dict[str, Any]:
    """Return how sure the trained classifier may be of the pictures its run has it read."""
    assert task.reader is not None, "a run that trains a classifier has one"
    if isinstance(task, CodecTask):
        shown, pictures = inputs.decoded(placed(task.codec)), "decoded"
    else:
        shown, pictures = task.shown, "raw" if run.strategy == CLASSIFIER_RAW else "decoded"
    return calibration(task.reader.classifier, shown, pictures, _val(params))


def _val(params: Params) -> Iterable[shards.Batch]:
    return shards.split_batches(
        paths.SHARDS_MANIFEST, "val", params.evaluate.batch_size, params.finetune.val_images
    )


def _events(params: Params, run: Run, team: Team) -> Events:
    watched = params.compute.tensorboard and team.leads
    return Events(paths.TENSORBOARD / run.strategy / run.setting if watched else None)


def _augment(section: Training, share: Share) -> inputs.Augment:
    return partial(
        _augmented, flip=section.flip, shift=section.shift, seed=section.seed, share=share
    )


def _augmented(
    images: Tensor, step: int, flip: bool, shift: int, seed: int, share: Share
) -> Tensor:
    random = augment.generator(seed, step)
    if flip:
        images = augment.flipped(images, random, share)
    return augment.shifted(images, shift, random, share) if shift else images
