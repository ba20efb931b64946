"""Links, images and fragments: those of the Markdown pages, and those of the built site.

    python -m docs.links build/site

An address elsewhere has to look like one; no network is asked.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from posixpath import normpath
from urllib.parse import unquote, urlsplit

from docs.pages import Finding, Link, Page


class Document(HTMLParser):
    """A page of the site: its ids, and what it refers to with the line of each."""

    def __init__(self, path: Path) -> None:
        """Read the page."""
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[Link] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what an element is called and what it refers to."""
        for name, value in attrs:
            if name in ("id", "name") and value:
                self.ids.add(value)
            elif name in ("href", "src") and value is not None:
                self.links.append(Link(value, self.getpos()[0], name == "src"))


def in_pages(pages: list[Page], files: set[str]) -> Iterator[Finding]:
    """Yield the links of Markdown pages that lead nowhere.

    Args:
        pages: The pages.
        files: What is in the repository, as `files_of` returns it.
    """
    by_name = {page.name: page for page in pages}
    for page in pages:
        for link in (link for section in page.sections for link in section.links):
            if said := _wrong(page, link, files, by_name):
                yield Finding(page.name, link.line, *said)


def place(page: Page, target: str) -> str:
    """Return what a link of a page leads to, relative to the root; the link if to elsewhere."""
    parts = urlsplit(target)
    if parts.scheme:
        return target
    return normpath(f"{page.name}/../{unquote(parts.path)}") if parts.path else page.name


def _wrong(
    page: Page, link: Link, files: set[str], by_name: dict[str, Page]
) -> tuple[str, str] | None:
    if urlsplit(link.target).scheme:
        return _elsewhere(link.target)
    name, fragment = place(page, link.target), unquote(urlsplit(link.target).fragment)
    if name not in files:
        there = (page.root / name).exists()
        wrong = f"{name} is not in git" if there else f"there is no {name}"
        return wrong, f"{'`git add` it' if there else 'mend the link'} ({link.target})"
    if fragment and name in by_name and fragment not in by_name[name].anchors:
        return f"{name} has no heading #{fragment}", "mend the link or the heading"
    return None


def _elsewhere(target: str) -> tuple[str, str] | None:
    parts = urlsplit(target)
    if parts.scheme in ("http", "https") and "." in parts.netloc and " " not in target:
        return None
    return f"{target} is no address", "write it as https://host/path"


def in_site(site: Path) -> Iterator[Finding]:
    """Yield the links of a built site that lead nowhere."""
    documents = {path.resolve(): Document(path) for path in sorted(site.rglob("*.html"))}
    for path, document in documents.items():
        for link in document.links:
            parts = urlsplit(link.target)
            if parts.scheme == "data":
                continue
            if parts.scheme or parts.netloc:
                said = _elsewhere(link.target)
            else:
                said = _not_in_site(path, link.target, documents)
            if said:
                yield Finding(str(path.relative_to(site.resolve())), link.line, *said)


def _not_in_site(
    path: Path, target: str, documents: dict[Path, Document]
) -> tuple[str, str] | None:
    parts = urlsplit(target)
    to = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if not to.is_file():
        return f"{target} leads to no file", "mend the page that it is made from"
    known = to in documents and parts.fragment
    if known and unquote(parts.fragment) not in documents[to].ids:
        return f"{target} leads to no place", "mend the page that it is made from"
    return None


def main(argv: list[str]) -> int:
    """Check the site in a folder; return 0, or 1 after a line for each finding."""
    (site,) = map(Path, argv)
    pages = len(list(site.rglob("*.html")))
    findings = list(in_site(site))
    print(*findings, f"{site}: {pages} pages, {len(findings)} links lead nowhere", sep="\n")
    return 1 if findings or not pages else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
