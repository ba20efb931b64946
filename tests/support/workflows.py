"""Real Snakemake on a small Snakefile, and what can happen to its processes."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
BEGIN = """
from pathlib import Path
from mien import running
if workflow.is_main_process and not workflow.output_settings.dryrun:
    running.begin(Path.cwd())
"""  # as the Snakefile of the project does


def write(folder, rules):
    (folder / "Snakefile").write_text(BEGIN + rules)


def start(folder, *command):
    """Start a command in a process group of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", *command],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
        preexec_fn=heed_interrupts,
        env={**os.environ, "PYTHONWARNINGS": "ignore"},
    )


def heed_interrupts():
    """Undo what a shell does to its background jobs, the tests perhaps among them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def run(folder, *command):
    """Run a command to its end; return its exit code and what it said."""
    with start(folder, *command) as process:
        try:
            said, _ = process.communicate(timeout=120)
        finally:
            kill_all(process)
    return process.returncode, said


def wait_for(condition, seconds=60.0):
    """Wait until a condition holds, and return what it returned."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "too late"
        time.sleep(0.05)
    return found


def kill_all(process):
    """Kill whatever is left of a process group."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    process.wait()


def is_running(pid):
    """Return whether a process lives, a zombie being dead."""
    status = Path(f"/proc/{pid}/stat")
    return status.exists() and status.read_text().rpartition(")")[2].split()[0] != "Z"
