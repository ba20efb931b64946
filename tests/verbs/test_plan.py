"""`mien plan`: jobs are Snakemake's, hours those of the table, and nothing is made up."""

import csv
import json
import shutil
from pathlib import Path

import pytest
import yaml

from mien import cli, paths
from mien.data import release
from mien.errors import DataError
from mien.files import write_manifest
from mien.params import Params, load_params
from mien.runs import CLASSIC
from mien.verbs import jobs, speeds, work
from mien.verbs.disk import disk_of
from mien.verbs.jobs import Job
from mien.verbs.plan import outlook, text_of
from mien.verbs.speeds import FIELDS, MEASURED, Speeds, read_speeds

ROOT = Path(__file__).parents[2]
AFFECTNET = ROOT / "presets/affectnet.yaml"
NETWORKS = [
    f"{kind}_n{n}"
    for kind in ("train_rate", "train_frozen", "train_joint", "train_read", "look_codec")
    for n in (128, 192)
]
CODING = [f"{kind}_n{n}" for kind in ("encode", "decode") for n in (128, 192)]
CLASSICS = [f"{kind}_{c.replace('-', '_')}" for kind in ("encode", "decode") for c in CLASSIC]
ON_GPU = [*NETWORKS, *CODING, "train_classifier", "classify"]
ON_CPU = [*ON_GPU, *CLASSICS, "distortion", "draw", "ingest", "shard", "start"]
BYTES = [
    f"{name}_bytes" for name in ("codec_n128", "codec_n192", "classifier", "shard", "index")
]


def made_up(gpu: bool = False) -> Speeds:
    """Return an hour a picture for every work on a CPU, a tenth on a GPU, and 10 bytes."""
    values = {("cpu", key): 3600.0 for key in ON_CPU} | {("cpu", key): 10.0 for key in BYTES}
    if gpu:
        values |= {("gpu", key): 360.0 for key in ON_GPU}
    return Speeds(values, {"cpu": "a machine", **({"gpu": "a card"} if gpu else {})})


def write_speeds(path: Path, **rows: str) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(FIELDS)
        for key, value in rows.items():
            writer.writerow([key, value, "s/picture", "gpu", "a card", "abc", "a command"])
    return path


@pytest.fixture(scope="module")
def affectnet() -> Params:
    return load_params(AFFECTNET)


@pytest.fixture(scope="module")
def grid(affectnet) -> list[Job]:
    """Return the jobs of the paper's grid, by Snakemake, with no data at hand."""
    return jobs.jobs_of(affectnet, here=False)


def images() -> work.Images:
    return work.Images(1000, 100, 10, "a test")


def works(params: Params, *planned: Job) -> list[dict[str, float] | None]:
    return [work.works_of(params, images(), [job]).by_job[job] for job in planned]


def finetune(strategy: str, setting: str) -> Job:
    return Job("finetune", (("strategy", strategy), ("setting", setting)))


def test_the_papers_grid_is_planned_without_its_images(grid, affectnet):
    count = {rule: sum(job.rule == rule for job in grid) for rule in {j.rule for j in grid}}
    compared = 2 * (8 + 3 * 4)
    assert count["pretrain_codec"] == 8
    assert count["finetune"] == compared + 8 + 1 + 8
    assert count["encode"] == 8 + compared + 8
    assert count["decode"] == 8 + compared + 3 * 8
    assert ("joint", "q4-ce0.2") in {
        (j["strategy"], j["setting"]) for j in grid if "finet" in j.rule
    }
    known = work.images_of(affectnet, here=False)
    assert known.train + known.val == sum(release.TRAIN) == 287_651
    assert known.all == 291_650
    assert "8-label release" in known.known_by
    csv_layout = affectnet.data.model_copy(update={"layout": "csv"})
    original = affectnet.model_copy(update={"data": csv_layout})
    assert work.images_of(original, here=False).test == 4_000


def test_hours_are_pictures_times_speeds(grid, affectnet):
    planned = [finetune("joint", "q4"), finetune("joint", "q5")]
    found = outlook(affectnet, AFFECTNET, planned, images(), made_up(), gpus=1)
    epochs = affectnet.finetune.epochs
    each = epochs * 1000 + (epochs + 1) * 100 + 1  # trained, looked at, the start of the job
    assert found.cpu_hours == pytest.approx(2 * each)
    assert found.longest_job_hours == pytest.approx(each)
    (row,) = found.rows
    assert (row.rule, row.jobs, row.cpu_hours) == ("finetune", 2, pytest.approx(2 * each))
    assert found.wall_hours_cpu == pytest.approx(2 * each / found.cores)
    whole = outlook(affectnet, AFFECTNET, grid, images(), made_up(), gpus=1)
    assert sum(row.jobs for row in whole.rows) == len(grid)


def test_jobs_that_wait_for_each_other_are_not_side_by_side(affectnet):
    epochs = dict.fromkeys(affectnet.codec.qualities, 30)
    section = affectnet.finetune.model_copy(update={"start": "higher", "epochs": epochs})
    chained = affectnet.model_copy(update={"finetune": section, "strategies": ("joint",)})
    planned = jobs.jobs_of(chained, here=False)
    found = outlook(chained, AFFECTNET, planned, images(), made_up(), gpus=1)
    each = 30 * 1000 + 31 * 100 + 1
    # q8 to q5 and q4 to q1 are two chains, of two shapes; what is before and after is short
    assert 4 * each < found.longest_chain_hours < 5 * each
    assert found.longest_job_hours == pytest.approx(each)
    assert found.wall_hours_cpu == pytest.approx(
        max(found.cpu_hours / found.cores, found.longest_chain_hours)
    )
    with_gpus = outlook(chained, AFFECTNET, planned, images(), made_up(gpu=True), gpus=10**6)
    assert with_gpus.wall_hours_gpu > with_gpus.longest_chain_hours > 0.4 * each
    assert "the longest chain of jobs:" in text_of(found)


@pytest.mark.parametrize(
    ("strategy", "setting", "kind"),
    [
        ("joint", "q4", "train_joint_n128"),
        ("joint", "q5", "train_joint_n192"),
        ("compression-only", "q1", "train_frozen_n128"),
        ("compression-only", "q4-ce0", "train_rate_n128"),
        ("codec-rd", "q8", "train_rate_n192"),
        ("classifier-decoded", "q8", "train_read_n192"),
        ("classifier-raw", "all", "train_classifier"),
    ],
)
def test_a_training_is_of_its_kind(affectnet, strategy, setting, kind):
    (found,) = works(affectnet, finetune(strategy, setting))
    assert found[kind] == affectnet.finetune.epochs * 1000
    assert [key for key in found if key.startswith("train_")] == [kind]


def test_a_longer_training_takes_longer(affectnet):
    epochs = dict.fromkeys(affectnet.codec.qualities, 5) | {8: 20}
    finetune_ = affectnet.finetune.model_copy(update={"epochs": epochs})
    longer = affectnet.model_copy(update={"finetune": finetune_})
    found = works(longer, finetune("joint", "q7"), finetune("joint", "q8"))
    assert [work["train_joint_n192"] for work in found] == [5 * 1000, 20 * 1000]
    assert [work["look_codec_n192"] for work in found] == [6 * 100, 21 * 100]


def test_a_gpu_takes_the_networks_and_leaves_the_rest(affectnet):
    planned = [
        finetune("joint", "q4"),
        Job("decode", (("strategy", "joint"), ("setting", "q4"))),
        Job("encode_jpeg"),
    ]
    without = outlook(affectnet, AFFECTNET, planned, images(), made_up(), gpus=2)
    assert (without.gpu_hours, without.wall_hours_gpu) == (None, None)
    assert "not known: no GPU was measured" in text_of(without)
    found = outlook(affectnet, AFFECTNET, planned, images(), made_up(gpu=True), gpus=2)
    trained = 0.1 * (30 * 1000 + 31 * 100)
    assert found.gpu_hours == pytest.approx(trained + 0.1 * (10 + 2 * 10))
    beside = 10 + 8 * 10 + 3  # distortion, 8 qualities of JPEG, three starts
    assert found.wall_hours_gpu == pytest.approx(
        trained + beside / found.cores
    )  # one is longer
    assert found.longest_job_hours == pytest.approx(trained)
    assert "a card" in text_of(found)


def test_parts_share_the_work_and_the_job_that_joins_them_has_none(affectnet):
    compute = affectnet.compute.model_copy(update={"parts": 4})
    cut = affectnet.model_copy(update={"compute": compute})
    run = (("strategy", "joint"), ("setting", "q4"))
    joined, part, shard, shard_part = works(
        cut,
        Job("encode", run),
        Job("encode_part", (*run, ("part", "1-of-4"))),
        Job("shard"),
        Job("shard_part", (("part", "1-of-4"),)),
    )
    assert (joined["encode_n128"], part["encode_n128"]) == (0, 10 / 4)
    assert (shard["shard"], shard_part["shard"]) == (0, 1110 / 4)
    jpeg, jpeg_part = works(cut, Job("encode_jpeg"), Job("encode_jpeg_part"))
    assert (jpeg["encode_jpeg"], jpeg_part["encode_jpeg"]) == (0, 8 * 10 / 4)
    (whole,) = works(affectnet, Job("encode_jpeg_optimised"))
    assert whole["encode_jpeg_optimised"] == 8 * 10


def test_other_shapes_are_scaled_and_said_to_be(affectnet):
    assert work.nearest((128, 192)) == (128, 1.0)
    assert work.nearest((192, 320)) == (192, 1.0)
    n, scale = work.nearest((64, 96))
    assert (n, 0.2 < scale < 0.35) == (128, True)
    codec = affectnet.codec.model_copy(update={"channels": (64, 96)})
    look = affectnet.shards.model_copy(update={"image_size": 128})
    small = affectnet.model_copy(update={"codec": codec, "shards": look})
    found = work.works_of(small, images(), [finetune("joint", "q4")])
    (done,) = found.by_job.values()
    assert done["train_joint_n128"] == pytest.approx(30_000 * scale / 4)
    assert any("N, M = 64, 96" in note for note in found.notes)
    assert any("pictures of 128 pixels" in note for note in found.notes)
    assert work.works_of(affectnet, images(), [finetune("joint", "q4")]).notes == []


def test_what_nothing_measured_tells_is_named(affectnet):
    found = outlook(affectnet, AFFECTNET, [Job("summarise")], images(), made_up(), gpus=1)
    assert (found.rows[0].cpu_hours, found.cpu_hours) == (None, 0)
    assert "not measured and not counted: summarise" in text_of(found)


def test_a_codec_without_a_measured_speed_is_named_and_stops_nothing(affectnet):
    known = made_up()
    del known.values["cpu", "encode_webp"]
    planned = [Job("encode_webp"), Job("encode_jpeg")]
    found = outlook(affectnet, AFFECTNET, planned, images(), known, gpus=1)
    unknown, counted = found.rows
    assert (unknown.cpu_hours, counted.cpu_hours) == (None, found.cpu_hours)
    assert found.cpu_hours > 0
    assert "not measured and not counted: encode_webp" in text_of(found)


def test_another_processor_than_the_measured_one_is_said(affectnet, monkeypatch):
    found = outlook(affectnet, AFFECTNET, [], images(), made_up(), gpus=1)
    assert any("another one was measured" in note for note in found.notes)
    monkeypatch.setattr("mien.verbs.plan.processor", lambda: "a machine")
    assert outlook(affectnet, AFFECTNET, [], images(), made_up(), gpus=1).notes == []


def test_disk_is_that_of_the_jobs(affectnet):
    run = (("strategy", "joint"), ("setting", "q4"))
    planned = [Job("shard"), finetune("joint", "q4"), Job("encode", run), Job("encode_jpeg")]
    found = disk_of(affectnet, images(), planned, made_up())
    assert found["shards"] == 1110 * 10
    assert found["checkpoints"] == 10 + 10  # the codec and the classifier
    assert found["streams, at most"] == 9 * 10 * 256**2 / 8
    raw = affectnet.shards.model_copy(update={"format": "raw"})
    of_raw = disk_of(affectnet.model_copy(update={"shards": raw}), images(), planned, made_up())
    assert of_raw["shards"] == 1110 * 3 * 256**2


def test_the_committed_speeds_are_all_that_a_plan_asks_for(grid, affectnet):
    committed = read_speeds([MEASURED])
    outlook(affectnet, AFFECTNET, grid, images(), committed, gpus=1)
    assert {key for device, key in committed.values if device == "cpu"} >= {*ON_CPU, *BYTES}
    with MEASURED.open(newline="") as file:
        for row in csv.DictReader(file):
            assert f"{row['machine']}, {row['commit']}" in committed.sources[row["device"]]
            assert row["machine"]
            assert row["commit"]
            assert row["command"].startswith("python benchmarks/costs.py"), row


def test_a_table_of_ones_own_replaces_a_device(tmp_path):
    mine = write_speeds(tmp_path / "gpu.csv", classify="0.5")
    found = read_speeds([MEASURED, mine])
    assert found.of("gpu", "classify") == 0.5
    assert found.of("cpu", "classify") == read_speeds([MEASURED]).of("cpu", "classify")
    with pytest.raises(DataError, match="no gpu speed 'train_joint_n128' was measured"):
        found.of("gpu", "train_joint_n128")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (("a command", "a,b"), None),
        (("classify,0.5", "classify,fast"), "line 2: value 'fast': not a positive number"),
        (("classify,0.5", "classify,-1"), "line 2: value '-1': not a positive number"),
        ((",gpu,", ",tpu,"), "line 2: device 'tpu': cpu or gpu"),
        (("key,value", "name,value"), "no table of speeds"),
    ],
)
def test_a_table_that_is_none_is_refused_by_line(tmp_path, change, says):
    path = write_speeds(tmp_path / "gpu.csv", classify="0.5")
    path.write_text(path.read_text().replace(*change))
    if says is None:
        assert read_speeds([path]).has("gpu")
    else:
        with pytest.raises(DataError, match=says):
            read_speeds([path])
    with pytest.raises(DataError, match=r"none.csv: no such file of speeds"):
        read_speeds([tmp_path / "none.csv"])


def test_the_command_prints_a_table_or_json(tmp_path, monkeypatch, capsys):
    """In a folder where the data are drawn; a part of the work is done."""
    monkeypatch.chdir(tmp_path)
    shutil.copy(ROOT / "tests/toy.yaml", "params.yaml")
    assert cli.main(["plan"]) == 0
    said = capsys.readouterr().out
    assert said.startswith(
        "params.yaml: what would run now\n88 images: 51 to train, 13 val, 24"
    )
    assert "finetune" in said
    assert "extrapolated: pictures of 64 pixels" in said
    assert cli.main(["plan", "--json", "--gpus", "3"]) == 0
    found = json.loads(capsys.readouterr().out)
    rows = {row["rule"]: row for row in found["rows"]}
    assert (rows["finetune"]["jobs"], rows["decode"]["jobs"], found["gpus"]) == (7, 10, 3)
    assert found["cpu_hours"] == pytest.approx(sum(r["cpu_hours"] or 0 for r in rows.values()))
    assert cli.main(["plan", "--gpus", "0"]) == 2
    assert "--gpus 0: at least 1" in capsys.readouterr().err


def test_what_a_dry_run_says_is_understood_or_refused():
    table = "job      count\n-----  -------\nall  1\nshard  1\ntotal        2\n\n"
    text = "rule shard:\n    input: a, b\n    output: c\n    wildcards: x=1, y=2-of-3\n\n"
    text += "localrule all:\n    jobid: 0\n"
    shard, end = jobs.listed(table + text)
    assert (shard, end) == (Job("shard", (("x", "1"), ("y", "2-of-3"))), Job("all"))
    assert (shard.inputs, shard.outputs) == (("a", "b"), ("c",))
    assert (end.inputs, end.outputs) == ((), ())
    assert jobs.listed("Nothing to be done") == []
    with pytest.raises(DataError, match="1 jobs were understood of 2"):
        jobs.listed(table + text.replace("localrule", "some"))


def test_a_failing_dry_run_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setattr(jobs, "SNAKEFILES", (tmp_path / "Snakefile",))
    with pytest.raises(DataError, match="Snakefile: no such file"):
        jobs.jobs_of(load_params(AFFECTNET), here=False)
    (tmp_path / "Snakefile").write_text("raise ValueError('broken')\n")
    with pytest.raises(DataError, match="snakemake --dry-run failed"):
        jobs.jobs_of(load_params(AFFECTNET), here=False)


def test_images_are_those_of_the_index_where_there_is_one(tmp_path, monkeypatch, affectnet):
    monkeypatch.chdir(tmp_path)
    paths.INDEX_MANIFEST.parent.mkdir()
    counts = {
        split: {"happy": n, "sad": 1} for split, n in (("train", 7), ("val", 2), ("test", 4))
    }
    write_manifest(paths.INDEX_MANIFEST, [], counts=counts)
    found = work.images_of(affectnet, here=True)
    assert (found.train, found.val, found.test) == (8, 3, 5)
    data = affectnet.data.model_copy(update={"counts": None})
    with pytest.raises(DataError, match="nothing says how many images there are"):
        work.images_of(affectnet.model_copy(update={"data": data}), here=False)


def test_only_the_params_of_this_folder_with_data_are_planned_as_they_stand(
    tmp_path, monkeypatch, affectnet
):
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(yaml.safe_dump(affectnet.model_dump(mode="json")))
    assert not jobs.is_here(affectnet, Path("params.yaml"))
    Path(affectnet.data.root).mkdir(parents=True)
    assert jobs.is_here(affectnet, Path("params.yaml"))
    assert not jobs.is_here(affectnet, AFFECTNET)


def test_the_processor_has_a_name(tmp_path):
    (tmp_path / "cpuinfo").write_text("processor : 0\nmodel name\t: AMD EPYC\n")
    assert speeds.processor(tmp_path / "cpuinfo") == "AMD EPYC"
    assert speeds.processor(tmp_path / "none")
