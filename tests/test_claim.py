"""GPUs of a job's own, in real processes, on a machine with two that are simulated."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
import torch

from mien import cli
from mien.claim import claimed
from mien.errors import DataError, MienError, ParamsError
from mien.verbs import commands
from tests.support.gpus import CUT_UP, FIRST, PARTS, SECOND, simulated

# SIGINT is ignored below a shell's background job, and with it what this file sends.
HOLDS = """
import os, signal, sys, time
from mien.claim import claimed
signal.signal(signal.SIGINT, signal.default_int_handler)
os.setuid(int(os.environ.get("AS_USER", os.getuid())))
with claimed(int(sys.argv[1])):
    print(os.environ.get("CUDA_VISIBLE_DEVICES"), flush=True)
    {inside}
"""
UNTIL_TOLD = "sys.stdin.read()"
# An oracle of its own: a second holder of a GPU finds the first one's file.
IN_TURN = """
    for name in os.environ["CUDA_VISIBLE_DEVICES"].split(","):
        os.close(os.open(f"busy-{name}", os.O_CREAT | os.O_EXCL))
    time.sleep(0.1)
    for name in os.environ["CUDA_VISIBLE_DEVICES"].split(","):
        os.unlink(f"busy-{name}")
"""
A_CHILD_STAYS = """
    import subprocess
    if {forked}:
        child = os.fork()
        if child == 0:
            time.sleep(60)
    else:
        child = subprocess.Popen(["sleep", "60"], close_fds=False).pid
    print(child, flush=True)
    time.sleep(60)
"""
DELETED_MEANWHILE = """
import fcntl, os, sys
real = fcntl.flock
def late(*args):
    fcntl.flock = real
    os.unlink(sys.argv[2])
    real(*args)
fcntl.flock = late
"""


@pytest.fixture
def machine(tmp_path):
    """Return the environment of a machine with two GPUs."""
    here = {name: value for name, value in os.environ.items() if "SLURM" not in name}
    here.pop("CUDA_VISIBLE_DEVICES", None)
    return here | simulated(tmp_path)


@pytest.fixture
def start(machine, tmp_path):
    """Return a function that starts a job for `n` GPUs; all jobs are ended after the test."""
    started = []

    def start(n=1, inside=UNTIL_TOLD, **environment):
        job = subprocess.Popen(
            [sys.executable, "-c", HOLDS.replace("{inside}", inside.strip()), str(n)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=machine | environment,
        )
        started.append(job)
        return job

    yield start
    for job in started:
        job.kill()
        job.communicate()


def gpus_of(job):
    return job.stdout.readline().strip()


def end(job):
    """Let a job end by itself; return what it said."""
    said = job.communicate("", timeout=30)[1]
    assert job.returncode == 0, said
    return said


def waits(job):
    """Return the line in which a job says that it waits."""
    line = job.stderr.readline()
    assert line.startswith("waiting for"), line
    return line.strip()


@pytest.mark.parametrize(("jobs", "n"), [(8, 1), (5, 2)])
def test_no_gpu_has_two_jobs(start, jobs, n):
    running = [start(n, IN_TURN) for _ in range(jobs)]
    used = [gpus_of(job) for job in running]
    for job in running:
        end(job)
    assert set(used) == ({FIRST, SECOND} if n == 1 else {f"{FIRST},{SECOND}"})


def test_a_job_that_waits_says_for_what_and_gets_what_is_freed(start):
    first, second = start(), start()
    held = {gpus_of(job): job for job in (first, second)}
    third = start()
    assert waits(third) == f"waiting for 1 of {FIRST},{SECOND}: other jobs have them"
    end(held[SECOND])
    assert gpus_of(third) == SECOND
    assert end(third) == f"CUDA_VISIBLE_DEVICES={SECOND}: this job's own\n"


def test_who_waits_for_two_holds_none_meanwhile(start):
    one = start()
    held = gpus_of(one)
    both = start(2)
    waits(both)
    other = start()
    assert {held, gpus_of(other)} == {FIRST, SECOND}
    end(one)
    end(other)
    assert gpus_of(both) == f"{FIRST},{SECOND}"


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_job_that_is_killed_frees_its_gpus_at_once(start, number):
    both = start(2)
    gpus_of(both)
    waiting = start()
    waits(waiting)
    both.send_signal(number)
    since = time.monotonic()
    assert gpus_of(waiting) in (FIRST, SECOND)
    assert time.monotonic() - since < 2
    assert both.wait() != 0


@pytest.mark.parametrize("forked", [False, True])
def test_an_orphan_keeps_no_gpu(start, forked):
    job = start(2, A_CHILD_STAYS.replace("{forked}", str(forked)))
    gpus_of(job)
    orphan = int(job.stdout.readline())
    try:
        job.kill()
        job.wait()
        os.kill(orphan, 0)  # it is there still
        again = start(2)
        assert gpus_of(again) == f"{FIRST},{SECOND}"
        assert "waiting" not in end(again)
    finally:
        os.kill(orphan, signal.SIGKILL)


def test_a_child_that_was_forked_and_ends_lets_its_parent_keep_the_gpu(start):
    ends = "if os.fork() == 0: os._exit(0)\n    os.wait(); print('gone', flush=True)"
    job = start(2, f"{ends}; {UNTIL_TOLD}")
    gpus_of(job)
    assert job.stdout.readline() == "gone\n"
    waits(start())


@pytest.mark.parametrize(
    ("visible", "n", "got"),
    [("1", 1, SECOND), (SECOND[:9], 1, SECOND), ("1,0", 2, f"{SECOND},{FIRST}")],
)
def test_only_visible_gpus_are_claimed(start, visible, n, got):
    job = start(n, CUDA_VISIBLE_DEVICES=visible)
    assert gpus_of(job) == got
    again = start(n, CUDA_VISIBLE_DEVICES=visible)
    assert waits(again) == f"waiting for {n} of {got}: other jobs have them"


@pytest.mark.parametrize(
    ("environment", "seen", "said"),
    [
        ({"CUDA_VISIBLE_DEVICES": ""}, "", ""),
        (
            {"CUDA_VISIBLE_DEVICES": "7"},
            "7",
            "no GPU here is among CUDA_VISIBLE_DEVICES=7: on the CPU\n",
        ),
        ({"MIEN_GPU_LIST": "/dev/null"}, "None", ""),
        ({"SLURM_JOB_ID": "1", "CUDA_VISIBLE_DEVICES": ""}, "", ""),
    ],
)
def test_without_a_gpu_nobody_waits(start, environment, seen, said):
    jobs = [start(2, **environment) for _ in range(2)]
    assert [gpus_of(job) for job in jobs] == [seen] * 2
    assert [end(job) for job in jobs] == [said] * 2


def test_parts_of_a_gpu_are_claimed_one_by_one(start, tmp_path):
    simulated(tmp_path, CUT_UP)
    seen = {gpus_of(start()) for _ in range(3)}
    assert seen == {*PARTS, SECOND}
    waits(start())


def test_slurm_jobs_with_the_same_number_do_not_wait_for_each_other(start):
    jobs = [start(SLURM_JOB_ID=job, CUDA_VISIBLE_DEVICES="0") for job in ("7", "8")]
    assert [gpus_of(job) for job in jobs] == ["0", "0"]
    # Two commands of one allocation share it as two on one machine do.
    waits(start(SLURM_JOB_ID="7", CUDA_VISIBLE_DEVICES="0"))


@pytest.fixture
def here(machine, monkeypatch):
    for name in ("CUDA_VISIBLE_DEVICES", "SLURM_JOB_ID"):
        monkeypatch.delenv(name, raising=False)
    for name in ("MIEN_GPU_LIST", "MIEN_GPU_LOCKS"):
        monkeypatch.setenv(name, machine[name])


@pytest.mark.usefixtures("here")
def test_more_than_there_are_is_refused():
    with pytest.raises(ParamsError, match=r"compute\.devices is 3, but 2 GPUs are visible"):
        claimed(3).__enter__()


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("before", [None, "1"])
def test_the_environment_is_as_before_afterwards(monkeypatch, before):
    if before:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", before)
    with claimed(1):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == (SECOND if before else FIRST)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == before


@pytest.mark.usefixtures("here")
def test_who_types_does_not_wait(start, capsys):
    with claimed(1, wait=False):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == FIRST
    assert capsys.readouterr().err == ""
    gpus_of(start(2))
    with claimed(1, wait=False):
        assert os.environ["CUDA_VISIBLE_DEVICES"] == ""
    assert capsys.readouterr().err == "all GPUs are taken by other jobs: on the CPU\n"


@pytest.mark.usefixtures("here")
def test_anybody_may_lock_the_file_and_no_sweeper_takes_it(tmp_path):
    before = os.umask(0o077)
    try:
        with claimed(1):
            pass
    finally:
        os.umask(before)
    (file,) = (tmp_path / "locks").iterdir()
    assert file.name == f"mien-{FIRST}.lock"
    assert stat.filemode(file.stat().st_mode) == "-rw-r--r-T"


def test_a_lock_that_was_deleted_is_not_taken_for_the_new_one(start, tmp_path):
    """Whoever opened the old file and locks it after its deletion holds nothing."""
    lock = tmp_path / "locks" / f"mien-{FIRST}.lock"
    only = {"CUDA_VISIBLE_DEVICES": "0"}
    code = DELETED_MEANWHILE + HOLDS.replace("{inside}", UNTIL_TOLD)
    job = subprocess.Popen(
        [sys.executable, "-c", code, "1", str(lock)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | simulated(tmp_path) | only,
    )
    assert gpus_of(job) == FIRST
    assert waits(start(**only))
    job.communicate("")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("place", ["missing", "a-file"])
def test_a_folder_that_cannot_hold_locks_is_named(tmp_path, monkeypatch, place):
    (tmp_path / "a-file").write_text("")
    monkeypatch.setenv("MIEN_GPU_LOCKS", str(tmp_path / place))
    with pytest.raises(DataError, match=rf"{place}/mien-{FIRST}\.lock: No.*MIEN_GPU_LOCKS"):
        claimed(1).__enter__()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be two users")
@pytest.mark.parametrize(("first", "second"), [("65534", "0"), ("0", "65534")])
def test_users_lock_each_others_files(start, first, second):
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        machine = simulated(Path(folder))
        for shared in (Path(folder), Path(machine["MIEN_GPU_LOCKS"])):
            shared.chmod(0o1777)
        holder = start(2, AS_USER=first, **machine)
        assert gpus_of(holder) == f"{FIRST},{SECOND}"
        other = start(2, AS_USER=second, **machine)
        waits(other)
        end(holder)
        assert gpus_of(other) == f"{FIRST},{SECOND}"


@pytest.fixture
def claim_of(tmp_path, monkeypatch, capsys, request):
    """Return a function that says what a command claims, or why else it ends."""

    def stop(n, *, wait=True):
        raise MienError(f"{n} GPUs" + ("" if wait else " if free"))

    def claim_of(command, changed, to):
        toy = (request.config.rootpath / "tests/toy.yaml").read_text()
        (tmp_path / "params.yaml").write_text(toy.replace(changed, to))
        assert cli.main(command.split()) == 2  # there is nothing to read here
        return capsys.readouterr().err.splitlines()[-1].split(": ", 1)[1]

    monkeypatch.setattr(commands, "claimed", stop)
    monkeypatch.chdir(tmp_path)
    return claim_of


@pytest.mark.parametrize(
    ("command", "claim"),
    [
        ("pretrain-codec 3", "1 GPUs"),
        ("pretrain-classifier", "1 GPUs"),
        ("finetune joint q3", "2 GPUs"),
        ("encode-run joint q3", "1 GPUs"),
        ("decode-run joint q3", "1 GPUs"),
        ("decode-run jpeg q10", "1 GPUs"),
        ("encode-run jpeg q10", None),
        ("tables", None),
        ("encode face.png -o face.mien --codec joint/q3", "1 GPUs if free"),
        ("decode face.mien -o face.png", "1 GPUs if free"),
        ("classify face.png", "1 GPUs if free"),
        ("info face.mien", None),
    ],
)
def test_what_runs_networks_claims_first(claim_of, command, claim):
    said = claim_of(command, "devices: 1", "devices: 2")
    assert (said == claim) if claim else ("GPUs" not in said)


@pytest.mark.parametrize("command", ["encode-run joint q3", "decode-run jpeg q10"])
@pytest.mark.parametrize(("part", "claim"), [("", "0 GPUs"), (" --part 1-of-2", "1 GPUs")])
def test_a_job_that_only_joins_parts_claims_none(claim_of, command, part, claim):
    assert claim_of(command + part, "parts: 1", "parts: 2") == claim


def test_a_job_that_needs_none_does_not_wait_and_sees_none(start):
    holders = [start(), start()]
    assert {gpus_of(job) for job in holders} == {FIRST, SECOND}
    joins = start(0)
    assert gpus_of(joins) == ""
    assert end(joins) == "CUDA_VISIBLE_DEVICES=: none is needed\n"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
def test_torch_computes_on_the_gpu_that_was_claimed():
    code = """if True:
        import os
        from mien.claim import claimed
        with claimed(1):
            import torch
            one = torch.ones(1, device="cuda")
            print(torch.cuda.device_count(), torch.cuda.get_device_properties(0).uuid)
            print(os.environ["CUDA_VISIBLE_DEVICES"])
    """
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    (seen, claim) = out.stdout.splitlines()
    assert seen == f"1 {claim.removeprefix('GPU-')}"
