"""Check what the pages claim: each number has its command, each named file and commit is there.

    python -m docs.check

- A file that a page names is in git, and so is every image that it shows; no link is broken.
- A page of docs/results says, for each section with a table or a figure, the command in a block
  of code, the commit, n and the class of machine, before or in the first of them or above the
  first section; and, anywhere, seeds and spread.
- On any other page a section that shows an image, or names a machine, n or a commit, names a
  command too, or links the page of docs/results.
- A paragraph of README with a measured number links that page; a commit in it is on that page.
- A commit is one of this history.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from docs import links
from docs.pages import Block, Finding, Page, Section, files_of, pages_of

ROOT = Path(__file__).resolve().parents[1]
RESULTS = "docs/results/"
NAMED = re.compile(
    r"(?<![\w./<>*-])(?:\.ci|benchmarks|docs|presets|profiles|src|tests|tools|workflow)/[\w./-]*\w"
)
MODULE = re.compile(r"python -m ((?:benchmarks|docs)(?:\.\w+)+)")
COMMAND = re.compile(r"(?:\$ )?(?:cp|dvc|make|mien|pytest|python|snakemake) \S")
COMMIT = re.compile(r"\bcommit ([0-9a-f]{7,40})\b")
AT = re.compile(r"\b(?:commit|at)\s+([0-9a-f]{7,40})\b")
MACHINE = re.compile(r"\b(?:AMD|Apple|ARM|Intel|NVIDIA|x86-64)\b")
HOW_MANY = re.compile(
    r"\bn = \d|\b(?:\d[\d,]*|one|two|three) (?:rounds?|runs?|trainings|files)\b", re.IGNORECASE
)
SPREAD = re.compile(r"95 %|\blowest\b|\bspread\b|\bone run\b", re.IGNORECASE)
SEEDS = re.compile(r"\bseeds?\b|\bnothing is random\b", re.IGNORECASE)
MEASURED = re.compile(
    r"\d (?:%|bytes|dB|bit/pixel|img/s|points|seconds?|minutes?|hours?|ms|[kMGT]B)(?!\w)"
)
FOR_EACH_TABLE = {
    "commit": (COMMIT, "say `commit` and its hash"),
    "n": (HOW_MANY, "say n = .., or how many rounds, runs or files"),
    "class of machine": (MACHINE, "say the kind of processor or GPU"),
}
FOR_THE_PAGE = {
    "spread": (SPREAD, "say the 95 % interval, or the lowest and the highest"),
    "seed": (SEEDS, "say the seeds, or that nothing is random"),
}


def findings(root: Path) -> list[Finding]:
    """Return all that is wrong with the pages of a checkout, in the order of the pages."""
    pages, files = pages_of(root), files_of(root)
    by_name = {page.name: page for page in pages}
    found = [*links.in_pages(pages, files), *lost_commits(pages, root)]
    for page in pages:
        found += missing_sources(page, files)
        if page.name.startswith(RESULTS):
            found += unproven_results(page)
        else:
            found += unproven_elsewhere(page)
    found += unlinked_numbers(by_name["README.md"], by_name)
    return sorted(found)


def missing_sources(page: Page, files: set[str]) -> Iterator[Finding]:
    """Yield the files of the repository that the page names and that are not there."""
    for number, line in enumerate(page.lines, 1):
        said = re.sub(r"\]\(\S*\)", "]", line)  # links are looked at by themselves
        names = [name for name in NAMED.findall(said) if "/." not in name]
        names += [f"{name.replace('.', '/')}.py" for name in MODULE.findall(line)]
        for name in names:
            if name not in files:
                to_do = "add it to git, or name what is there"
                yield Finding(page.name, number, f"names {name}, which is not in git", to_do)


def unproven_results(page: Page) -> Iterator[Finding]:
    """Yield what a page of results does not say of a table, a figure or at all."""
    above = page.sections[0]
    for section in [section for section in page.sections if section.shown] or [above]:
        line = section.shown[0] if section.shown else section.line
        nearby = section.down_to(line) if section.shown else section
        both = [nearby] if section is above else [above, nearby]
        if not any(COMMAND.match(code) for part in both for code in part.code("code")):
            to_do = "add it as a block of code, above it or above the first section"
            yield Finding(page.name, line, "a result without the command that made it", to_do)
        yield from _unsaid(page, line, " ".join(part.text for part in both), FOR_EACH_TABLE)
    yield from _unsaid(page, 1, " ".join(s.text for s in page.sections), FOR_THE_PAGE)


def _unsaid(
    page: Page, line: int, text: str, wanted: dict[str, tuple[re.Pattern[str], str]]
) -> Iterator[Finding]:
    for what, (pattern, to_do) in wanted.items():
        if not pattern.search(text):
            yield Finding(page.name, line, f"a result without {what}", to_do)


def unproven_elsewhere(page: Page) -> Iterator[Finding]:
    """Yield the sections of another page with a measurement and without a command or a link."""
    above = page.sections[0]
    for section in page.sections:
        images = [link.line for link in section.links if link.image]
        if not images and not _measured(section):
            continue
        typed = [c for s in (above, section) for c in s.code("code", "prose", "html")]
        if not any(map(COMMAND.match, typed)) and not _results(page, section.links):
            line = images[0] if images else section.line
            to_do = f"name the command there, or link the page of {RESULTS}"
            yield Finding(page.name, line, "a measurement without its command", to_do)


def _measured(section: Section) -> bool:
    text = section.text
    return any(pattern.search(text) for pattern in (COMMIT, MACHINE, re.compile(r"\bn = \d")))


def _results(page: Page, found: list[links.Link]) -> set[str]:
    """Return the pages of results among links."""
    names = {links.place(page, link.target) for link in found}
    return {name for name in names if name.startswith(RESULTS) and name.endswith(".md")}


def unlinked_numbers(readme: Page, by_name: dict[str, Page]) -> Iterator[Finding]:
    """Yield README's measured numbers whose page is not linked, or has another commit."""
    for block in (block for section in readme.sections for block in section.blocks):
        linked = _results(readme, block.links)
        commits = set(COMMIT.findall(block.text))
        if block.kind != "prose" or not (commits or MEASURED.search(block.text)):
            continue
        if not linked:
            wrong = f"a measured number ({_excerpt(block)}) whose page is not linked"
            yield Finding(readme.name, block.line, wrong, f"link it in {RESULTS}, next to it")
            continue
        said = " ".join(
            s.text for name in linked if name in by_name for s in by_name[name].sections
        )
        for commit in sorted(commits):
            if commit not in said:
                wrong = f"commit {commit} is not on {', '.join(sorted(linked))}"
                yield Finding(readme.name, block.line, wrong, "name that of the page")


def _excerpt(block: Block) -> str:
    found = MEASURED.search(block.text) or COMMIT.search(block.text)
    assert found
    return block.text[max(0, found.start() - 12) : found.end()].strip()


def lost_commits(pages: list[Page], root: Path) -> Iterator[Finding]:
    """Yield the commits that this history lacks; a history with none of them is another one."""
    places = [
        (page.name, text.count("\n", 0, match.start(1)) + 1, match[1])
        for page in pages
        for text in ["\n".join(page.lines)]
        for match in AT.finditer(text)
    ]
    known = _known(root, {commit for _, _, commit in places})
    for name, number, commit in places if known else []:
        if commit not in known:
            to_do = "name the one that it was measured at"
            yield Finding(name, number, f"commit {commit} is not in this history", to_do)


def _known(root: Path, commits: set[str]) -> set[str]:
    """Return those of the commits that the repository has; none where git or its past lacks."""
    command = ["git", "-C", str(root), "cat-file", "--batch-check"]
    if not (root / ".git").exists() or (root / ".git/shallow").exists():
        return set()
    asked = sorted(commits)
    done = subprocess.run(
        command,
        input="".join(f"{c}^{{commit}}\n" for c in asked),
        capture_output=True,
        text=True,
    )
    said = zip(asked, done.stdout.splitlines(), strict=True)
    return {commit for commit, answer in said if " commit " in answer}


def main() -> int:
    """Check the pages; return 0, or 1 after a line for each finding."""
    found = findings(ROOT)
    print(*found, f"{len(pages_of(ROOT))} pages, {len(found)} claims to mend", sep="\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
