"""dvc.yaml and the Snakefile say the same: files, targets, parameters."""

import configparser
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from scmrepo.git import Git

from mien import outputs, paths, workflow
from mien.params import Params
from mien.runs import run_config, trained_runs

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests/toy.yaml"
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
METADATA = ".snakemake/metadata"
# `ingest` writes it also when it refuses the data: Snakemake would delete an output then.
UNDECLARED = {str(paths.INGEST_REPORT), METADATA}


def outs_of(stage):
    """Return what a stage of dvc.yaml versions: path and options."""
    return {
        path: options
        for kind in ("outs", "metrics")
        for entry in STAGES[stage].get(kind, [])
        for path, options in (entry.items() if isinstance(entry, dict) else [(entry, {})])
    }


OUTS = {path: options for stage in STAGES for path, options in outs_of(stage).items()}


def holders(name, outs):
    """Return the outs that a file is in."""
    return [out for out in outs if name == out or name.startswith(f"{out}/")]


def snakemake(folder, *options):
    command = ["snakemake", "--snakefile", str(ROOT / "Snakefile"), "--directory", str(folder)]
    out = subprocess.run(
        [*command, "--cores", "1", *options], capture_output=True, text=True, check=True
    )
    return out.stdout


@pytest.fixture(scope="module")
def declared(tmp_path_factory):
    """Return every output that the toy preset's workflow has."""
    folder = tmp_path_factory.mktemp("declared")
    shutil.copy(TOY, folder / "params.yaml")
    lines = snakemake(folder, "--summary").splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("output_file"))
    return {line.split("\t")[0] for line in lines[start + 1 :] if "\t" in line}


def test_the_workflow_asks_for_every_output_of_its_rules(declared, toy_params):
    drawn = set(workflow.drawn_faces(toy_params))  # only where somebody needs the pictures
    assert declared - drawn == set(outputs.everything(toy_params))


def test_every_output_is_in_one_out_and_no_out_is_without(declared, toy_params):
    for name in declared - set(workflow.drawn_faces(toy_params)):
        assert len(holders(name, OUTS)) == 1, name
    for out in set(OUTS) - UNDECLARED:
        assert any(holders(name, [out]) for name in declared), out


def test_a_stage_asks_snakemake_for_what_it_versions(toy_params):
    asked = {
        "shards": outputs.shards(),
        "pretrained": outputs.pretrained(toy_params),
        "train": [str(paths.HISTORIES)],  # the rest is in the folders of the runs
        "evaluate": [*outputs.evaluated(toy_params), *outputs.trained(toy_params)],
        "report": outputs.reported(),
    }
    assert list(asked) == list(STAGES)
    for stage, names in asked.items():
        kept = [name for name in names if name != str(paths.HISTORIES) or stage == "train"]
        assert all(holders(name, outs_of(stage)) for name in kept), stage


def test_no_out_is_deleted_before_its_stage_runs():
    assert OUTS
    assert all(options.get("persist") is True for options in OUTS.values())


def test_what_snakemake_knows_travels_with_the_last_stage():
    assert METADATA in outs_of(list(STAGES)[-1])


def test_every_command_names_a_target_of_the_snakefile(tmp_path):
    shutil.copy(TOY, tmp_path / "params.yaml")
    rules = re.findall(r"^\w+", snakemake(tmp_path, "--list-rules"), re.MULTILINE)
    pattern = re.compile(r"snakemake (\w+) --cores all --resources gpu=1")
    for stage, parts in STAGES.items():
        assert pattern.fullmatch(parts["cmd"])[1] in rules, stage
    assert STAGES["report"]["cmd"].split()[1] == "all"


def test_the_cache_is_never_linked_to():
    config = configparser.ConfigParser()
    config.read_string(re.sub(r"^\s+", "", (ROOT / ".dvc/config").read_text(), flags=re.M))
    assert config["cache"]["type"].strip('"').split(",") == ["reflink", "copy"]
    assert config["core"]["analytics"] == "false"


def test_git_does_not_see_what_dvc_versions():
    for out in OUTS:
        file = out if Path(out).suffix else f"{out}/file"  # as a folder that is there
        ignored = subprocess.run(["git", "check-ignore", "-q", file], cwd=ROOT)
        assert ignored.returncode == 0, out


def test_git_sees_the_pointers_of_raw_data():
    for name, code in (("mine.dvc", 1), (".gitignore", 1), ("mine", 0), ("mine/a.jpg", 0)):
        ignored = subprocess.run(["git", "check-ignore", "-q", f"data/raw/{name}"], cwd=ROOT)
        assert ignored.returncode == code, name


def test_dvc_looks_for_pointers_of_raw_data():
    git = Git(str(ROOT))
    for name, is_ignored in (("data/", False), ("data/raw/", False), ("data/raw/mine/", True)):
        assert git.is_ignored(f"{ROOT}/{name}") is is_ignored, name
    assert not git.is_ignored(str(ROOT / "data/raw/mine.dvc"))


def rule_values(params):
    """Return, by stage, all values that its rules depend on."""
    return {
        "shards": [params.data, params.shards],
        "pretrained": [
            workflow.pretrain_config(params, "codec"),
            workflow.pretrain_config(params, "classifier"),
            outputs.pretrained(params),
        ],
        "train": [run_config(params, run) for run in trained_runs(params)]
        + outputs.trained(params),
        "evaluate": [
            workflow.summary_config(params),
            outputs.evaluated(params),
            params.codec.entropy,
            params.evaluate,
            params.classifier,
        ],
    }


def changed(value):
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float):
        return value * 2
    if isinstance(value, list):
        return value[1:] if len(value) > 1 else [*value, 2.5]
    return None


def leaves(tree, above=()):
    for key, value in tree.items():
        if isinstance(value, dict):
            yield from leaves(value, (*above, key))
        else:
            yield (*above, key), value


def test_a_value_that_rules_depend_on_is_a_parameter_of_their_stage():
    """Or DVC would not ask Snakemake, and would call the stage up to date."""
    before = rule_values(Params.model_validate(yaml.safe_load(TOY.read_text())))
    tried = set()
    for keys, value in leaves(yaml.safe_load(TOY.read_text())):
        tree = yaml.safe_load(TOY.read_text())
        parent = tree
        for key in keys[:-1]:
            parent = parent[key]
        parent[keys[-1]] = changed(value)
        try:
            after = rule_values(Params.model_validate(tree))
        except ValueError:  # not a value that can be had
            continue
        tried.add(keys[0])
        for stage, values in after.items():
            if values != before[stage]:
                sections = {name.split(".")[0] for name in STAGES[stage]["params"]}
                assert keys[0] in sections, (stage, keys)
    assert tried >= {"data", "shards", "codec", "classic", "loss", "sweep", "finetune"}
