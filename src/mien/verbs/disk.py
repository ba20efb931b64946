"""What the files of jobs take on disk."""

from __future__ import annotations

from collections.abc import Iterable

from mien.params import Params
from mien.runs import (
    ALL,
    TRAINS_CLASSIFIER,
    TRAINS_CODEC,
    classic_runs,
    setting_named,
)
from mien.verbs.jobs import Job
from mien.verbs.speeds import Speeds
from mien.verbs.work import SIZE, WIDTH, Images, nearest

STREAM_BITS = 1.0  # a pixel, at most: the zoo's highest quality is below on most pictures
# Of per_image.parquet and raw.parquet: two of labels, 8 logits, prediction; measures, seconds.
ROW_BYTES = 2 * (8 + 32 + 8) + 8 * 6
RAW_PIXEL_BYTES = 3


def disk_of(
    params: Params, images: Images, jobs: Iterable[Job], speeds: Speeds
) -> dict[str, float]:
    """Return the bytes that jobs leave, by what they are."""
    found: dict[str, float] = {}
    for job in jobs:
        for name, n_bytes in _of(params, images, job, speeds).items():
            found[name] = found.get(name, 0.0) + n_bytes
    return found


def _of(params: Params, images: Images, job: Job, speeds: Speeds) -> dict[str, float]:
    pixels = params.shards.image_size**2
    if job.rule == "ingest":
        return {"index": images.all * speeds.of("cpu", "index_bytes")}
    if job.rule == "shard":
        one = speeds.of("cpu", "shard_bytes") * pixels / SIZE**2  # of lossless WebP
        return {
            "shards": images.all
            * (RAW_PIXEL_BYTES * pixels if params.shards.format == "raw" else one)
        }
    if job.rule == "pretrain_codec":
        return {"models": _codec(params, int(job["quality"]), speeds)}
    if job.rule == "pretrain_classifier":
        return {"models": _classifier(params, speeds)}
    if job.rule == "finetune":
        return {"checkpoints": _checkpoint(params, job, speeds)}
    stage, _, codec = job.rule.partition("_")
    if stage not in ("encode", "decode") or job.rule.endswith("_part"):
        return {}
    runs = [run for run in classic_runs(params) if run.strategy == codec.replace("_", "-")]
    n = images.test * (len(runs) if codec else 1)
    if stage == "encode":
        return {"streams, at most": n * pixels * STREAM_BITS / 8}
    return {"measurements": n * ROW_BYTES}


def _codec(params: Params, quality: int, speeds: Speeds) -> float:
    name, scale = nearest(params.codec.channels_of(quality))
    return scale * speeds.of("cpu", f"codec_n{name}_bytes")


def _classifier(params: Params, speeds: Speeds) -> float:
    return (params.classifier.width / WIDTH) ** 2 * speeds.of("cpu", "classifier_bytes")


def _checkpoint(params: Params, job: Job, speeds: Speeds) -> float:
    total = 0.0
    if job["strategy"] in TRAINS_CODEC and job["setting"] != ALL:
        total += _codec(params, setting_named(params, job["setting"]).quality, speeds)
    if job["strategy"] in TRAINS_CLASSIFIER:
        total += _classifier(params, speeds)
    return total
