"""A release: one version everywhere, which commit a copy is of, and what is built from it."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from email.parser import Parser
from importlib.metadata import version
from pathlib import Path

import pytest
import yaml

from mien import cli

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
SAID = "from mien import provenance as p; print(p.described_version(), p.source_commit())"
UNKNOWN = "commit unknown: no git checkout, and none was recorded"
PLAIN = {
    **{name: value for name, value in os.environ.items() if not name.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": os.devnull,
    "PYTHONDONTWRITEBYTECODE": "1",
}
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")
GENERATED = re.compile(r"PKG-INFO|setup\.cfg|src/mien\.egg-info/.*")
IN_GIT = (ROOT / ".git").exists()


def run(*command, cwd, **variables):
    done = subprocess.run(
        command, cwd=cwd, env={**PLAIN, **variables}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def said(source, **variables):
    """Return what `mien --version` of a source says, and what its outputs name."""
    text = run(sys.executable, "-c", SAID, cwd="/", PYTHONPATH=str(source), **variables)
    return re.fullmatch(r"\S+ \((.*)\) (\S+)", text).groups()


def cloned(repository, place):
    run(*GIT, "clone", "--quiet", str(repository), str(place / "clone"), cwd="/")
    return place / "clone"


def change(checkout):
    with (checkout / "README.md").open("a") as file:
        file.write("More.\n")


def build(what, source, folder):
    """Build a `wheel` or an `sdist` with the tools that are here, and return its file."""
    code = f"from setuptools import build_meta; print(build_meta.build_{what}({str(folder)!r}))"
    return folder / run(sys.executable, "-c", code, cwd=source).splitlines()[-1]


def test_the_version_is_the_same_everywhere():
    number, date = re.search(
        r"^## (\S+) \((\d{4}-\d\d-\d\d)\)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE
    ).groups()
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert number == PROJECT["version"] == citation["version"]
    assert date == citation["date-released"]
    assert citation["license"] == PROJECT["license"]


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    """Return a repository with all that a wheel is made from, and its short commit."""
    folder = tmp_path_factory.mktemp("repository")
    left_out = shutil.ignore_patterns("__pycache__", "*.egg-info")
    shutil.copytree(ROOT / "src", folder / "src", ignore=left_out)
    for name in (".gitattributes", ".gitignore", "LICENSE", "README.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("MANIFEST.in", "params.yaml", "pyproject.toml", "setup.py"):
        shutil.copy(ROOT / name, folder)
    # As in git, also where these tests lie in an sdist, whose commit was recorded.
    commit = folder / "src/mien/commit.py"
    text = re.sub(r'"[^"]*"$', '"$Format:%H$"', commit.read_text().rstrip())
    commit.write_text(f"{text}\n")
    run(*GIT, "init", "--quiet", cwd=folder)
    run(*GIT, "add", "--all", cwd=folder)
    run(*GIT, "commit", "--quiet", "--message", "All", cwd=folder)
    return folder, run(*GIT, "rev-parse", "--short=10", "HEAD", cwd=folder)


@pytest.fixture(scope="module")
def built(repository, tmp_path_factory):
    """Return an sdist, a wheel made from it without git, and the commit of both."""
    folder, commit = repository
    place = tmp_path_factory.mktemp("dist")
    sdist = build("sdist", folder, place)
    run("tar", "-xf", str(sdist), cwd=place)
    unpacked = place / f"mien-{PROJECT['version']}"
    return unpacked, build("wheel", unpacked, place), commit


def test_the_command_says_version_and_commit(capsys):
    with pytest.raises(SystemExit, match="0"):
        cli.main(["--version"])
    number = re.escape(version("mien"))
    commit = rf"commit [0-9a-f]{{10}}(, modified)?|{UNKNOWN}"
    assert re.fullmatch(rf"mien {number} \(({commit})\)\n", capsys.readouterr().out)


def test_git_is_asked_only_when_somebody_wants_to_know(monkeypatch):
    monkeypatch.setattr("mien.provenance._git", lambda *_: pytest.fail("it was asked"))
    cli.parser()


def test_a_checkout_says_its_commit_and_whether_it_was_changed(repository, tmp_path):
    folder, commit = repository
    clone = cloned(folder, tmp_path)
    assert said(clone / "src") == (f"commit {commit}", commit)
    (clone / "src/mien/untracked.txt").touch()
    (clone / "params.yaml").write_text("a preset\n")  # its values are recorded elsewhere
    assert said(clone / "src") == (f"commit {commit}", commit)
    change(clone)
    assert said(clone / "src") == (f"commit {commit}, modified", f"{commit}-dirty")


def test_a_copy_without_git_says_that_nothing_is_known(repository, tmp_path):
    shutil.copytree(repository[0] / "src", tmp_path / "src")
    for source, variables in (
        (tmp_path / "src", {}),
        (repository[0] / "src", {"PATH": ""}),  # git is not installed
    ):
        text, named = said(source, **variables)
        assert text == UNKNOWN
        assert re.fullmatch(r"v\d\S+", named)


def test_a_copy_inside_another_repository_is_not_of_its_commit(repository, tmp_path):
    run(*GIT, "init", "--quiet", cwd=tmp_path)
    run(*GIT, "commit", "--quiet", "--allow-empty", "--message", "Other", cwd=tmp_path)
    shutil.copytree(repository[0] / "src", tmp_path / "venv/src")
    assert said(tmp_path / "venv/src")[0] == UNKNOWN


def test_an_archive_of_git_says_its_commit(repository, tmp_path):
    folder, commit = repository
    run(*GIT, "archive", "--output", str(tmp_path / "a.tar"), "HEAD", cwd=folder)
    (tmp_path / "a").mkdir()
    run("tar", "-xf", "../a.tar", cwd=tmp_path / "a")
    assert said(tmp_path / "a/src") == (f"commit {commit}", commit)


def test_a_wheel_and_an_sdist_say_the_commit_they_were_built_from(built, tmp_path):
    unpacked, wheel, commit = built
    assert said(unpacked / "src") == (f"commit {commit}", commit)
    with zipfile.ZipFile(wheel) as file:
        file.extractall(tmp_path)
    assert said(tmp_path) == (f"commit {commit}", commit)


def test_a_build_leaves_the_source_as_it_is(repository, built):
    assert built
    assert run(*GIT, "status", "--porcelain", cwd=repository[0]) == ""
    assert "$Format" in (repository[0] / "src/mien/commit.py").read_text()


def test_a_changed_source_is_built_as_modified(repository, tmp_path):
    folder, commit = repository
    clone = cloned(folder, tmp_path)
    change(clone)
    with zipfile.ZipFile(build("wheel", clone, tmp_path)) as file:
        assert f'"{commit}-dirty"' in file.read("mien/commit.py").decode()


def test_a_wheel_holds_every_file_of_the_packages_and_no_other(repository, built):
    sources = {
        str(path.relative_to(repository[0] / "src"))
        for path in (repository[0] / "src").rglob("*")
        if path.is_file() and not {"__pycache__", "mien.egg-info"} & set(path.parts)
    }
    with zipfile.ZipFile(built[1]) as file:
        names = set(file.namelist())
        facts = file.read(f"mien-{PROJECT['version']}.dist-info/METADATA").decode()
    assert {name for name in names if ".dist-info/" not in name} == sources
    assert {"mien/py.typed", "mien/report/published.csv", "mien/report/page.css"} <= sources
    assert Parser().parsestr(facts)["Version"] == PROJECT["version"]


@pytest.mark.skipif(not IN_GIT, reason="nothing says what is tracked")
def test_an_sdist_holds_what_git_tracks_and_no_more(tmp_path):
    """Of this very tree, with all that lies beside what is tracked."""
    tracked = set(run(*GIT, "ls-files", cwd=ROOT).splitlines())
    run(sys.executable, "setup.py", "-q", "egg_info", "--egg-base", str(tmp_path), cwd=ROOT)
    listed = (tmp_path / "mien.egg-info/SOURCES.txt").read_text().splitlines()
    names = {os.path.relpath(ROOT / name, ROOT) for name in listed}
    assert {name for name in names if not name.startswith("..")} == tracked
