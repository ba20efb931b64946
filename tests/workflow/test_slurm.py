"""The workflow on a real SLURM, started on loopback with two GPUs that compute nothing."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import pytest
import yaml

from tests.support.slurm import Job, cluster, jobs, why_not
from tests.support.toy import write_cut_down

ROOT = Path(__file__).parents[2]
PROFILE = ROOT / "profiles/slurm"
# A chain with each kind of job, and two pairs that run side by side.
TARGETS = ["results/joint/q1/checkpoint.json", "results/pretrained/q1/evaluation.json"]
ON_A_GPU = {
    "rule_pretrain_codec_wildcards_1": ("1-00:00:00", ["pretrain/codec-q1"]),
    "rule_pretrain_classifier": ("1-00:00:00", ["pretrain/classifier"]),
    "rule_finetune_wildcards_joint_q1": ("2-00:00:00", ["finetune/joint/q1"]),
    "rule_evaluation_decode_encode": (
        "02:00:00",
        ["encode/pretrained/q1", "decode/pretrained/q1"],
    ),
}
COMPUTES = ("pretrain_", "finetune", "encode", "decode")
TEXTS = ("summarise", "tables", "figures", "report")
WITHOUT = {"rule_data_faces_ingest_shard": "12:00:00"}
FAILING = """
rule all:
    input: "broken.txt", "second.txt"
rule broken:
    output: "broken.txt"
    log: "logs/broken.log"
    shell: "(echo why; exit 3) > {log}"
rule first:
    output: "first.txt"
    log: "logs/first.log"
    group: "pair"
    shell: "(echo one; touch {output}) > {log}"
rule second:
    input: "first.txt"
    output: "second.txt"
    log: "logs/second.log"
    group: "pair"
    shell: "(echo two; exit 1) > {log}"
"""
OF_FAILING = {"rule_broken", "rule_pair_first_second"}


@dataclass(frozen=True)
class Ran:
    """A workflow that SLURM has run, and one whose jobs failed meanwhile.

    Attributes:
        jobs: SLURM's of the first, by name.
        folder: It was run in.
        said: What Snakemake printed.
        failed: What it printed of the one that failed.
    """

    jobs: dict[str, Job]
    folder: Path
    said: str
    failed: str


def start(snakefile, folder, *options):
    command = ["snakemake", "--snakefile", str(snakefile), "--directory", str(folder)]
    here = {name: value for name, value in os.environ.items() if "SLURM" not in name}
    here.pop("CUDA_VISIBLE_DEVICES", None)
    return subprocess.Popen(
        [*command, "--workflow-profile", str(PROFILE), *options],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=here | {"PYTHONWARNINGS": "default"},
    )


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """Return what SLURM ran."""
    if reason := why_not():
        required = "slurm" in os.environ.get("MIEN_TESTS_REQUIRED", "")  # .ci/run sets it
        (pytest.fail if required else pytest.skip)(reason)
    folder, failing, state = (tmp_path_factory.mktemp(n) for n in ("toy", "failing", "slurm"))
    write_cut_down(folder)
    (failing / "Snakefile").write_text(FAILING)
    # Two threads a job, as there may be no more; looked after every second.
    options = ["--cores", "2", "--max-threads", "2", "--seconds-between-status-checks", "1"]
    options += ["--slurm-init-seconds-before-status-checks", "1"]
    with cluster(state):
        once = ["--retries", "0", "--latency-wait", "1"]
        with start(failing / "Snakefile", failing, *options, *once) as broken:
            with start(ROOT / "Snakefile", folder, *options, "--", *TARGETS) as whole:
                said, _ = whole.communicate()
            failed, _ = broken.communicate()
        assert (whole.returncode, broken.returncode) == (0, 1), said + failed
        ran = {job.name: job for job in jobs(state) if job.name not in OF_FAILING}
        return Ran(ran, folder, said, failed)


def gpus_seen(folder, log):
    """Return what CUDA_VISIBLE_DEVICES was in a job, as its log says."""
    said = (folder / "logs" / f"{log}.log").read_text()
    return re.findall(r"^CUDA_VISIBLE_DEVICES=(\S+): this job's own$", said, re.M)


def test_small_jobs_are_grouped_and_every_job_has_the_time_of_its_parts(finished):
    limits = {name: limit for name, (limit, _) in ON_A_GPU.items()} | WITHOUT
    assert {name: job.limit for name, job in finished.jobs.items()} == limits
    assert all(job.state == "COMPLETED" for job in finished.jobs.values())
    assert all((finished.folder / target).exists() for target in TARGETS)


def test_its_jobs_are_counted_though_snakemake_says_nothing_of_their_beginning(finished):
    assert re.search(r"^mien: 8 jobs: .*\b1 finetune\b", finished.said, re.M)
    assert re.search(r"^mien: [1-7] of 8 jobs, \d+ %", finished.said, re.M), finished.said
    assert re.search(r"^mien: 8 jobs done in ", finished.said, re.M), finished.said


def test_a_job_that_fails_is_named_with_slurms_reason_and_its_log(finished):
    said = finished.failed
    assert re.search(
        r"^mien: broken failed after \d+ s:\n"
        r"  SLURM-job '\d+' failed, SLURM status is: 'FAILED'\..*\n"
        r"  the end of logs/broken\.log:\n    why\n",
        said,
        re.M,
    ), said
    assert re.search(r"^mien: .*\bfirst\b.*: a group of jobs in which one failed:$", said, re.M)
    assert "  the end of logs/second.log:\n    two\n" in said
    assert re.search(r"^mien: stopped after .*: 0 of 3 jobs done, 3 failed:$", said, re.M), said
    assert "====" not in said  # the whole log once more, as Snakemake would show it


def test_every_job_asks_for_its_gpu_cpus_and_memory(finished):
    for name, job in finished.jobs.items():
        gpu = name in ON_A_GPU
        assert job.n_gpus == len(job.gpus) == gpu, name
        assert (job.cpus, job.memory) == (2, "16000M" if gpu else "8000M"), name


def test_every_job_sees_the_gpu_that_slurm_gave_it_and_no_other(finished):
    for name, (_, logs) in ON_A_GPU.items():
        for log in logs:
            assert gpus_seen(finished.folder, log) == finished.jobs[name].gpus, name


def test_no_gpu_has_two_jobs_at_a_time(finished):
    at_once = []
    for one, other in combinations([finished.jobs[name] for name in ON_A_GPU], 2):
        if one.start < other.end and other.start < one.end:
            at_once.append((one.name, other.name))
            assert not set(one.gpus) & set(other.gpus), at_once
    assert ("rule_pretrain_codec_wildcards_1", "rule_pretrain_classifier") in at_once


@pytest.fixture(scope="module")
def planned(tmp_path_factory):
    """Return what a dry run of the paper's preset lists."""
    folder = tmp_path_factory.mktemp("affectnet")
    shutil.copy(ROOT / "presets/affectnet.yaml", folder / "params.yaml")
    (folder / "data/raw/affectnet").mkdir(parents=True)
    (folder / "data/raw/libreface").mkdir()
    (folder / "data/raw/libreface/resnet.pt").write_bytes(b"weights")
    with start(ROOT / "Snakefile", folder, "-n") as dry:
        said, _ = dry.communicate()
    assert dry.returncode == 0, said
    return said


def listed(text):
    """Return threads and resources of each job that a dry run lists, by rule."""
    block = re.compile(r"^ *rule (\w+):\n((?: {4,}\S.*\n)+)", re.M)
    found = {}
    for rule, body in block.findall(text):
        threads = re.search(r"^ *threads: (\d+)$", body, re.M)
        resources = dict(re.findall(r"(\w+)=(\w+)", body.split("resources: ")[1]))
        found.setdefault(rule, []).append((int(threads[1]) if threads else 1, resources))
    return found


def test_the_papers_jobs_ask_for_as_much_as_the_profile_says(planned):
    every = listed(planned)
    assert len(every["finetune"]) == 57
    for rule, jobs_of_it in every.items():
        for threads, resources in jobs_of_it:
            single = rule.startswith("encode_") or rule in (*TEXTS, "histories", "all")
            assert threads == (1 if single else 8), rule  # not what this machine has
            assert resources["tasks_per_gpu"] == "0", rule
            computes = rule.startswith(COMPUTES) and not rule.startswith("encode_")
            assert resources.get("gpu") == ("1" if computes else None), rule
            wanted = {"mem_mb": "8000", "runtime": "240"} | asked().get(rule, {})
            assert resources.items() >= wanted.items(), rule
    assert every["finetune"][0][1].items() >= {"runtime": "2880", "nodes": "1"}.items()


def asked():
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    return {
        rule: {name: str(value) for name, value in resources.items()}
        for rule, resources in profile["set-resources"].items()
    }


def test_a_runs_evaluation_is_one_job(planned):
    groups = re.findall(r"Group job (\w+) .*\n((?:\n|\[?[ ].*\n)*)", planned)
    rules = [(name, sorted(re.findall(r"rule (\w+):", body))) for name, body in groups]
    assert ("data", ["ingest", "shard"]) in rules
    assert ("results", sorted(TEXTS)) in rules
    assert ("evaluation", ["decode", "encode"]) in rules


def test_the_profile_names_rules_that_there_are():
    rules = "\n".join(path.read_text() for path in (ROOT / "workflow/rules").glob("*.smk"))
    there = set(re.findall(r"^ *rule (\w+):", rules, re.M))
    profile = yaml.safe_load((PROFILE / "config.yaml").read_text())
    assert {*profile["set-resources"], *profile["groups"]} <= there
