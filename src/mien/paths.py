"""Where every file of a run lies, relative to the working directory."""

from __future__ import annotations

from pathlib import Path

from mien.params import Params
from mien.part import Part
from mien.runs import (
    ALL,
    CLASSIC,
    CLASSIFIER_RAW,
    PRETRAINED,
    TRAINS_CLASSIFIER,
    TRAINS_CODEC,
    Run,
    for_any_codec,
    rate_point_of,
    start_of,
)

PARAMS = Path("params.yaml")
INDEX = Path("data/index.parquet")
INDEX_MANIFEST = Path("data/index.json")
INGEST_REPORT = Path("data/ingest_report.csv")
SHARDS = Path("data/shards")
SHARDS_MANIFEST = SHARDS / "manifest.json"
MODELS = Path("models")
WORK = Path("work")
PARTS = WORK / "parts"
TENSORBOARD = Path("logs/tensorboard")
CLASSIFIER = MODELS / "classifier.safetensors"
METRICS = Path("metrics.json")
TABLES = Path("tables")
PLOTS = Path("plots")  # for `dvc plots`
HISTORIES = PLOTS / "history.csv"
RATE_ACCURACY = PLOTS / "rate_accuracy.csv"
FIGURES = Path("figures")
REPORT = Path("report/index.html")
STATISTICS = Path("results/statistics.json")
TIMINGS = Path("results/timings.json")
TABLE_NAMES = (
    "table1",
    "table2",
    "attribution",
    "targets",
    "classes",
    "expressions",
    "methods",
    "seeds",
    "runs",
    "recognition",
)
TIMINGS_TABLE = TABLES / "timings.md"  # the one table that differs between identical runs
FIGURE_NAMES = ("fig2", "fig3a", "fig3b", "fig3c", "fig4", "classes", "bits", "reliability")


def codec(quality: int) -> Path:
    """Return the pretrained codec of one quality."""
    return MODELS / "codec" / f"q{quality}.safetensors"


def run_folder(run: Run) -> Path:
    """Return the folder of one run."""
    return Path("results") / run.strategy / run.setting


def checkpoint(run: Run) -> Path:
    """Return what a training wrote: `codec.*` and `classifier.*`, whichever it trained."""
    if run.strategy == CLASSIFIER_RAW:
        run = Run(run.strategy, for_any_codec(run.setting))
    return run_folder(run) / "checkpoint.safetensors"


def history(run: Run) -> Path:
    """Return the epochs of a training."""
    return checkpoint(run).with_name("history.csv")


def codec_of(run: Run) -> Path:
    """Return the learned codec that encodes and decodes a run's streams."""
    if run.strategy in TRAINS_CODEC:
        return checkpoint(run)
    return codec(int(rate_point_of(run.setting).removeprefix("q")))


def classifier_of(run: Run) -> Path:
    """Return the classifier that reads a run's pictures."""
    return checkpoint(run) if run.strategy in TRAINS_CLASSIFIER else CLASSIFIER


def read_by_training(params: Params, run: Run) -> list[Path]:
    """Return the models that a training reads: a classifier and, mostly, a codec.

    The codec is the one it starts from or, where none is trained, the one whose pictures it
    shows; a classifier that learns from raw pictures needs none.
    """
    start = start_of(params, run)
    classifier = classifier_of(start)
    if rate_point_of(run.setting) == ALL:
        return [classifier]
    codec = codec_of(start if run.strategy in TRAINS_CODEC else run)
    return list(dict.fromkeys([classifier, codec]))


def streams(run: Run) -> Path:
    """Return the test set as bitstreams: key, stream, estimated_bits.

    Where the codec is the pretrained one, they are the baseline's.
    """
    own = run.strategy in TRAINS_CODEC or run.strategy in CLASSIC
    owner = run if own else Run(PRETRAINED, rate_point_of(run.setting))
    return run_folder(owner) / "streams.parquet"


def bits(run: Run) -> Path:
    """Return where the bits of a few streams go: key, y_bits, z_bits, by the likelihoods."""
    return streams(run).with_name("bits.parquet")


def encode_seconds(run: Run) -> Path:
    """Return how long the streams took: key, seconds.

    Times lie apart, so that all else is the same bytes twice.
    """
    return streams(run).with_name("encode_seconds.parquet")


def decode_seconds(run: Run) -> Path:
    """Return how long the pictures took to decode: key, seconds."""
    return run_folder(run) / "decode_seconds.parquet"


def part(stage: str, run: Run, part: Part) -> Path:
    """Return what one part of `encode` or `decode` made."""
    return PARTS / stage / run.strategy / run.setting / f"{part}.parquet"


def shard_part(part: Part) -> Path:
    """Return what one part of `shard` says of the tar files it wrote."""
    return PARTS / "shard" / f"{part}.json"


def decoded(run: Run) -> Path:
    """Return the measurements of the pictures decoded from this run's streams."""
    return run_folder(run) / "per_image.parquet"


def raw(run: Run) -> Path:
    """Return the measurements of the raw test images with this run's classifier."""
    return run_folder(run) / "raw.parquet"


def examples(run: Run) -> Path:
    """Return a few decoded pictures (key, label, png), for the figure of decoded faces."""
    return run_folder(run) / "examples.parquet"


def evaluation_manifest(run: Run) -> Path:
    """Return the manifest of what `decode` wrote."""
    return run_folder(run) / "evaluation.json"


def manifest_of(payload: Path) -> Path:
    """Return the manifest beside a payload: `x.safetensors` has `x.json`."""
    return payload.with_suffix(".json")
