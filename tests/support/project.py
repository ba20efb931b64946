"""A copy of this project with a tiny params.yaml, as a git repository under DVC's care."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import yaml

from mien import outputs, paths
from mien.data.faces import write_affectnet
from mien.params import Params

ROOT = Path(__file__).parents[2]
SERVED = ROOT / "tests/support/served.py"
TINY = ROOT / "tests/workflow/tiny.yaml"
PARTS = (
    ".dvc",
    ".dvcignore",
    ".gitignore",
    "Snakefile",
    "dvc.yaml",
    "profiles",
    "src",
    "workflow",
)
TIMES = {str(paths.TIMINGS), str(paths.TIMINGS_TABLE)}
TIMED = re.compile(r"/(en|de)code_seconds\.parquet$")
LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.egg-info", "cache", "tmp", "config.local")
SNAKEMAKE = ("snakemake", "--cores", "all", "--resources", "gpu=1")
# One thread a job: jobs side by side leave none idle, and nothing depends on the machine.
PROFILE = "max-threads: 1\n"


@contextmanager
def served_commands(folder):
    """Yield the environment in which `mien`, `snakemake` and `dvc` start without loading."""
    commands, pinned, socket = folder / "bin", folder / "git", folder / "socket"
    commands.mkdir()
    pinned.mkdir()
    for name in ("mien", "snakemake", "dvc"):
        command = f'exec {sys.executable} -S -E {SERVED} run {socket} {name} "$@"'
        _script(commands / name, command)
    # Who made a file is the one thing that a run from scratch cannot know: pinned.
    git = shutil.which("git")
    _script(pinned / "git", f'[ "$1" = describe ] && echo pinned || exec {git} "$@"')
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text(PROFILE)
    usual = [str(pinned), str(Path(sys.executable).parent), os.environ["PATH"]]
    environment = {
        **{key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
        "PATH": os.pathsep.join([str(commands), *usual]),
        "PYTHONWARNINGS": "ignore",
        "OMP_NUM_THREADS": "1",
        "SNAKEMAKE_PROFILE": str(folder / "profile"),
        "GIT_CONFIG_GLOBAL": str(folder / "gitconfig"),
        "DVC_SITE_CACHE_DIR": str(folder / "site"),
        "DVC_GLOBAL_CONFIG_DIR": str(folder / "dvc"),
    }
    (folder / "gitconfig").write_text("[user]\nname = tester\nemail = tester@localhost\n")
    log = (folder / "served.log").open("w")
    server = subprocess.Popen(
        [sys.executable, "-P", str(SERVED), "serve", str(socket)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=log,
        text=True,
    )
    try:
        assert server.stdout.readline() == "ready\n", (folder / "served.log").read_text()
        yield environment
    finally:
        server.terminate()
        server.communicate()
        log.close()


def unserved(environment):
    """Return the same environment with commands that load everything, as a user's do."""
    _, usual = environment["PATH"].split(os.pathsep, 1)
    return environment | {"PATH": usual}


def _script(path, line):
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


class Project:
    """A working tree, what is run in it, and how many jobs that was."""

    def __init__(self, folder, environment):
        self.folder = Path(folder)
        self.journal = self.folder.with_name(f"{self.folder.name}.jobs")
        self.environment = {**environment, "JOBS": str(self.journal)}

    def run(self, *command, fails=False):
        """Run a command, which must succeed (or fail), and return what it said."""
        out = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True
        )
        said = out.stdout + out.stderr
        assert (out.returncode != 0) is fails, f"{' '.join(command)}\n{said[-6000:]}"
        return said

    def jobs(self, *command, fails=False):
        """Run a command and return the jobs that it ran, sorted: `encode-run joint q3`."""
        self.journal.write_text("")
        self.said = self.run(*command, fails=fails)
        lines = [line.split() for line in self.journal.read_text().splitlines()]
        jobs = [" ".join(words[1:]) for words in lines if words[0] == "mien"]
        return sorted(job.removesuffix(" --threads 1") for job in jobs)

    def repro(self):
        return self.jobs("dvc", "repro")

    def snakemake(self):
        return self.jobs(*SNAKEMAKE)

    def commit(self, message):
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", message)

    def set(self, section, key, value):
        """Change one value of params.yaml."""
        tree = self.tree()
        tree[section][key] = value
        (self.folder / "params.yaml").write_text(yaml.safe_dump(tree))

    def tree(self):
        return yaml.safe_load((self.folder / "params.yaml").read_text())

    def edit(self, name, old, new):
        """Change the text of a file, whose time then says long ago."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        os.utime(path, (1e9, 1e9))

    def copy(self, folder):
        """Return this project as it is, caches and times included, at another place."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Project(folder, self.environment)

    def clone(self, folder):
        """Return a clone of the current commit, with nothing that git does not hold."""
        self.run("git", "clone", "--quiet", ".", str(folder))
        return Project(folder, self.environment)

    def damaged(self):
        """Return the objects of DVC's cache that are not what their names say."""
        every = (self.folder / ".dvc/cache/files/md5").glob("??/*")
        return [
            str(path)
            for path in every
            if hashlib.md5(path.read_bytes()).hexdigest()
            != path.parent.name + path.name.removesuffix(".dir")
        ]

    def contents(self):
        """Return a digest of every output, less what two equal runs differ in: times."""
        every = outputs.everything(Params.model_validate(self.tree()))
        every = [name for name in every if name not in TIMES and not TIMED.search(name)]
        found = {name: _content(self.folder / name) for name in every}
        for manifest in sorted((self.folder / paths.SHARDS).rglob("*.tar")):
            found[str(manifest.relative_to(self.folder))] = _content(manifest)
        return found


def _content(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def new_project(folder, environment, raw):
    """Return a repository of this project's tracked parts, tiny params, raw data under DVC."""
    folder.mkdir()
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, ignore=LEFT_OUT)
        else:
            shutil.copy(source, folder / part)
    (folder / "weights").mkdir()
    (folder / "weights/README.md").write_text("None here.\n")
    shutil.copy(TINY, folder / "params.yaml")
    shutil.copytree(raw, folder / "data/raw/mine")
    project = Project(folder, environment)
    project.run("git", "init", "--quiet", "--initial-branch", "main")
    project.run("dvc", "add", "--quiet", "data/raw/mine")
    project.commit("The tiny preset")
    return project


def drawn_raw(folder):
    """Return a folder of raw pictures in AffectNet's layout."""
    write_affectnet(folder, 32, 8, 3, 1)
    return folder


def from_scratch(project, folder):
    """Return what Snakemake alone makes of this source, these params and these pictures."""
    fresh = Project(folder, project.environment)
    names = project.run("git", "ls-files", "-z").split("\0")
    for name in filter(None, names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(project.folder / name, folder / name)
    shutil.copytree(project.folder / "data/raw/mine", folder / "data/raw/mine")
    fresh.run(*SNAKEMAKE[:4], "gpu=2")
    return fresh.contents()


def identity(project):
    """Return what decides the outputs of a project: source, rules, params, pictures."""
    digest = hashlib.sha256(json.dumps(project.tree(), sort_keys=True).encode())
    files = [
        file
        for part in ("Snakefile", "workflow", "src", "data/raw/mine")
        for file in ([project.folder / part], sorted((project.folder / part).rglob("*")))[
            (project.folder / part).is_dir()
        ]
        if file.is_file() and "__pycache__" not in file.parts
    ]
    for file in files:
        name = file.relative_to(project.folder).as_posix()
        digest.update(f"{name}\0".encode() + file.read_bytes())
    return digest.hexdigest()
