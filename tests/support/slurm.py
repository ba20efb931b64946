"""A SLURM cluster of one machine on loopback, with two GPUs that are /dev/null's twins.

Its configuration has to be at /etc/slurm, where jobs look for it (Snakemake's plugin takes
SLURM_CONF out of their environment). What was there is put back: after a run that was killed,
by the next one.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import socket
import stat
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "srun", "squeue", "scontrol", "setpriv")
ETC = Path("/etc/slurm")
FILES = ("slurm.conf", "gres.conf", "cgroup.conf")
BEFORE = ".before-the-test"
N_GPUS = 2
# As slurmd sees it when a job starts, before anything of ours runs.
PROLOG = """\
#!/bin/sh
echo "$SLURM_JOB_GPUS" > {folder}/gpus-of-$SLURM_JOB_ID
"""

CONFIG = """\
ClusterName=loopback
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmctldPort={ports[0]}
SlurmdPort={ports[1]}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
GresTypes=gpu
AccountingStorageType=accounting_storage/none
JobAcctGatherType=jobacct_gather/none
MinJobAge=3600
ReturnToService=2
Prolog={folder}/prolog
SchedulerParameters=batch_sched_delay=0,sched_interval=1
NodeName={host} NodeAddr=127.0.0.1 CPUs=32 RealMemory=256000 Gres=gpu:{gpus} State=UNKNOWN
PartitionName=main Nodes={host} Default=YES MaxTime=INFINITE State=UP
"""


def why_not() -> str | None:
    """Return why no cluster can be started here, None if one can."""
    missing = [name for name in PROGRAMS if shutil.which(name) is None]
    if missing:
        return f"not installed: {', '.join(missing)} (apt-get install slurm-wlm munge)"
    if os.geteuid() != 0:
        return "slurmd needs root"
    if _answers():
        return "this machine is part of a SLURM cluster already"
    return None


def _answers() -> bool:
    """Return whether /etc/slurm is of a controller that runs, and not of a test before."""
    if not (ETC / "slurm.conf").exists() or "loopback" in (ETC / "slurm.conf").read_text():
        return False
    out = subprocess.run(["scontrol", "ping"], capture_output=True, text=True, timeout=60)
    return " is UP" in out.stdout


@dataclass(frozen=True)
class Job:
    """What SLURM says of a job.

    Attributes:
        name: Rule or group, with its wildcards.
        state: Such as COMPLETED.
        cpus: Asked for, of its one task.
        memory: Asked for.
        limit: Of its time.
        n_gpus: Asked for.
        gpus: The numbers of those that it was given.
        start: When; these compare as text.
        end: When.
    """

    name: str
    state: str
    cpus: int
    memory: str
    limit: str
    n_gpus: int
    gpus: list[str]
    start: str
    end: str


@contextmanager
def cluster(folder: Path) -> Iterator[None]:
    """Run a cluster while the block runs; its daemons end with this process, even if killed.

    Args:
        folder: For its state and logs.
    """
    with ExitStack() as stack:
        stack.enter_context(_alone())
        stack.enter_context(_configured(folder))
        _make_munge_key(folder)
        for command in _daemons(folder):
            stack.enter_context(_running(command, folder))
            if command[0] == "munged":
                _wait_for(["munge", "--socket", str(folder / "munge.socket"), "-n"])
        _wait_for(["sinfo", "--noheader", "--states=idle"], says="idle")
        yield


def jobs(folder: Path) -> list[Job]:
    """Return every job that the cluster has run, and what it was given."""
    out = subprocess.run(
        ["scontrol", "show", "job", "--oneliner"], capture_output=True, text=True, check=True
    )
    return [
        _job(dict(re.findall(r"(\S+?)=(\S*)", line)), folder)
        for line in out.stdout.splitlines()
    ]


def _job(facts: dict[str, str], folder: Path) -> Job:
    given = (folder / f"gpus-of-{facts['JobId']}").read_text().strip()
    return Job(
        facts["Comment"],
        facts["JobState"],
        int(facts["CPUs/Task"]),
        facts["MinMemoryNode"],
        facts["TimeLimit"],
        int(facts.get("TresPerJob", "gpu:0").rpartition(":")[2]),
        given.split(",") if given else [],
        facts["StartTime"],
        facts["EndTime"],
    )


@contextmanager
def _alone() -> Iterator[None]:
    with Path("/tmp/mien-test-slurm.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def _configured(folder: Path) -> Iterator[None]:
    _restore()
    ETC.mkdir(exist_ok=True)
    for name in FILES:
        if (ETC / name).exists():
            (ETC / name).rename(ETC / f"{name}{BEFORE}")
    for name in ("state", "spool"):
        (folder / name).mkdir()
    for number in range(N_GPUS):
        os.mknod(folder / f"gpu{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (folder / "prolog").write_text(PROLOG.format(folder=folder))
    (folder / "prolog").chmod(0o755)
    host = socket.gethostname().split(".")[0]
    text = CONFIG.format(host=host, folder=folder, ports=_free_ports(2), gpus=N_GPUS)
    (ETC / "slurm.conf").write_text(text)
    gpus = f"NodeName={host} Name=gpu File={folder}/gpu[0-{N_GPUS - 1}]\n"
    (ETC / "gres.conf").write_text("AutoDetect=off\n" + gpus)
    try:
        yield
    finally:
        _restore()


def _restore() -> None:
    """Put back what was there before a test, if one has been here."""
    config = ETC / "slurm.conf"
    if config.exists() and "ClusterName=loopback\n" in config.read_text():
        for name in FILES:
            (ETC / name).unlink(missing_ok=True)
    for name in FILES:
        if (ETC / f"{name}{BEFORE}").exists():
            (ETC / f"{name}{BEFORE}").rename(ETC / name)


def _free_ports(n: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(n)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _make_munge_key(folder: Path) -> None:
    (folder / "munge.key").write_bytes(os.urandom(128))
    (folder / "munge.key").chmod(0o400)


def _daemons(folder: Path) -> list[list[str]]:
    places = {"key": "key", "socket": "socket", "pid": "pid", "log": "log", "seed": "seed"}
    options = [
        option
        for name, suffix in places.items()
        for option in (_munge_option(name), str(folder / f"munge.{suffix}"))
    ]
    return [
        ["munged", "--foreground", "--force", *options],
        ["slurmctld", "-D"],
        ["slurmd", "-D"],
    ]


def _munge_option(name: str) -> str:
    return "--socket" if name == "socket" else f"--{name}-file"


@contextmanager
def _running(command: list[str], folder: Path) -> Iterator[None]:
    with (folder / f"{command[0]}.out").open("w") as out:
        process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", *command], stdout=out, stderr=out
        )
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_for(command: list[str], says: str = "", seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while True:
        out = subprocess.run(command, capture_output=True, text=True)
        if out.returncode == 0 and says in out.stdout:
            return
        assert time.monotonic() < deadline, f"{command}: {out.stdout}{out.stderr}"
        time.sleep(0.2)
