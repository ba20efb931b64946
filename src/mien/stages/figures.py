"""Draw the figures: curves from statistics.json, faces from every run's examples."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from PIL import Image

from mien import paths
from mien.errors import DataError
from mien.files import read_manifest
from mien.params import Params
from mien.report import style
from mien.report.bits import BitMap, Mapped, bit_maps
from mien.report.captions import SWEEPS, shown_rates
from mien.report.evaluated import read_rows
from mien.report.faces import Crop, Face, decoded_faces
from mien.report.figures import accuracy_over_rate, weight_effect
from mien.report.recalls import recall_over_rate
from mien.report.reliabilities import reliability_diagram
from mien.report.statistics import Statistics, read_statistics
from mien.runs import PRETRAINED, TRAINS_CODEC, Run, all_runs

N_FACES = 2  # of different expressions, in Fig. 4 and in that of the bits
EXAMPLE_COLUMNS = ("key", "label", "png", "raw_png")
MEASURED_COLUMNS = ("key", "bpp", "prediction")
BIT_COLUMNS = ("key", "y_bits", "z_bits")


def figures(params: Params) -> None:
    """Write every figure as PDF and PNG.

    Raises:
        DataError: If statistics.json, a run's examples or the maps of its bits are missing or
            of other runs.
    """
    statistics = read_statistics(paths.STATISTICS, all_runs(params))
    faces = _faces(statistics)
    maps = _bit_maps(statistics, faces)
    with style.applied():
        style.save(accuracy_over_rate(statistics), paths.FIGURES / "fig2")
        for name, weight in SWEEPS.items():
            style.save(weight_effect(statistics, weight), paths.FIGURES / name)
        style.save(decoded_faces(statistics, list(faces.values())), paths.FIGURES / "fig4")
        style.save(recall_over_rate(statistics), paths.FIGURES / "classes")
        style.save(bit_maps(maps), paths.FIGURES / "bits")
        style.save(reliability_diagram(statistics), paths.FIGURES / "reliability")


def _faces(statistics: Statistics) -> dict[str, Face]:
    """Return the first example by key of each of `N_FACES` expressions, as every run has it."""
    rates = shown_rates(statistics)
    runs = [
        Run(strategy, setting)
        for strategy in statistics.strategies
        if set(rates) <= set(statistics.runs[strategy])
        for setting in rates
    ]
    tables = {run: _examples(run) for run in runs}
    chosen = first_of_each_label(tables[Run(PRETRAINED, rates[0])])[:N_FACES]
    return {key: _face(key, tables) for key in chosen}


def first_of_each_label(examples: pa.Table) -> list[str]:
    """Return the first key of every label, in the order of the keys."""
    first: dict[int, str] = {}
    for key, label in zip(
        examples["key"].to_pylist(), examples["label"].to_pylist(), strict=True
    ):
        first.setdefault(label, key)
    return list(first.values())


def _examples(run: Run) -> pa.Table:
    """Return a run's example pictures with what was measured on them, by ascending key."""
    read_manifest(paths.evaluation_manifest(run))
    examples = read_rows(paths.examples(run), EXAMPLE_COLUMNS)
    measured = read_rows(paths.decoded(run), MEASURED_COLUMNS)
    joined = examples.join(measured, "key", join_type="inner").sort_by("key")
    if len(joined) != len(examples):
        raise DataError(
            f"{paths.examples(run)}: has keys that {paths.decoded(run)} lacks: re-run decode"
        )
    return joined


def _face(key: str, tables: dict[Run, pa.Table]) -> Face:
    rows = {run: _row(table, key, paths.examples(run)) for run, table in tables.items()}
    first = next(iter(rows.values()))
    return Face(
        label=first["label"],
        raw=_picture(first["raw_png"]),
        crops={
            (run.strategy, run.setting): Crop(
                _picture(row["png"]), row["bpp"], row["prediction"]
            )
            for run, row in rows.items()
        },
    )


def _bit_maps(statistics: Statistics, faces: dict[str, Face]) -> list[Mapped]:
    """Return where the bits of some faces go, by every codec there is at the middle setting."""
    codecs = [name for name in statistics.strategies if name in (PRETRAINED, *TRAINS_CODEC)]
    tables = {}
    for strategy in codecs:
        path = paths.bits(Run(strategy, statistics.middle))
        read_manifest(paths.manifest_of(path))
        tables[strategy] = path, read_rows(path, BIT_COLUMNS)
    return [
        Mapped(
            label=face.label,
            raw=face.raw,
            maps={
                strategy: _bit_map(_row(table, key, path))
                for strategy, (path, table) in tables.items()
            },
        )
        for key, face in faces.items()
    ]


def _bit_map(row: dict[str, Any]) -> BitMap:
    return BitMap(y=np.array(row["y_bits"], dtype=np.float64), z=row["z_bits"])


def _row(table: pa.Table, key: str, path: Path) -> dict[str, Any]:
    keys = table["key"].to_pylist()
    if key not in keys:
        raise DataError(f"{path}: lacks {key}, which other runs have: re-run its stage")
    row: dict[str, Any] = table.slice(keys.index(key), 1).to_pylist()[0]
    return row


def _picture(png: bytes) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGB"))
