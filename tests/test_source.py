import ast

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


def test_every_import_of_a_file_is_found():
    """Whatever statement it stands in; the search looks at no expression."""
    for file in sorted(source.SOURCE.rglob("*.py")):
        tree = ast.parse(file.read_text())
        for kind in (ast.Import, ast.ImportFrom):
            found = {n.lineno for n in source._statements(tree) if isinstance(n, kind)}
            assert found == {n.lineno for n in ast.walk(tree) if isinstance(n, kind)}, file
    text = "\n".join(
        [
            "def f():",
            "    with a:",
            "        try: import m1",
            "        except E: import m2",
            "        else: import m3",
            "        finally: import m4",
            "    if a: pass",
            "    elif b: import m5",
            "    for _ in a: pass",
            "    else: import m6",
            "    match a:",
            "        case 1: import m7",
            "class C:",
            "    async def g(self): import m8",
        ]
    )
    nodes = source._statements(ast.parse(text))
    names = [alias.name for n in nodes if isinstance(n, ast.Import) for alias in n.names]
    assert sorted(names) == [f"m{i}" for i in range(1, 9)]
