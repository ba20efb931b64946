"""Two simulated GPUs under Snakemake: every training has one of its own, and no longer."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.gpus import FIRST, SECOND, simulated
from tests.support.toy import write_cut_down

ROOT = Path(__file__).parents[2]
TRAINED = ["results/compression-only/q1/checkpoint.json", "results/joint/q1/checkpoint.json"]
SOMEBODY_ELSES = """
from mien.claim import claimed
import os
with claimed(1):
    print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
"""
PATIENCE = 400  # seconds, on a busy machine; it takes 30 on an idle one


@pytest.fixture
def environment(tmp_path):
    here = {name: value for name, value in os.environ.items() if "SLURM" not in name}
    here.pop("CUDA_VISIBLE_DEVICES", None)
    return here | simulated(tmp_path) | {"PYTHONWARNINGS": "default"}


@pytest.fixture
def training(tmp_path, environment):
    """Start a workflow whose two fine-tunings never end; end it after the test."""
    write_cut_down(tmp_path, finetune={"epochs": 10**6, "patience": 10**6})
    command = [
        "snakemake",
        "--snakefile",
        str(ROOT / "Snakefile"),
        "--directory",
        str(tmp_path),
    ]
    command += ["--cores", "2", "--resources", "gpu=2", "--max-threads", "1", "--keep-going"]
    with (tmp_path / "snakemake.log").open("w") as log:
        workflow = subprocess.Popen([*command, "--", *TRAINED], stderr=log, env=environment)
    yield workflow
    workflow.send_signal(signal.SIGSTOP)  # or it would start others
    for pid in [*descendants(workflow.pid), workflow.pid]:
        os.kill(pid, signal.SIGKILL)
    workflow.wait()


def descendants(pid):
    """Return the processes that come from one, itself not among them."""
    children = {}
    for file in Path("/proc").glob("[0-9]*/stat"):
        try:
            _, after = file.read_text().rsplit(")", 1)
        except OSError:
            continue  # it just ended
        children.setdefault(int(after.split()[1]), []).append(int(file.parent.name))
    found = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def the_process(workflow, *words):
    """Return the process of a workflow's job that runs `mien` with these words."""
    for pid in descendants(workflow.pid):
        arguments = Path(f"/proc/{pid}/cmdline").read_bytes().decode().split("\0")
        if any(arguments[i : i + len(words)] == list(words) for i in range(len(arguments))):
            return pid
    raise AssertionError(f"no process runs {words}")


def claim(log):
    """Return the GPU that a job's log names, None if it names none yet."""
    found = re.search(r"^CUDA_VISIBLE_DEVICES=(\S+): this job's own$", text(log), re.M)
    return found and found[1]


def text(log):
    return log.read_text() if log.exists() else ""


def claims(workflow, folder, *logs):
    """Return the GPUs of jobs, when all have one."""
    deadline = time.monotonic() + PATIENCE
    while not all(seen := [claim(folder / "logs" / log) for log in logs]):
        said = text(folder / "snakemake.log")
        assert workflow.poll() is None, said
        assert time.monotonic() < deadline, said
        time.sleep(0.2)
    return seen


def test_every_training_has_a_gpu_of_its_own_and_one_that_is_killed_frees_it_at_once(
    training, tmp_path, environment
):
    pretrained = claims(training, tmp_path, "pretrain/codec-q1.log", "pretrain/classifier.log")
    assert set(pretrained) == {FIRST, SECOND}
    logs = [f"finetune/{strategy}/q1.log" for strategy in ("compression-only", "joint")]
    finetuned = claims(training, tmp_path, *logs)
    assert set(finetuned) == {FIRST, SECOND}

    other = subprocess.Popen(
        [sys.executable, "-c", SOMEBODY_ELSES],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
    )
    with other:
        assert other.stderr.readline().startswith("waiting for 1 of")
        os.kill(the_process(training, "finetune", "joint", "q1"), signal.SIGKILL)
        since = time.monotonic()
        assert other.stdout.readline().strip() == finetuned[1]
        assert time.monotonic() - since < 2
    the_process(training, "finetune", "compression-only", "q1")  # goes on
