"""A finished project under git and DVC, made once, and runs from scratch to compare with."""

import pytest

from tests.support.project import (
    drawn_raw,
    from_scratch,
    identity,
    new_project,
    served_commands,
)


@pytest.fixture(scope="session")
def environment(tmp_path_factory):
    with served_commands(tmp_path_factory.mktemp("commands")) as environment:
        yield environment


@pytest.fixture(scope="session")
def finished(tmp_path_factory, environment):
    """Return a project after its first `dvc repro`, committed and pushed to a folder.

    Situation 1, the first run, is what it notes.
    """
    folder = tmp_path_factory.mktemp("first")
    project = new_project(folder / "project", environment, drawn_raw(folder / "raw"))
    project.run("dvc", "remote", "add", "--default", "store", str(folder / "remote"))
    project.commit("A remote")
    project.first = project.repro()
    project.status = project.run("git", "status", "--short")
    project.commit("The first run")
    project.run("dvc", "push")
    return project


@pytest.fixture(scope="session")
def scratch(tmp_path_factory):
    """Return a function that runs a project's revision from scratch, once."""
    known = {}

    def run(project):
        key = identity(project)
        if key not in known:
            known[key] = from_scratch(project, tmp_path_factory.mktemp("scratch"))
        return known[key]

    return run
