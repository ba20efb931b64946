"""Where every file of a run lies, relative to the working directory."""

from __future__ import annotations

from pathlib import Path

from mien.runs import PRETRAINED, Run

PARAMS = Path("params.yaml")
FACES_MANIFEST = Path("data/faces.json")
INDEX = Path("data/index.parquet")
INDEX_MANIFEST = Path("data/index.json")
SHARDS = Path("data/shards")
SHARDS_MANIFEST = SHARDS / "manifest.json"
MODELS = Path("models")
CLASSIFIER = MODELS / "classifier.safetensors"
METRICS = Path("metrics.json")
TABLES = Path("tables")
FIGURES = Path("figures")
REPORT = Path("report.html")
STATISTICS = Path("results/statistics.json")
TABLE_NAMES = ("table1", "table2", "classes", "methods", "runs")
FIGURE_NAMES = ("fig2", "fig3a", "fig3b", "fig3c", "fig4")


def codec(quality: int) -> Path:
    """Return the pretrained codec of one quality."""
    return MODELS / "codec" / f"q{quality}.safetensors"


def run_folder(run: Run) -> Path:
    """Return the folder of one run."""
    return Path("results") / run.strategy / run.setting


def checkpoint(run: Run) -> Path:
    """Return the codec that encodes this run's streams, and its classifier if it has one."""
    if run.strategy == PRETRAINED:
        return codec(int(run.setting.removeprefix("q")))
    return run_folder(run) / "checkpoint.safetensors"


def streams(run: Run) -> Path:
    """Return the test set as bitstreams: key, stream, estimated_bits, encode_seconds."""
    return run_folder(run) / "streams.parquet"


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
