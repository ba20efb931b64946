"""What is said of a workflow."""

import os
from pathlib import Path

import pytest

from mien.watch import words
from mien.watch.progress import Job, Left, Progress


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.4, "0 s"),
        (59.4, "59 s"),
        (59.6, "1 min"),
        (125, "2 min 5 s"),
        (3600, "1 h"),
        (4330, "1 h 12 min"),
        (180000, "2 d 2 h"),
    ],
)
def test_a_duration_has_two_units_at_most(seconds, text):
    assert words.duration(seconds) == text


@pytest.mark.parametrize(
    ("left", "text"),
    [
        (Left(38.0, []), "about 40 s left"),
        (Left(1.0, []), "about 5 s left"),
        (Left(200.0, []), "about 3 min left"),
        (Left(200.0, ["train"]), "more than 3 min left"),
        (Left(4000.0, []), "about 1 h 10 min left"),
        (Left(0.0, ["train"]), "time left not known yet"),
        (Left(0.0, []), "about to end"),
        (None, "time left not known"),
    ],
)
def test_what_is_left_is_said_no_surer_than_it_is_known(left, text):
    assert words.left(left) == text


def test_of_a_log_the_last_lines_are_shown_and_of_a_bar_its_last_state(tmp_path):
    path = tmp_path / "x.log"
    bar = "\r".join(f"epoch {share} %" for share in range(101))
    path.write_bytes(b"\xff first\n" + b"".join(b"line %d\n\n" % n for n in range(30)))
    with path.open("a", newline="") as file:
        file.write(f"{bar}\r\nthe end")
    lines = words.tail(path)
    assert len(lines) == words.TAIL_LINES
    assert lines[-3:] == ["line 29", "epoch 100 %", "the end"]
    assert lines[0] == "line 12"


def test_of_a_huge_log_only_the_end_is_read(tmp_path):
    path = tmp_path / "x.log"
    with path.open("wb") as file:
        file.truncate(1 << 40)  # no room on the disk is needed for it
        file.seek(0, 2)
        file.write(b"\nthe end\n")
    assert words.tail(path)[-1] == "the end"


def test_a_job_without_a_log_shows_its_command():
    job = Job("train", "train q3", ["not/there.log"], [], seconds=12.0)
    text = words.failure(job, "mien train q3")
    assert text.splitlines() == [
        "mien: train q3 failed after 12 s:",
        "  not/there.log: nothing is in it",
        "  command: mien train q3",
    ]


def test_of_jobs_elsewhere_it_is_said_what_is_known(tmp_path):
    log, slurm = tmp_path / "encode.log", tmp_path / "5.log"
    log.write_text("why\n")
    slurm.write_text("CANCELLED\n")
    job = Job("train", "train", [str(log)], None, seconds=3.0)
    assert words.failure(job, "mien train q3", "SLURM status is: 'TIMEOUT'.").splitlines() == [
        "mien: train failed after 3 s:",
        "  SLURM status is: 'TIMEOUT'.",
        f"  the end of {log}:",
        "    why",
        "  command: mien train q3",
    ]
    jobs = [Job("encode", "encode", [str(log)], None), Job("decode", "decode", ["d.log"], None)]
    assert words.group_failure(jobs, [str(slurm)]).splitlines() == [
        "mien: encode, decode: a group of jobs in which one failed:",
        f"  the end of {log}:",
        "    why",
        "  d.log: nothing is in it",
        f"  the end of {slurm}:",
        "    CANCELLED",
    ]
    assert "perhaps it could not be submitted" in words.group_failure(jobs, [])


def test_the_summary_names_results_that_jobs_elsewhere_wrote(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    progress = Progress()
    progress.plan({"tables": 1, "figures": 1}, {})
    for name in ("tables/a.md", "figures/old.pdf"):
        Path(name).parent.mkdir()
        Path(name).touch()
    os.utime("figures", (1e9, 1e9))
    progress.finish(1, "tables")
    progress.finish(2, "figures")
    first, *rest = words.ended(progress).splitlines()
    assert first.startswith("mien: 2 jobs done in ")
    assert rest == ["  tables/  Markdown, LaTeX and CSV"]


def test_the_summary_names_the_results_that_were_written():
    progress = Progress(clock=lambda: 0.0)
    progress.plan({"tables": 1}, {})
    progress.start(1, "tables", "tables", [], ["tables/table1.md", "metrics.json", "x/y.csv"])
    progress.finish(1, "tables")
    assert words.ended(progress).splitlines() == [
        "mien: 1 job done in 0 s",
        "  metrics.json  every number, for `dvc metrics diff`",
        "  tables/       Markdown, LaTeX and CSV",
    ]


def test_the_summary_of_other_targets_names_their_folders():
    progress = Progress(clock=lambda: 0.0)
    progress.plan({"models": 1}, {})
    progress.start(1, "models", "models", [], ["models/codec/q1.json", "done.txt"])
    progress.finish(1, "models")
    assert words.ended(progress).splitlines()[1:] == ["  models/codec/", "  done.txt"]
