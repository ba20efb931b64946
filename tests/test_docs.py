"""The pages under docs/ say what the code does, and their queries run."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from mien import paths
from mien.data.findings import KINDS
from mien.data.index import SCHEMA
from mien.data.layouts import original, rows
from mien.expressions import EXPRESSIONS
from mien.metrics import mcnemar
from mien.params import Folders
from mien.report import targets
from mien.report.statistics import MOST_ABSENT
from mien.stages.ingest import ingest
from tests.data.conftest import TRAIN_LABELS, add, annotate, load
from tests.support.affectnet import TEST_ROWS, TRAIN_ROWS, Row, npy_release, original_release

DOCS = Path(__file__).parents[1] / "docs"


def page(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def blocks(name: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", page(name), re.MULTILINE | re.DOTALL)


def table(name: str) -> list[list[str]]:
    """Return the rows of a page's table, without those of its head."""
    lines = [line for line in page(name).splitlines() if line.startswith("| `")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]


def test_the_schema_on_the_page_is_the_schema():
    said = [(row[0].strip("`"), row[1], row[2] == "yes") for row in table("index-parquet.md")]
    assert said == [(field.name, str(field.type), field.nullable) for field in SCHEMA]


def test_every_kind_of_finding_is_explained():
    assert [row[0].strip("`") for row in table("layouts.md")] == list(KINDS)


def test_the_places_of_the_original_release_are_on_the_page():
    text = page("layouts.md")
    for place in (*original.LIST_FOLDERS, *original.PICTURE_FOLDERS, *rows.COLUMNS):
        assert not place or f"`{place}" in text
    for code, name in rows.NOT_EXPRESSIONS.items():
        assert f"{code} ({name})" in text


def test_the_example_of_folders_is_valid():
    import yaml

    (text,) = blocks("layouts.md", "yaml")
    folders = Folders.model_validate(yaml.safe_load(text)["data"]["folders"])
    assert folders.label_order == EXPRESSIONS  # any names would do, but this is the order


def boxed(root: Path) -> None:
    """Write the original release, one image there twice, one more with another label."""
    twins = [TRAIN_ROWS[2], Row(TRAIN_ROWS[5].path, 3, TRAIN_ROWS[5].box, valence=-2)]
    original_release(root, train=[*TRAIN_ROWS, *twins], test=TEST_ROWS)


def whole(root: Path) -> None:
    """Write the 8-label release, whose crops are null, with the like."""
    npy_release(root)
    folder = root / "train_set"
    add(folder, len(TRAIN_ROWS), TRAIN_LABELS[3], seed=3, name=f"{len(TRAIN_ROWS)}.png")
    annotate(folder, len(TRAIN_ROWS), val=-2)


@pytest.fixture(params=[boxed, whole], ids=["boxed", "whole"])
def queried(request, tmp_path, monkeypatch, capsys) -> dict[str, Any]:
    """Run the page's queries on a small index with duplicates; return their variables."""
    monkeypatch.chdir(tmp_path)
    request.param(tmp_path / "raw")
    ingest(load(tmp_path, data={"max_duplicates": 0.5}), workers=1)
    variables: dict[str, Any] = {}
    for block in blocks("index-parquet.md", "python"):
        capsys.readouterr()
        exec(block, variables)
        assert capsys.readouterr().out
    return variables


def indexed() -> list[dict[str, Any]]:
    return pq.read_table(paths.INDEX).to_pylist()


def test_the_query_of_class_counts_counts_every_row(queried):
    seen = {
        (split, name): n
        for split, by_name in queried["class_counts"].to_dict().items()
        for name, n in by_name.items()
        if n
    }
    assert seen == Counter((row["split"], EXPRESSIONS[row["label"]]) for row in indexed())
    assert sum(seen.values()) == len(indexed()) > len(TRAIN_LABELS)


def test_the_query_of_duplicates_finds_identical_images_and_no_second_face(queried):
    groups: dict[tuple[Any, ...], list[str]] = {}
    for row in indexed():
        image = (row["sha256"], row["crop_x"], row["crop_y"], row["crop_width"])
        groups.setdefault((*image, row["crop_height"]), []).append(row["key"])
    expected = [key for keys in groups.values() if len(keys) > 1 for key in keys]
    assert sorted(queried["duplicates"]["key"]) == sorted(expected)
    assert len(TRAIN_ROWS) in [int(key.partition("-")[2]) for key in expected]
    assert len(expected) == 4


def test_the_query_of_valence_leaves_out_what_has_none(queried):
    values: dict[int, list[float]] = {row["label"]: [] for row in indexed()}
    for row in indexed():
        if row["valence"] is not None:
            values[row["label"]].append(row["valence"])
    assert queried["valence"]["count"].to_dict() == {
        label: len(of_label) for label, of_label in values.items()
    }
    for label, of_label in values.items():
        mean = sum(of_label) / len(of_label) if of_label else float("nan")
        assert queried["valence"]["mean"][label] == pytest.approx(mean, nan_ok=True)
    assert sum(map(len, values.values())) < len(indexed())


def test_the_page_of_statistics_names_what_there_is():
    text = page("statistics.md")
    for rate in targets.RATES:
        assert f"{rate:g}" in text
    assert f"fewer than {mcnemar.FEW} discordant" in " ".join(text.split())
    for table_name in ("targets", "attribution", "methods", "timings"):
        assert f"tables/{table_name}." in text
    assert f"above {100 * MOST_ABSENT:.0f} % nothing is bold" in text


def test_the_page_of_the_bootstrap_has_its_keys():
    text = page("results/statistics.md")
    for key in ("bootstrap_seconds", "coverage", "coverage_bd_rate", "coverage_difference"):
        assert f"`{key}`" in text


def test_the_page_of_a_no_op_has_its_keys():
    text = page("results/workflow.md")
    for key in ("snakemake_noop_600_seconds", "dvc_noop_seconds"):
        assert f"`{key}`" in text


def test_the_page_of_scale_shows_what_its_script_prints():
    from benchmarks import scale
    from mien.verbs.speeds import MEASURED, read_speeds

    printed = scale.table(read_speeds([MEASURED]), scale.IMAGES, 1.0)
    shown = page("scale.md").partition("<!-- benchmarks/scale.py -->\n")[2]
    assert shown.partition("\n<!-- end -->")[0] == printed


def test_the_constants_of_scale_are_those_of_the_pages_they_name():
    from benchmarks import scale

    data, streams = page("results/data.md"), page("results/streams.md")
    assert f"**{scale.STREAM_BYTES}**" in streams
    for stage in ("ingest", "shard"):
        peaks = re.findall(rf"^\| {stage} \| 5.?.?,000 .*$", data, re.MULTILINE)
        few, many = (float(row.split("|")[5]) for row in peaks)
        assert scale.MEMORY_BYTES[stage] == (many * 1e6 - few * 1e6) / 45_000


def test_the_index_lists_every_howto_page():
    listed = re.findall(r"^\d\. \[.*?\]\(([\w-]+\.md)\)", page("howto/index.md"), re.MULTILINE)
    there = {path.name for path in (DOCS / "howto").glob("*.md")} - {"index.md"}
    assert set(listed) == there
    assert len(listed) == len(there)
