"""Snakemake and DVC over one DAG: fifteen situations, the fewest jobs each, no stale file.

Every situation ends with the outputs compared with those of a run of Snakemake alone, from
scratch, of the same revision. The rules and commands are the real ones.
"""

import os

import pytest
from PIL import Image, ImageOps

REPORTED = ["figures", "report", "summarise", "tables"]
OF_RUN = ["decode-run joint q3", "encode-run joint q3", "finetune joint q3"]
# What a changed weight of the one trained setting reaches: no pretrained model, no baseline.
OF_WEIGHT = sorted([*OF_RUN, "histories", *REPORTED])
OF_BASELINE = ["decode-run pretrained q3", "encode-run pretrained q3"]
OF_MODELS = ["pretrain-classifier", "pretrain-codec 3"]
EVERYTHING = sorted([*OF_WEIGHT, *OF_BASELINE, *OF_MODELS, "ingest", "shard"])
WEIGHT = 0.5
# Rounding of metrics.json alone: what is shown comes from other numbers.
CODE = "src/mien/stages/summarise.py", "DECIMALS = 3", "DECIMALS = 2"


@pytest.fixture(scope="module")
def weighted(finished, tmp_path_factory):
    """Return the project with a changed weight, run and committed: situation 3."""
    project = finished.copy(tmp_path_factory.mktemp("weighted") / "project")
    project.set("loss", "ce", WEIGHT)
    project.changed = project.repro()
    project.commit("Another weight")
    return project


def nothing_is_left_to_do(project):
    return project.repro() == [] and project.snakemake() == []


def test_1_a_first_run_makes_everything(finished, scratch):
    assert finished.first == EVERYTHING
    assert finished.status == "?? dvc.lock\n"
    assert finished.contents() == scratch(finished)


def test_2_a_second_run_does_nothing(finished, scratch):
    assert nothing_is_left_to_do(finished)
    assert finished.run("git", "status", "--short") == ""
    assert finished.contents() == scratch(finished)


def test_3_a_changed_weight_trains_what_uses_it(weighted, scratch):
    assert weighted.changed == OF_WEIGHT
    assert nothing_is_left_to_do(weighted)
    assert weighted.contents() == scratch(weighted)


def test_4_an_added_setting_trains_itself_alone(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    project.set("sweep", "ce", [2.0])
    added = [f"{job}-ce2" for job in OF_RUN]
    assert project.repro() == sorted([*added, "histories", *REPORTED])
    assert project.contents() == scratch(project)


def test_5_another_learning_rate_trains_every_run(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    project.set("finetune", "lr", 2.0e-4)
    assert project.repro() == OF_WEIGHT
    assert project.contents() == scratch(project)


def test_6_changed_code_runs_again_however_old_it_looks(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    project.edit(*CODE)
    assert project.repro() == ["summarise"]
    assert project.contents() == scratch(project)
    name = "metrics.json"  # what ran is the source beside the Snakefile
    assert project.contents()[name] != finished.contents()[name]


def test_7_a_deleted_output_is_made_again(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    (project.folder / "results/joint/q3/per_image.parquet").unlink()
    # What it measured is what it was but for the times, which one table alone shows.
    assert project.repro() == ["decode-run joint q3", "summarise", "tables"]
    assert project.contents() == scratch(project)


def test_8_a_corrupted_output_stops_whoever_reads_it(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    weights = project.folder / "results/joint/q3/checkpoint.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"?")
    (project.folder / "results/joint/q3/streams.json").unlink()
    assert project.jobs("dvc", "repro", fails=True) == ["encode-run joint q3"]
    assert "results/joint/q3/checkpoint.safetensors: sha256" in project.said
    project.run("dvc", "checkout", "--force")
    assert nothing_is_left_to_do(project)
    assert project.contents() == scratch(project)


def test_9_an_older_commit_checked_out_is_finished(weighted, tmp_path, scratch):
    project = weighted.copy(tmp_path / "project")
    project.run("git", "checkout", "--quiet", "HEAD~1")
    project.run("dvc", "checkout")
    assert nothing_is_left_to_do(project)
    assert project.contents() == scratch(project)
    project.run("git", "checkout", "--quiet", "main")
    project.run("dvc", "checkout")
    assert nothing_is_left_to_do(project)
    assert project.contents() == scratch(project)


@pytest.mark.parametrize("form", ["in place", "--temp", "--queue"])
def test_10_an_experiment_runs_what_its_value_reaches(finished, form, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    command = ["dvc", "exp", "run", "--name", "heavier", "-S", f"loss.ce={WEIGHT}"]
    jobs = project.jobs(*command, *([] if form == "in place" else [form]))
    if form == "--queue":
        assert jobs == []
        jobs = project.jobs("dvc", "exp", "run", "--run-all", "--jobs", "1")
    assert jobs == OF_WEIGHT
    if form != "in place":
        assert project.contents() == scratch(project)  # the workspace is as it was
        project.run("dvc", "exp", "apply", "heavier")
    assert project.tree()["loss"]["ce"] == WEIGHT
    assert nothing_is_left_to_do(project)
    assert project.contents() == scratch(project)


def test_11_dvc_takes_over_what_snakemake_has_run(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    project.edit(*CODE)
    assert project.snakemake() == REPORTED
    assert project.repro() == []
    project.commit("Run by Snakemake")
    assert project.run("dvc", "status").split() == ["shards:", "always", "changed"]
    assert project.contents() == scratch(project)


def test_12_a_fresh_clone_is_finished_once_it_has_pulled(finished, tmp_path, scratch):
    project = finished.clone(tmp_path / "clone")
    project.run("dvc", "pull")
    assert nothing_is_left_to_do(project)
    assert project.run("git", "status", "--short") == ""
    assert project.contents() == scratch(project)


def test_13_a_forgotten_dvc_checkout_costs_jobs_and_no_truth(weighted, tmp_path, scratch):
    project = weighted.copy(tmp_path / "project")
    project.run("git", "checkout", "--quiet", "HEAD~1")
    project.run("dvc", "checkout")
    project.run("git", "checkout", "--quiet", "main")  # and now it is forgotten
    assert project.repro() == OF_WEIGHT
    assert project.contents() == scratch(project)
    assert project.damaged() == []  # no file that DVC had put there was written through


def test_14_a_lock_older_than_the_code_is_not_believed(finished, tmp_path, scratch):
    author = finished.copy(tmp_path / "author")
    author.edit(*CODE)
    author.commit("Code, and no run")
    project = author.clone(tmp_path / "clone")
    project.run("dvc", "pull")
    assert project.repro() == ["summarise"]
    assert project.contents() == scratch(project)


def test_15_changed_pictures_run_again_however_old_they_look(finished, tmp_path, scratch):
    project = finished.copy(tmp_path / "project")
    pictures = project.folder / "data/raw/mine/train_set/images"
    mirrored = ImageOps.mirror(Image.open(pictures / "0.jpg"))
    (pictures / "0.jpg").unlink()
    mirrored.save(pictures / "0.jpg")
    os.utime(pictures / "0.jpg", (1e9, 1e9))
    project.run("dvc", "add", "--quiet", "data/raw/mine")
    os.utime(project.folder / "data/raw/mine.dvc", (1e9, 1e9))
    assert project.repro() == EVERYTHING
    assert project.contents() == scratch(project)
