"""What a person sees, from a real Snakemake with a small Snakefile."""

import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

from tests.support.workflows import run, start, wait_for, write

RULES = """
rule all:
    input: "tables/a.md", "tables/b.md", "report/index.html"
rule table:
    output: "tables/{name}.md"
    log: "logs/{name}.log"
    shell: "(echo begun; sleep 1; test ! -e broken && touch {output}) &> {log}"
rule page:
    input: "tables/a.md", "tables/b.md"
    output: "report/index.html"
    log: "logs/page.log"
    shell: "(for i in $(seq 40); do echo line $i; done; test ! -e bad; touch {output}) &> {log}"
"""
SNAKEMAKE = ("snakemake", "--cores", "2", "--logger", "mien")


@pytest.fixture
def folder(tmp_path):
    write(tmp_path, RULES)
    return tmp_path


def test_a_run_says_what_it_does_and_where_the_results_are(folder):
    code, said = run(folder, *SNAKEMAKE)
    assert code == 0, said
    first, *rest = said.splitlines()
    assert first.startswith("mien: 3 jobs: ")
    assert "2 table" in first
    assert "1 page" in first
    assert "all" not in first
    assert re.fullmatch(r"mien: 3 jobs done in \d+ s", rest[0])
    assert rest[1].startswith("  report/index.html ")
    assert rest[2].startswith("  tables/ ")
    assert len(rest) == 3  # a line of progress comes after ten seconds
    code, said = run(folder, *SNAKEMAKE)
    assert (code, len(said.splitlines())) == (0, 1)
    assert "Nothing to be done" in said


def test_a_failure_shows_the_end_of_the_jobs_log_once(folder):
    (folder / "bad").touch()
    code, said = run(folder, *SNAKEMAKE)
    assert code == 1
    assert re.search(r"^mien: page failed after \d+ s:$", said, re.MULTILINE)
    assert "  the end of logs/page.log:" in said
    shown = re.findall(r"^    line (\d+)$", said, re.MULTILINE)
    assert shown == [str(number) for number in range(21, 41)]
    assert re.search(r"^mien: stopped after \d+ s: 2 of 3 jobs done, 1 failed:$", said, re.M)
    assert "\n  page  logs/page.log\n" in said
    assert "Traceback" not in said
    assert "RuleException" not in said


def test_a_job_that_is_tried_again_fails_once(folder):
    (folder / "bad").touch()
    code, said = run(folder, *SNAKEMAKE, "--retries", "1")
    assert code == 1
    assert said.count("mien: page failed after") == 2
    assert re.search(r"^mien: stopped after \d+ s: 2 of 3 jobs done, 1 failed:$", said, re.M)
    assert said.count("\n  page  logs/page.log\n") == 1


def test_a_job_that_leaves_out_its_output_is_named_in_the_end(folder):
    (folder / "Snakefile").write_text(
        RULES.replace("touch {output}) &> {log}", "true) &> {log}")
    )
    code, said = run(folder, *SNAKEMAKE, "--latency-wait", "0", "--keep-going")
    assert code == 1
    assert "MissingOutputException" in said
    assert re.search(r"^mien: stopped after \d+ s: 0 of 3 jobs done, 2 failed:$", said, re.M)
    assert {"  table a  logs/a.log", "  table b  logs/b.log"} <= set(said.splitlines())


def test_quiet_rules_and_quiet_progress_keep_failures_and_the_summary(folder):
    (folder / "bad").touch()
    _, said = run(folder, *SNAKEMAKE, "--quiet", "rules", "progress")
    assert "mien: page failed" in said
    assert re.search(
        r"^mien: stopped after \d+ s, 1 failed:\n  page  logs/page.log$", said, re.M
    )
    assert "mien: 3 jobs" not in said
    (folder / "bad").unlink()
    code, said = run(folder, *SNAKEMAKE, "--quiet", "progress")
    assert (code, "mien:" in said) == (0, False), said


@pytest.mark.parametrize("option", ["-n", "--verbose"])
def test_a_dry_run_and_a_verbose_one_are_left_as_they_are(folder, option):
    code, said = run(folder, *SNAKEMAKE, option)
    assert code == 0
    assert "mien:" not in said
    assert "Job stats:" in said
    assert "rule table:" in said


def test_errors_before_any_job_are_printed(folder):
    code, said = run(folder, "snakemake", "no/such/file", *SNAKEMAKE[1:])
    assert code == 1
    assert "MissingRuleException" in said
    assert "mien:" not in said


def test_an_interrupted_run_says_how_to_go_on(folder):
    process = start(folder, *SNAKEMAKE)
    wait_for(lambda: list(folder.glob("logs/*.log")))
    os.killpg(process.pid, signal.SIGINT)  # as Ctrl-C does
    said, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    stopped = (
        r"^mien: stopped after \d+ s: 0 of 3 jobs done: the same command, or `mien resume`"
    )
    assert re.search(stopped, said, re.MULTILINE), said
    assert "failed" not in said


def in_terminal(folder, *command):
    """Run a command in a terminal of 60 columns; return what it drew."""
    own, other = pty.openpty()
    environment = {**os.environ, "COLUMNS": "60", "TERM": "xterm", "PYTHONWARNINGS": "ignore"}
    process = subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        stdin=other,
        stdout=other,
        stderr=other,
        env=environment,
    )
    os.close(other)
    drawn = b""
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            part = os.read(own, 4096)
        except OSError:  # the terminal's other end is closed
            break
        if not part:
            break
        drawn += part
    os.close(own)
    assert process.wait(10) == 0, drawn
    return drawn.decode()


def test_in_a_terminal_one_line_is_drawn_anew_and_cleared_in_the_end(folder):
    drawn = in_terminal(folder, *SNAKEMAKE)
    states = re.findall(r"\r\x1b\[K(mien: \d of 3 jobs, [^\r]*)", drawn)
    assert len(states) >= 3
    assert all(len(state) <= 59 for state in states)
    assert "time left not known yet" in states[0]
    assert any(re.search(r"2 of 3 jobs, 66 %", state) for state in states)
    assert re.search(r"\r\x1b\[Kmien: 3 jobs done in \d+ s\r\n", drawn)
    lines = drawn.split("\r\n")
    assert len([line for line in lines if line]) == 4  # the plan, and the summary of three
    (folder / "tables/a.md").unlink()
    again = in_terminal(folder, *SNAKEMAKE)
    assert re.search(
        r"mien: 0 of 2 jobs, 0 %, 0 s, about \d+ s left", again
    )  # by the first run
