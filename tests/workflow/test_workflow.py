"""The whole workflow at toy scale, as a user runs it, and what it does with bad input."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import docutils.core
import jinja2
import pyarrow.parquet as pq
import pytest
import yaml

from mien import outputs, paths, workflow
from mien.codec.archive import read_archive
from mien.codec.stream import load_coder
from mien.params import load_params
from mien.runs import CLASSIC, Run, all_runs, classic_runs
from mien.stages.pack import pack
from tests.support.project import unserved

ROOT = Path(__file__).parents[2]
TOY = ROOT / "tests/toy.yaml"
COMMAND = ("snakemake", "--snakefile", str(ROOT / "Snakefile"))
CORES = ("--cores", "2", "--resources", "gpu=2", "--max-threads", "1")


def start(folder, *options, env):
    return subprocess.run(
        [*COMMAND, "--directory", str(folder), *CORES, *options],
        capture_output=True,
        text=True,
        env=env | {"PYTHONWARNINGS": "default"},
    )


@pytest.fixture(scope="module")
def snakemake(environment):
    """Return a function that runs the workflow, its commands served (see `tests/support`)."""

    def run(folder, *options, **variables):
        return start(folder, *options, env=environment | variables)

    return run


@pytest.fixture(scope="module")
def planned(snakemake):
    """Return a function that returns how many jobs of each rule a dry run lists."""

    def plan(folder, *options):
        out = snakemake(folder, *options, "-n", "--quiet", "rules")
        assert out.returncode == 0, out.stderr
        found = re.findall(r"^(\w+)\s+(\d+)$", out.stdout + out.stderr, re.MULTILINE)
        return {rule: int(count) for rule, count in found if rule != "total"}

    return plan


@pytest.fixture(scope="module")
def finished(tmp_path_factory, snakemake):
    folder = tmp_path_factory.mktemp("toy")
    shutil.copy(TOY, folder / "params.yaml")
    out = snakemake(folder)
    assert out.returncode == 0, out.stdout + out.stderr
    return folder


@pytest.fixture
def params():
    return load_params(TOY)


def test_everything_is_made(finished, params):
    for name in outputs.everything(params):
        assert (finished / name).stat().st_size > 0, name


def test_the_notebook_page_reads_such_a_run(finished, tmp_path, monkeypatch, capsys):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    page = (ROOT / "docs/howto/notebook.md").read_text(encoding="utf-8")
    variables = {}
    for block in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(block, variables)
    said = capsys.readouterr().out
    assert f"{len(variables['row']['stream'])} bytes" in said
    measured = variables["one"].loc[variables["row"]["key"]]
    assert f"PSNR {measured['psnr']:.2f} dB" in said
    total = variables["y"].sum() + variables["bits"]["z_bits"]
    assert total == pytest.approx(variables["row"]["estimated_bits"], rel=1e-3)
    correct = 100 * variables["right_decoded"].mean()
    accuracy = variables["statistics"]["runs"]["joint"]["q3"]["accuracy"]["value"]
    assert correct == pytest.approx(accuracy, abs=1e-4)
    assert (folder / "decoded.png").is_file()
    assert (folder / "bits.png").is_file()


def test_a_second_run_does_nothing(finished, snakemake):
    out = snakemake(finished)
    assert "Nothing to be done" in out.stdout + out.stderr


def test_any_deleted_output_is_made_again(finished, tmp_path, planned):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    for name in ("models/codec/q3.safetensors", str(paths.HISTORIES), "tables/runs.csv"):
        (folder / name).unlink()
        assert planned(folder), name
        shutil.copy2(finished / name, folder / name)
    assert planned(folder) == {}


def test_faces_that_are_not_there_are_drawn_where_somebody_needs_them(
    finished, tmp_path, planned
):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    shutil.rmtree(folder / "data/raw")
    assert planned(folder) == {}
    tree = yaml.safe_load(TOY.read_text())
    tree["shards"]["filter"] = "lanczos"
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    assert planned(folder, "shards") == {"faces": 1, "ingest": 1, "shard": 1, "shards": 1}


def test_faces_of_other_params_are_never_taken_for_those_of_these(
    finished, tmp_path, snakemake, planned
):
    """Also with what Snakemake knew when these were drawn, as a checkout brings it."""
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["data"]["faces"]["seed"] = 4
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    out = snakemake(folder, "shards")
    assert out.returncode == 0, out.stdout + out.stderr
    tree["data"] |= {"faces": {"train": 64, "test": 24, "seed": 3}, "val_fraction": 0.3}
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    for name in ("data/index.parquet", "data/index.json", "data/ingest_report.csv"):
        shutil.copy2(finished / name, folder / name)
    shutil.rmtree(folder / ".snakemake/metadata")
    shutil.copytree(finished / ".snakemake/metadata", folder / ".snakemake/metadata")
    assert planned(folder, "shards") == {"faces": 1, "ingest": 1, "shard": 1, "shards": 1}


def test_every_rate_is_counted_from_the_stored_streams(finished, params):
    metrics = json.loads((finished / "metrics.json").read_text())
    pixels = params.shards.image_size**2
    for run in all_runs(params):
        streams = pq.read_table(finished / paths.streams(run))["stream"].to_pylist()
        mean = sum(8 * len(stream) / pixels for stream in streams) / len(streams)
        assert len(streams) == params.data.faces.test
        assert metrics[run.strategy][run.setting]["bpp"] == pytest.approx(mean, abs=5e-6)


def test_maps_of_bits_add_up_to_the_estimates(finished, params):
    for run in (run for run in all_runs(params) if run.strategy not in CLASSIC):
        streams = pq.read_table(finished / paths.streams(run)).to_pydict()
        estimates = dict(zip(streams["key"], streams["estimated_bits"], strict=True))
        maps = pq.read_table(finished / paths.bits(run)).to_pylist()
        assert [row["key"] for row in maps] == streams["key"][: params.evaluate.examples]
        for row in maps:
            total = sum(map(sum, row["y_bits"])) + row["z_bits"]
            assert total == pytest.approx(estimates[row["key"]], rel=1e-5)


def test_captions_of_snakemakes_report_state_n_seeds_and_commit(finished, params, monkeypatch):
    monkeypatch.chdir(finished)
    statistics = json.loads(paths.STATISTICS.read_text())
    for file in (ROOT / "workflow/report").glob("*.rst"):
        config = {"rests_on": workflow.rests_on(params)}
        template = jinja2.Environment(undefined=jinja2.StrictUndefined).from_string(
            file.read_text()
        )
        rendered = template.render(snakemake=SimpleNamespace(config=config))
        words = docutils.core.publish_string(
            rendered, settings_overrides={"halt_level": 2, "report_level": 5}
        )
        text = " ".join(words.decode().replace("*", "").split())
        for fact in (
            f"n = {params.data.faces.test} test images",
            f"(seed {params.finetune.seed})",
            f"commit {statistics['provenance']['commit']}",
            f"{params.evaluate.resamples} resamples, seed {params.evaluate.seed}",
        ):
            assert fact in text, file.name
    rules = (ROOT / "workflow/rules/report.smk").read_text()
    assert 'config["rests_on"] = plan.rests_on(PARAMS)' in rules


def test_captions_before_there_are_results_say_so(tmp_path, monkeypatch, params):
    monkeypatch.chdir(tmp_path)
    assert workflow.rests_on(params) == "No results/statistics.json of these params yet."


def test_every_codec_that_is_trained_is_another(finished, params):
    learned = [run for run in all_runs(params) if run.strategy not in CLASSIC]
    files = {paths.codec_of(run) for run in learned}
    assert len(files) == 2 + 2 * 3  # the baseline's, and those of the strategies that train one
    assert len({load_coder(finished / file).codec_id for file in files}) == len(files)


def test_a_classifier_trained_alone_reads_the_baselines_streams(finished):
    mine, theirs = Run("classifier-raw", "q3"), Run("pretrained", "q3")
    assert paths.streams(mine) == paths.streams(theirs)
    tables = [pq.read_table(finished / paths.decoded(run)) for run in (mine, theirs)]
    for name in ("n_bytes", "psnr"):
        assert tables[0][name] == tables[1][name]
    assert tables[0]["logits"] != tables[1]["logits"]
    assert not list((finished / "results/classifier-raw/q3").glob("checkpoint*"))


def test_a_frozen_classifier_reads_raw_images_as_before(finished):
    def raw(strategy):
        return pq.read_table(finished / paths.raw(Run(strategy, "q3"))).to_pydict()

    assert raw("compression-only") == raw("pretrained")
    assert raw("joint")["logits"] != raw("pretrained")["logits"]


def test_classic_codecs_are_runs_of_the_same_kind(finished, params):
    statistics = json.loads((finished / paths.STATISTICS).read_text())
    raw = pq.read_table(finished / paths.raw(Run("pretrained", "q3"))).to_pydict()
    schema = pq.read_schema(finished / paths.decoded(Run("pretrained", "q3")))
    for run in classic_runs(params):
        _, shared = read_archive(finished / paths.streams(run))
        assert statistics["runs"][run.strategy][run.setting]["library"] == shared.library
        assert pq.read_table(finished / paths.raw(run)).to_pydict() == raw
        assert pq.read_schema(finished / paths.decoded(run)) == schema
    assert {"jpeg", "heic"} < set(statistics["bjontegaard"])
    assert "| JPEG |" in (finished / "tables/table1.md").read_text()


def test_another_quality_codes_its_own_codec_again(finished, tmp_path, planned):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["classic"]["jpeg"] = [10, 60]
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    jobs = planned(folder)
    assert jobs["encode_jpeg"] == jobs["decode_jpeg"] == 1
    assert not [rule for rule in jobs if rule.startswith("encode") and rule != "encode_jpeg"]


def test_a_codec_whose_library_is_missing_is_left_out_by_name(
    finished, tmp_path, snakemake, planned
):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    (tmp_path / "pillow_heif.py").write_text("raise ImportError('not here')")
    known = os.environ.get("PYTHONPATH", "")
    out = snakemake(folder, PYTHONPATH=os.pathsep.join([str(tmp_path), known]).rstrip(":"))
    assert out.returncode == 0, out.stdout + out.stderr
    said = "heic: left out: its library is not installed: pip install 'pillow-heif'"
    assert f"mien: {said}" in out.stderr
    assert said in (folder / "logs/summarise.log").read_text()
    statistics = json.loads((folder / paths.STATISTICS).read_text())
    assert statistics["missing"] == {"heic": "pip install 'pillow-heif'"}
    assert "heic" not in json.loads((folder / paths.METRICS).read_text())
    assert "HEIC: not run" in (folder / "tables/runs.md").read_text()
    assert planned(folder)["summarise"] == 1  # the library is there again, as are its files


def test_trained_models_are_made_again_from_their_seed(finished, tmp_path, environment):
    """The rule of the committed weights: the same bytes as served commands have made."""
    shutil.copy(TOY, tmp_path / "params.yaml")
    options = ["--config", f"demo_preset={TOY}", "demo_folder=packed"]
    out = start(tmp_path, *options, "--", "demo_weights", env=unserved(environment))
    assert out.returncode == 0, out.stdout + out.stderr
    pack(finished / "models", tmp_path / "first")
    names = sorted(path.name for path in (tmp_path / "first").iterdir())
    assert names == sorted(path.name for path in (tmp_path / "packed").iterdir())
    assert "codec-q3.safetensors" in names
    for name in names:
        first, second = (tmp_path / folder / name for folder in ("first", "packed"))
        assert first.read_bytes() == second.read_bytes(), name


def test_streams_of_another_codec_are_refused(finished, tmp_path):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    theirs = folder / paths.run_folder(Run("joint", "q3"))
    mine = folder / paths.run_folder(Run("pretrained", "q3"))
    for name in ("streams.parquet", "streams.json"):
        shutil.copy(theirs / name, mine / name)
    before = (mine / "per_image.parquet").read_bytes()
    command = ["mien", "decode-run", "pretrained", "q3", "--threads", "1"]
    out = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    assert out.returncode == 2
    assert "written by codec" in out.stderr.splitlines()[-1]
    assert (mine / "per_image.parquet").read_bytes() == before


def test_a_changed_sweep_value_trains_only_its_own_runs(finished, tmp_path, planned):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["sweep"]["ce"] = [0.25]
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    jobs = planned(folder)
    assert {rule: jobs.get(rule) for rule in ("finetune", "encode", "decode")} == {
        "finetune": 2,
        "encode": 2,
        "decode": 2,
    }
    assert "pretrain_codec" not in jobs
    assert "shard" not in jobs


def test_a_changed_reference_weight_trains_what_uses_it(finished, tmp_path, planned):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["loss"]["ce"] = 0.07
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    assert planned(folder)["finetune"] == 4  # q1 and q3 of both; q3-ce0.5 keeps its weights


def test_another_precision_trains_every_codec_again_and_no_classifier(
    finished, tmp_path, planned
):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["compute"]["precision"] = "bfloat16"
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    jobs = planned(folder)
    assert jobs["pretrain_codec"] == len(tree["codec"]["qualities"])
    assert "pretrain_classifier" not in jobs


def test_a_fine_tuning_on_several_devices_asks_for_as_many(
    finished, tmp_path, snakemake, planned
):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["compute"]["devices"] = 2
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    assert planned(folder) == {}  # what was trained on one is as good
    tree["loss"]["ce"] = 0.07
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    listed = snakemake(folder, "-n").stdout
    asked = re.findall(
        r"^rule (\w+):(?:\n .*)*\n +resources: .*\bgpu=2\b", listed, re.MULTILINE
    )
    assert asked == ["finetune"] * 4


def test_several_jobs_give_the_files_of_one_and_run_nothing_else_again(
    finished, tmp_path, snakemake, planned
):
    folder = shutil.copytree(finished, tmp_path / "copy", symlinks=True)
    tree = yaml.safe_load(TOY.read_text())
    tree["compute"]["parts"] = 4
    (folder / "params.yaml").write_text(yaml.safe_dump(tree))
    assert planned(folder) == {}  # another number alone
    before = {path: path.read_bytes() for path in made(folder)}
    shutil.rmtree(folder / "data/shards")
    shards = str(paths.SHARDS_MANIFEST)
    assert planned(folder, shards) == {"shard": 1, "shard_part": 4}
    out = snakemake(folder, shards)
    assert out.returncode == 0, out.stdout + out.stderr
    assert planned(folder) == {}  # the same manifest: what reads it is as good as before
    runs = Run("joint", "q3"), Run("jpeg", "q10")
    again = [paths.manifest_of(paths.streams(run)) for run in runs]
    again += [paths.evaluation_manifest(run) for run in runs]
    for path in again:
        (folder / path).unlink()
    stages = ("encode", "decode", "encode_jpeg", "decode_jpeg")
    jobs = dict.fromkeys(stages, 1) | {f"{stage}_part": 4 for stage in stages}
    assert planned(folder, *map(str, again)) == jobs
    out = snakemake(folder, *map(str, again))
    assert out.returncode == 0, out.stdout + out.stderr
    assert not [path for path in (folder / "work/parts").rglob("*") if path.is_file()]
    after = {path: path.read_bytes() for path in made(folder)}
    assert set(after) == set(before)
    differing = {path.name for path in before if after[path] != before[path]}
    assert differing <= {"encode_seconds.parquet", "decode_seconds.parquet"}
    assert "encode" not in planned(folder)


def made(folder):
    """Return the files of data, models and results, but for the one of all times."""
    folders = ("data", "models", "results")
    files = [path for name in folders for path in (folder / name).rglob("*") if path.is_file()]
    return [path for path in files if path.name != paths.TIMINGS.name]


def test_the_papers_preset_plans_its_whole_grid(tmp_path, planned):
    shutil.copy(ROOT / "presets/affectnet.yaml", tmp_path / "params.yaml")
    (tmp_path / "data/raw/affectnet").mkdir(parents=True)
    (tmp_path / "data/raw/libreface").mkdir()
    (tmp_path / "data/raw/libreface/resnet.pt").write_bytes(b"weights")
    jobs = planned(tmp_path)
    assert jobs["pretrain_codec"] == 8
    compared = 2 * (8 + 3 * 4)
    assert jobs["finetune"] == compared + 8 + 1 + 8  # codec-rd, classifier-raw, -decoded
    assert jobs["encode"] == 8 + compared + 8  # the classifiers' streams are the baseline's
    assert jobs["decode"] == 8 + compared + 3 * 8
    for codec in CLASSIC:
        name = codec.replace("-", "_")
        assert jobs[f"encode_{name}"] == jobs[f"decode_{name}"] == 1


@pytest.mark.parametrize(
    ("section", "key", "value", "says"),
    [
        ("finetune", "lerning_rate", 1.0, "params.yaml: finetune.lerning_rate: unknown key"),
        ("finetune", "lr", "1e-4", "params.yaml: finetune.lr: '1e-4' is text"),
        ("data", "faces", None, "data.root: data/raw/faces: no such folder"),
    ],
)
def test_bad_params_end_the_workflow_before_any_job(
    tmp_path, section, key, value, says, snakemake
):
    tree = yaml.safe_load(TOY.read_text())
    tree[section][key] = value
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    out = snakemake(tmp_path)
    assert out.returncode == 1
    assert says in out.stdout + out.stderr
    assert "Traceback" not in out.stdout + out.stderr
    assert not (tmp_path / "data").exists()


def test_an_unreadable_image_ends_the_workflow_by_name(finished, tmp_path, snakemake):
    shutil.copytree(finished / "data/raw/faces", tmp_path / "data/raw/mine")
    tree = yaml.safe_load(TOY.read_text())
    tree["data"] |= {"faces": None, "root": "data/raw/mine"}
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(tree))
    image = tmp_path / "data/raw/mine/train_set/images/7.jpg"
    image.write_bytes(image.read_bytes()[:300])
    out = snakemake(tmp_path)
    assert out.returncode == 1
    assert "train_set/images/7.jpg" in out.stdout + out.stderr
    assert not (tmp_path / paths.INDEX).exists()
    assert not (tmp_path / paths.SHARDS_MANIFEST).exists()
