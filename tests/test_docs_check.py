"""What the pages claim is checked: a claim that is broken on purpose is found, in its line."""

import shutil
import subprocess
from pathlib import Path

import pytest

from docs import check, links, reference

ROOT = Path(__file__).parents[1]
README = """# Project

![Curve](docs/images/curve.png)

*`make demo`: n = 480 images, commit 1234abc; [its page](docs/results/speed.md).*

It takes 38 minutes ([its page](docs/results/speed.md#on-one-core)).
"""
COMMAND = "python benchmarks/speed.py --json speed.json"
RESULTS = f"""# Speed

    {COMMAND}

Seed 0, the median of 5 rounds, in brackets the lowest and the highest.

## On one core

AMD EPYC, commit 1234abc5.

| What | Key |
| --- | --- |
| 3 ms (2 to 4) | `speed` |
"""
GUIDE = """# Guide

Links to [results](results/speed.md) and [the project](../README.md#project).

## As it was run

On two x86-64 cores: `python -m benchmarks.speed`, see `presets/small.yaml`.
"""
FILES = {
    "README.md": README,
    "docs/results/speed.md": RESULTS,
    "docs/guide.md": GUIDE,
    "docs/images/curve.png": "",
    "benchmarks/speed.py": "",
    "presets/small.yaml": "",
}
GIT = ("git", "-c", "user.name=a", "-c", "user.email=a@example.org")


@pytest.fixture
def project(tmp_path):
    """Return a project without git whose pages claim nothing that is not so."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def change(project, name, old, new):
    text = (project / name).read_text()
    assert old in text
    (project / name).write_text(text.replace(old, new))


def found(project):
    return [(finding.file, finding.line, finding.wrong) for finding in check.findings(project)]


def test_the_pages_of_this_project_claim_nothing_that_is_not_so():
    assert found(ROOT) == []


def test_pages_without_a_wrong_claim_have_no_finding(project):
    assert found(project) == []


@pytest.mark.parametrize("name", ["benchmarks/speed.py", "presets/small.yaml"])
def test_a_missing_source_is_found_where_it_is_named(project, name):
    (project / name).unlink()
    lines = {(file, line) for file, line, wrong in found(project) if name in wrong}
    assert (
        lines
        == {
            "benchmarks/speed.py": {("docs/results/speed.md", 3), ("docs/guide.md", 7)},
            "presets/small.yaml": {("docs/guide.md", 7)},
        }[name]
    )


@pytest.mark.parametrize(
    ("old", "new", "line", "wrong"),
    [
        (f"    {COMMAND}", f"`{COMMAND}`", 11, "a result without the command that made it"),
        (", commit 1234abc5", "", 11, "a result without commit"),
        ("AMD EPYC, c", "C", 11, "a result without class of machine"),
        ("the median of 5 rounds", "the median", 11, "a result without n"),
        ("Seed 0, t", "T", 1, "a result without seed"),
        (", in brackets the lowest and the highest", "", 1, "a result without spread"),
        ("## On one core", "## Elsewhere", 7, "docs/results/speed.md has no heading"),
    ],
)
def test_a_page_of_results_says_how_it_was_made(project, old, new, line, wrong):
    change(project, "docs/results/speed.md", old, new)
    file = "README.md" if "heading" in wrong else "docs/results/speed.md"
    assert [(f, n) for f, n, said in found(project) if said.startswith(wrong)] == [(file, line)]


def test_what_another_section_says_does_not_count(project):
    change(project, "docs/results/speed.md", "# Speed\n", "# Speed\n\n## Made\n")
    wrongs = [wrong for file, _, wrong in found(project) if file == "docs/results/speed.md"]
    assert wrongs == ["a result without n", "a result without the command that made it"]


def test_what_is_said_of_an_earlier_run_below_the_table_does_not_count(project):
    change(project, "docs/results/speed.md", ", commit 1234abc5", "")
    with (project / "docs/results/speed.md").open("a") as file:
        file.write("\nIt was 4 ms at commit 1234abc.\n")
    assert found(project) == [("docs/results/speed.md", 11, "a result without commit")]


def test_a_page_of_results_without_a_table_has_to_say_it_too(project):
    (project / "docs/results/more.md").write_text("# More\n\nIt is 5 % faster.\n")
    assert len([1 for file, _, _ in found(project) if file == "docs/results/more.md"]) == 6


@pytest.mark.parametrize(
    ("name", "old", "new", "line"),
    [
        ("docs/guide.md", "`python -m benchmarks.speed`", "by hand", 5),
        ("README.md", "`make demo`: n", "n", 3),
    ],
)
def test_a_measurement_elsewhere_names_its_command_or_links_its_page(
    project, name, old, new, line
):
    for page in ("docs/guide.md", "README.md"):
        text = (project / page).read_text()
        (project / page).write_text(text.replace("results/speed.md", "guide.md"))
    change(project, name, old, new)
    assert (name, line, "a measurement without its command") in found(project)


def test_a_measured_number_of_the_readme_links_its_page(project):
    change(project, "README.md", " ([its page](docs/results/speed.md#on-one-core))", "")
    ((file, line, wrong),) = found(project)
    assert (file, line) == ("README.md", 7)
    assert "38 minutes" in wrong


def test_a_commit_of_the_readme_is_on_the_page_it_links(project):
    change(project, "README.md", "commit 1234abc", "commit 1234abd")
    assert found(project) == [
        ("README.md", 5, "commit 1234abd is not on docs/results/speed.md")
    ]


@pytest.mark.parametrize(
    ("link", "wrong"),
    [
        ("results/sped.md", "there is no docs/results/sped.md"),
        ("results/speed.md#on-two", "docs/results/speed.md has no heading #on-two"),
        ("../../outside.md", "there is no ../outside.md"),
        ("https://example", "https://example is no address"),
        ("htp://example.org", "htp://example.org is no address"),
    ],
)
def test_a_broken_link_is_found(project, link, wrong):
    change(project, "docs/guide.md", "(results/speed.md)", f"({link})")
    assert found(project) == [("docs/guide.md", 3, wrong)]


def test_a_link_in_code_is_not_one(project):
    change(project, "docs/guide.md", "Links to", "`[a](b.md)`; links to")
    assert found(project) == []


@pytest.fixture
def tracked(project):
    """Return the project in git, with the commit of its pages."""
    run(project, "init", "--quiet")
    run(project, "add", "--all")
    run(project, "commit", "--quiet", "--message", "All")
    commit = run(project, "rev-parse", "HEAD").strip()
    for name in ("README.md", "docs/results/speed.md"):
        change(project, name, "1234abc", commit[:7])
    change(project, "docs/results/speed.md", f"{commit[:7]}5", commit[:10])
    return project


def run(project, *arguments):
    command = [*GIT, "-C", str(project), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_an_image_is_in_git(tracked):
    assert found(tracked) == []
    run(tracked, "rm", "--quiet", "--cached", "docs/images/curve.png")
    assert found(tracked) == [("README.md", 3, "docs/images/curve.png is not in git")]


def test_a_commit_is_of_this_history(tracked):
    change(tracked, "docs/guide.md", "cores:", "cores, commit 0123abc:")
    assert found(tracked) == [("docs/guide.md", 7, "commit 0123abc is not in this history")]


def test_a_copy_whose_history_is_another_is_not_blamed(tracked):
    shutil.rmtree(tracked / ".git")
    run(tracked, "init", "--quiet")
    run(tracked, "add", "--all")
    run(tracked, "commit", "--quiet", "--allow-empty", "--message", "Another")
    assert found(tracked) == []


def test_a_finding_is_a_line_and_the_exit_code_is_1(project, monkeypatch, capsys):
    monkeypatch.setattr(check, "ROOT", project)
    assert check.main() == 0
    (project / "docs/images/curve.png").unlink()
    assert check.main() == 1
    assert "README.md:3: there is no docs/images/curve.png: mend the link" in (
        capsys.readouterr().out
    )


SITE = """<h1 id="top">A</h1><a href="b.html#there">b</a><a href="#top">up</a>
<img src="data:image/png;base64,AA"><a href="https://example.org/a">c</a>
"""


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("b.html", "c.html", ["c.html#there leads to no file"]),
        ("#there", "#nowhere", ["b.html#nowhere leads to no place"]),
        ("#top", "#bottom", ["#bottom leads to no place"]),
        ("data:image/png;base64,AA", "a.png", ["a.png leads to no file"]),
        ("https://example.org/a", "https:/a", ["https:/a is no address"]),
        ("A", "B", []),
    ],
)
def test_a_broken_link_of_the_site_is_found(tmp_path, capsys, old, new, wrong):
    (tmp_path / "a.html").write_text(SITE.replace(old, new))
    (tmp_path / "b.html").write_text('<p id="there">There</p>')
    assert [finding.wrong for finding in links.in_site(tmp_path)] == wrong
    assert links.main([str(tmp_path)]) == bool(wrong)
    assert f"2 pages, {len(wrong)} links lead nowhere" in capsys.readouterr().out


def test_a_site_without_a_page_is_refused(tmp_path):
    assert links.main([str(tmp_path)]) == 1


def test_every_module_has_a_page_and_every_package_lists_its_own(tmp_path, monkeypatch):
    monkeypatch.setattr(reference, "PAGES", tmp_path)
    reference.main()
    names = {reference.name_of(path) for path in (ROOT / "src/mien").rglob("*.py")}
    assert {path.stem for path in (tmp_path / "api").iterdir()} == names
    for name in names - {"mien"}:
        package = tmp_path / f"api/{name.rpartition('.')[0]}.rst"
        assert f":doc:`{name}`" in package.read_text()
