"""Stage finetune: one codec, and with `joint` its classifier, for one loss setting."""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from mien import paths
from mien.classifier.resnet18 import Classifier, load_classifier, record_of
from mien.codec.model import LAMBDAS, Codec, load_codec, make_tables
from mien.data import shards
from mien.device import placed
from mien.params import Finetune, Params
from mien.provenance import source_commit
from mien.runs import JOINT, Run, Setting, setting_named
from mien.tensors import save_tensors
from mien.training import augment, optimizers
from mien.training.codec_task import CodecTask, Reader
from mien.training.engine import Plan, train, write_history
from mien.training.loss import Weighting


def finetune(params: Params, run: Run) -> None:
    """Train one run from the pretrained models; write its checkpoint and its history."""
    setting = setting_named(params, run.setting)
    torch.manual_seed(params.finetune.seed)
    codec, source = load_codec(paths.codec(setting.quality))
    classifier, _ = load_classifier(paths.CLASSIFIER, params.classifier)
    task, plan = _prepared(params, run, setting, placed(codec), placed(classifier))
    section = params.finetune
    history = train(
        task,
        plan,
        lambda epoch: shards.training_batches(
            paths.SHARDS_MANIFEST,
            "train",
            section.batch_size,
            section.seed,
            epoch,
            section.images_per_epoch,
        ),
        lambda: shards.split_batches(
            paths.SHARDS_MANIFEST, "val", params.evaluate.batch_size, section.val_images
        ),
        f"{run.strategy} {run.setting}",
    )
    make_tables(codec.cpu())
    write_history(paths.run_folder(run) / "history.csv", history)
    save_tensors(paths.checkpoint(run), task.state(), _record(params, run, setting, source))


def _prepared(
    params: Params, run: Run, setting: Setting, codec: Codec, classifier: Classifier
) -> tuple[CodecTask, Plan]:
    section = params.finetune
    reader = Reader(
        classifier,
        params.classifier.output,
        trained=run.strategy == JOINT,
        update_batch_norm=section.update_batch_norm,
    )
    reader.freeze()
    groups = optimizers.codec_groups(codec, section.lr, section.weight_decay)
    groups += optimizers.classifier_groups(
        classifier, section.classifier_lr, section.weight_decay
    )
    optimizer = optimizers.main_optimizer([group for group in groups if group["params"]])
    auxiliary = optimizers.auxiliary_optimizer(codec, section.aux_lr)
    task = CodecTask(
        codec,
        reader,
        Weighting.of(setting.weights, LAMBDAS[setting.quality]),
        optimizer,
        auxiliary,
        section.clip_norm,
        partial(_mirrored, seed=section.seed) if section.flip else _unchanged,
    )
    schedule = _schedule(section, [optimizer, auxiliary])
    return task, Plan(section.epochs, section.patience, schedule)


def _schedule(section: Finetune, owners: list[Optimizer]) -> optimizers.Schedule:
    if section.schedule == "cosine":
        return optimizers.cosine(owners, section.epochs)
    return optimizers.plateau(owners, section.lr_factor, section.lr_patience)


def _record(
    params: Params, run: Run, setting: Setting, source: dict[str, Any]
) -> dict[str, Any]:
    return {
        "channels": source["channels"],
        "quality": setting.quality,
        "lambda": LAMBDAS[setting.quality],
        "strategy": run.strategy,
        "setting": run.setting,
        "loss": setting.weights.model_dump(),
        "finetune": params.finetune.model_dump(mode="json"),
        "classifier": record_of(params.classifier),
        "data": params.data.name,
        "commit": source_commit(),
    }


def _mirrored(images: Tensor, step: int, seed: int) -> Tensor:
    return augment.flipped(images, augment.generator(seed, step))


def _unchanged(images: Tensor, _step: int) -> Tensor:
    return images
