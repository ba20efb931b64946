import ast
import os

import pytest

from mien import source

STAGES = ("ingest", "shard", "pretrain", "finetune", "encode", "decode", "summarise", "figures")


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("finetune", "mien.training.engine"),
        ("finetune", "mien.codec.model"),
        ("finetune", "mien.data.shards"),
        ("encode", "mien.codec.stream"),
        ("encode_classic", "mien.codec.classic"),
        ("decode_classic", "mien.codec.classic"),
        ("decode_classic", "mien.classifier.resnet18"),
        ("decode", "mien.metrics.distortion"),
        ("shard", "mien.data.shard_writer"),
        ("summarise", "mien.metrics.bjontegaard"),
    ],
)
def test_a_stage_depends_on_what_it_imports_however_far_down(stage, module):
    assert module in source._reached(f"mien.stages.{stage}")


def test_a_stage_does_not_depend_on_what_it_does_not_run():
    reached = source._reached("mien.stages.finetune")
    assert not any(name.startswith("mien.report") for name in reached)
    assert {name for name in reached if name.startswith("mien.metrics.")} == {
        "mien.metrics.temperature"
    }


@pytest.mark.parametrize("stage", ["encode", "decode"])
def test_learned_runs_do_not_depend_on_classic_codecs_nor_they_on_networks(stage):
    assert "mien.codec.classic" not in source._reached(f"mien.stages.{stage}")
    assert "mien.codec.stream" not in source._reached(f"mien.stages.{stage}_classic")


def test_style_sheets_count_as_source():
    names = {file.name for file in source._sources(source._reached("mien.stages.figures"))}
    assert "mien.mplstyle" in names


def test_the_digest_changes_with_a_module_far_down(monkeypatch, tmp_path):
    import shutil

    copy = shutil.copytree(source.SOURCE, tmp_path / "mien")
    monkeypatch.setattr(source, "SOURCE", copy)
    before = {stage: source.code.__wrapped__(stage) for stage in STAGES}
    with (copy / "codec/stream.py").open("a") as file:
        file.write("# changed\n")
    after = {stage: source.code.__wrapped__(stage) for stage in STAGES}
    assert {stage for stage in STAGES if before[stage] != after[stage]} == {"encode", "decode"}


def by_the_compiler(text):
    """Return the modules that import statements name, wherever they stand."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    named = {name for name in names if name.startswith("mien.")}
    return {name for name in named if source._file(name).is_file()}


def test_every_import_of_a_file_is_found():
    for file in sorted(source.SOURCE.rglob("*.py")):
        assert set(source._imported(file)) == by_the_compiler(file.read_text()), file


def test_imports_are_found_in_whatever_form_they_have(tmp_path):
    text = """
from mien import paths, runs as r
from mien.codec import (  # a comment (with a parenthesis
    model as m,
    zoo,
)
import mien.files, mien.data.tars as t
def f():
    try:
        from mien.codec.rans import Decoder
    except ImportError:
        import mien.device
"""
    path = tmp_path / "a.py"
    path.write_text(text)
    assert set(source._imported(path)) == by_the_compiler(text)
    assert "mien.codec.zoo" in source._imported(path)


@pytest.mark.parametrize("known", [None, "/elsewhere"])
def test_jobs_import_the_source_that_started_them(monkeypatch, known):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    if known:
        monkeypatch.setenv("PYTHONPATH", known)
    source.use_in_jobs()
    first, *others = os.environ["PYTHONPATH"].split(os.pathsep)
    assert first == str(source.SOURCE.parent)
    assert others == ([known] if known else [])
