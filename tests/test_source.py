import pytest

from mien import workflow

STAGES = ("ingest", "shard", "pretrain", "finetune", "encode", "decode", "summarise", "figures")


@pytest.mark.parametrize(
    ("stage", "module"),
    [
        ("finetune", "mien.training.engine"),
        ("finetune", "mien.codec.model"),
        ("finetune", "mien.data.shards"),
        ("encode", "mien.codec.stream"),
        ("decode", "mien.metrics.distortion"),
        ("shard", "mien.data.shard_writer"),
        ("summarise", "mien.metrics.bjontegaard"),
    ],
)
def test_a_stage_depends_on_what_it_imports_however_far_down(stage, module):
    assert module in workflow._reached(f"mien.stages.{stage}")


def test_a_stage_does_not_depend_on_what_it_does_not_run():
    reached = workflow._reached("mien.stages.finetune")
    assert not any(name.startswith(("mien.report", "mien.metrics")) for name in reached)


def test_style_sheets_count_as_source():
    names = {file.name for file in workflow._sources(workflow._reached("mien.stages.figures"))}
    assert "mien.mplstyle" in names


def test_the_digest_changes_with_a_module_far_down(monkeypatch, tmp_path):
    import shutil

    copy = shutil.copytree(workflow.SOURCE, tmp_path / "mien")
    monkeypatch.setattr(workflow, "SOURCE", copy)
    before = {stage: workflow.code.__wrapped__(stage) for stage in STAGES}
    with (copy / "codec/stream.py").open("a") as file:
        file.write("# changed\n")
    after = {stage: workflow.code.__wrapped__(stage) for stage in STAGES}
    assert {stage for stage in STAGES if before[stage] != after[stage]} == {"encode", "decode"}
