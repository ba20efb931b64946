"""`mien resume` after a kill, with a real Snakemake: locks, orphans, half-written files."""

import fcntl
import json
import os
import signal
import socket
import subprocess
import sys

import pytest

from mien import running
from mien.verbs.resume import cleared
from tests.support.workflows import is_running, kill_all, run, start, wait_for, write

# The first time each job waits in a shell and a process below it, as the project's jobs do.
RULES = """
rule all:
    input: "a.txt", "b.txt"
rule slow:
    output: "{name}.txt"
    shell:
        "if [ ! -e again ]; then "
        "python wait.py {wildcards.name}.pid; fi; echo {wildcards.name} > {output}"
"""
WAIT = """
import os, pathlib, sys, time
pathlib.Path(sys.argv[1]).write_text(str(os.getpid()))
time.sleep(600)
"""
SNAKEMAKE = ("snakemake", "--cores", "2")
RESUME = ("mien.cli", "resume", "--cores", "2")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, RULES)
    (tmp_path / "wait.py").write_text(WAIT)
    return tmp_path


@pytest.fixture
def at_work(folder, request):
    """A workflow whose two jobs have begun."""
    process = start(folder, *getattr(request, "param", SNAKEMAKE))
    yield process, jobs_of(folder)
    kill_all(process)
    process.stdout.close()


def jobs_of(folder):
    def written():
        texts = [(folder / f"{name}.pid") for name in "ab"]
        texts = [path.read_text() if path.exists() else "" for path in texts]
        return [int(text) for text in texts] if all(texts) else None

    return wait_for(written)


def locks(folder):
    return list((folder / ".snakemake/locks").glob("*"))


@pytest.mark.parametrize(
    "at_work", [SNAKEMAKE, RESUME], indirect=True, ids=["begun", "resumed"]
)
def test_a_workflow_at_work_is_refused_in_one_line(folder, at_work):
    process, jobs = at_work
    code, said = run(folder, *RESUME)
    assert code == 2
    assert len(said.splitlines()) == 1
    assert f"a workflow is at work (pid {process.pid} on {socket.gethostname()}" in said
    assert " --cores 2): wait for it or stop it" in said
    assert locks(folder)
    assert all(map(is_running, jobs))


@pytest.mark.parametrize("named", [[], ["--snakefile", "none"], ["-s", "none"]])
def test_a_folder_without_a_workflow_is_refused_and_left_as_it_is(tmp_path, named):
    code, said = run(tmp_path, *RESUME, *named)
    assert (code, len(said.splitlines())) == (2, 1)
    name = "none" if named else "Snakefile"
    assert f"mien resume: {name}: no such file: run this in a checkout of mien" in said
    assert not list(tmp_path.iterdir())


def test_after_a_kill_of_everything_the_lock_goes_and_the_rest_is_done(folder, at_work):
    process, _ = at_work
    kill_all(process)
    (folder / "again").touch()
    assert locks(folder)
    code, said = run(folder, *SNAKEMAKE)
    assert code == 1
    assert "LockException" in said
    assert "mien: the last workflow here was killed: `mien resume` goes on" in said
    code, said = run(folder, *RESUME)
    assert code == 0, said
    assert "mien resume: removed the lock of a workflow that was killed" in said
    assert (folder / "a.txt").read_text() == "a\n"
    assert (folder / "b.txt").read_text() == "b\n"
    assert not locks(folder)
    assert not running.records(folder)
    code, said = run(folder, *RESUME)
    assert code == 0
    assert "mien resume:" not in said  # nothing was to be cleared away
    assert "Nothing to be done" in said


def test_jobs_that_outlive_their_workflow_are_ended_before_it_goes_on(folder, at_work):
    process, jobs = at_work
    os.kill(process.pid, signal.SIGKILL)  # not the group: its jobs go on
    process.wait()
    assert all(map(is_running, jobs))
    (folder / "again").touch()
    code, said = run(folder, *SNAKEMAKE)
    assert code == 1
    assert "of a killed workflow still running: `mien resume` ends them" in said
    assert not (folder / "a.txt").exists()
    code, said = run(folder, *RESUME)
    assert code == 0, said
    assert "left running by a workflow that was killed" in said
    assert not any(map(is_running, jobs))
    assert (folder / "a.txt").read_text() == "a\n"


def test_a_job_that_does_not_go_when_asked_is_ended_by_force(bare, monkeypatch):
    monkeypatch.setattr("mien.orphans.PATIENCE", 0.5)
    record = running.add(bare)
    deaf = "import signal, time; signal.signal(15, signal.SIG_IGN); print('!'); time.sleep(600)"
    marks = {"MIEN_WORKFLOWS": f"{bare}/other.json:{record}"}
    job = start_marked(deaf, marks)
    assert not running.jobs_left(bare)  # its workflow, this process, is alive
    record.unlink()
    (left,) = running.jobs_left(bare)
    assert left.pid == job.pid
    said = list(cleared(bare, force=False))
    assert said == [
        f"ended process {job.pid} ({left.command}), left running by a workflow that was killed"
    ]
    assert job.wait(5) == -signal.SIGKILL
    job.stdout.close()


def start_marked(code, marks):
    command = [sys.executable, "-u", "-c", code]
    environment = {**os.environ, **marks}
    job = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert job.stdout.readline() == "!\n"
    return job


def test_jobs_of_another_folder_are_left_alone(tmp_path):
    mine, theirs = tmp_path / "mine", tmp_path / "mine-too"
    record = theirs / ".snakemake/mien/host-1-0.json"
    record.parent.mkdir(parents=True)
    job = start_marked(
        "import time; print('!'); time.sleep(600)", {"MIEN_WORKFLOWS": str(record)}
    )
    assert list(cleared(mine, force=True)) == []
    assert is_running(job.pid)
    assert [left.pid for left in running.jobs_left(theirs)] == [job.pid]
    job.kill()
    job.wait()
    job.stdout.close()


def stale(folder, **changes):
    """Leave the record and the lock of a workflow that no process here holds."""
    path = running.add(folder)
    facts = json.loads(path.read_text()) | changes
    path.unlink()
    left = path.with_name("left.json")  # another file, which nobody has locked
    left.write_text(json.dumps(facts))
    lock = folder / ".snakemake/locks/0.output.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text("a.txt\n")
    return left


@pytest.fixture
def bare(tmp_path):
    (tmp_path / ".snakemake/mien").mkdir(parents=True)
    return tmp_path


@pytest.mark.parametrize(
    "changes",
    [{"host": "elsewhere", "boot": "another"}, {"locked": False}],
    ids=["another machine", "a file system without locks"],
)
def test_a_workflow_that_cannot_be_seen_is_refused_unless_forced(bare, changes):
    path = stale(bare, **changes)
    with pytest.raises(
        running.BusyError, match=r"may be at work elsewhere .*mien resume --force"
    ):
        list(cleared(bare, force=False))
    assert path.exists()
    assert locks(bare)
    assert list(cleared(bare, force=True)) == ["removed the lock of a workflow that was killed"]
    assert not path.exists()
    assert not locks(bare)


def test_a_workflow_from_before_the_machine_was_started_anew_is_dead(bare):
    stale(bare, boot="another")
    assert list(cleared(bare, force=False))
    assert not locks(bare)


def test_a_lock_without_a_record_is_refused_unless_forced(bare):
    stale(bare).unlink()
    with pytest.raises(running.BusyError, match="nothing says whose these are"):
        list(cleared(bare, force=False))
    assert locks(bare)
    assert list(cleared(bare, force=True))


def test_jobs_in_a_cluster_are_named_and_refused_unless_forced(bare):
    stale(bare)
    for name, job in (("YQ==", "4711"), ("Yg==", None), ("@long/Yw==", "4712")):
        marker = bare / ".snakemake/incomplete" / name
        marker.parent.mkdir(parents=True, exist_ok=True)
        marker.write_text(json.dumps({"external_jobid": job}))
    with pytest.raises(running.BusyError, match=r"in the cluster \(4711 4712\): cancel them"):
        list(cleared(bare, force=False))
    assert list(cleared(bare, force=True))


def test_half_written_files_of_processes_that_have_ended_are_removed(bare):
    ended = start_marked("print('!')", {})
    ended.wait()
    ended.stdout.close()
    gone = [
        "results/joint/q3/.x.parquet.{}.tmp",
        "data/raw/.faces.{}.tmp",
        ".metrics.json.{}.tmp",
    ]
    for name in gone:
        path = bare / name.format(ended.pid)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    drawn = bare / f"data/raw/.faces.{ended.pid}0.tmp/train_set"
    drawn.mkdir(parents=True)
    kept = [f"models/.x.{os.getpid()}.tmp", "results/joint/q3/.notes.tmp", "mine/.x.1.tmp"]
    for name in kept:
        (bare / name).parent.mkdir(parents=True, exist_ok=True)
        (bare / name).touch()
    assert list(cleared(bare, force=False)) == ["removed 4 half-written files"]
    left = {str(path.relative_to(bare)) for path in bare.rglob(".*.tmp")}
    assert left == set(kept)


def test_no_workflow_begins_while_another_process_removes_locks(folder):
    with running.guarded(folder, fcntl.LOCK_EX):
        process = start(folder, *SNAKEMAKE, "-q", "all")
        with pytest.raises(AssertionError, match="too late"):
            wait_for(lambda: running.records(folder), seconds=6)
    wait_for(lambda: running.records(folder))
    kill_all(process)
    process.stdout.close()
