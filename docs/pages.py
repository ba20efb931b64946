"""A Markdown page as its sections and blocks: what each says, links, shows and has typed."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.token import Token

NOT_OURS = {".git", ".venv", "build"}  # what to pass over where git does not tell


class Finding(NamedTuple):
    """What is wrong in a line of a file, and what to do about it."""

    file: str
    line: int
    wrong: str
    to_do: str

    def __str__(self) -> str:
        """Return the finding as one line."""
        return f"{self.file}:{self.line}: {self.wrong}: {self.to_do}"


class Link(NamedTuple):
    """Where a link leads, or an image lies, as the page has it."""

    target: str
    line: int
    image: bool


@dataclass
class Block:
    """A paragraph, a table, a block of code or a comment."""

    kind: str  # prose, table, code, html
    line: int
    text: str = ""  # without inline code, which is in `code`
    code: list[str] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)


@dataclass
class Section:
    """What stands under a heading of the second level; the first section is what is above."""

    line: int
    blocks: list[Block] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that is said, inline code and comments included, on one line."""
        parts = (" ".join([block.text, *block.code]) for block in self.blocks)
        return " ".join(" ".join(parts).split())

    @property
    def links(self) -> list[Link]:
        """All links and images."""
        return [link for block in self.blocks for link in block.links]

    @property
    def shown(self) -> list[int]:
        """The lines of the tables and images."""
        tables = [block.line for block in self.blocks if block.kind == "table"]
        return sorted([*tables, *(link.line for link in self.links if link.image)])

    def down_to(self, line: int) -> Section:
        """Return the section as far as the blocks that begin in this line or above it."""
        return Section(self.line, [block for block in self.blocks if block.line <= line])

    def code(self, *kinds: str) -> list[str]:
        """Return the lines of code in blocks of these kinds."""
        return [line for b in self.blocks if b.kind in kinds for line in b.code]


@dataclass(frozen=True)
class Page:
    """A Markdown file, read once."""

    root: Path
    name: str  # relative to the root, with /

    @cached_property
    def lines(self) -> list[str]:
        """The file's lines."""
        return (self.root / self.name).read_text(encoding="utf-8").splitlines()

    @cached_property
    def tokens(self) -> list[Token]:
        """The page as CommonMark with tables has it."""
        return MarkdownIt("commonmark").enable("table").parse("\n".join(self.lines))

    @cached_property
    def sections(self) -> list[Section]:
        """The sections, in order."""
        sections = [Section(1)]
        for token, opened in self._with_what_is_open():
            if token.type == "heading_open" and token.tag == "h2":
                sections.append(Section(_line(token)))
            elif token.type in ("fence", "code_block"):
                code = token.content.splitlines()
                sections[-1].blocks.append(Block("code", _line(token), code=code))
            elif token.type == "html_block":
                sections[-1].blocks.append(Block("html", _line(token), token.content))
            elif token.type == "table_open":
                sections[-1].blocks.append(Block("table", _line(token)))
            elif token.type == "inline":
                if "table_open" not in opened:
                    sections[-1].blocks.append(Block("prose", _line(token)))
                self._fill(sections[-1].blocks[-1], token)
        return sections

    @property
    def anchors(self) -> set[str]:
        """The fragments of the headings, as GitHub makes them."""
        seen: Counter[str] = Counter()
        found = set()
        for before, token in zip(self.tokens, self.tokens[1:], strict=False):
            if before.type == "heading_open":
                parts = (child.content for child in token.children or [])
                slug = re.sub(r"[^\w\- ]", "", "".join(parts).lower()).replace(" ", "-")
                found.add(f"{slug}-{seen[slug]}" if seen[slug] else slug)
                seen[slug] += 1
        return found

    def _with_what_is_open(self) -> Iterator[tuple[Token, list[str]]]:
        opened: list[str] = []
        for token in self.tokens:
            yield token, opened
            if token.nesting == 1:
                opened.append(token.type)
            elif token.nesting == -1:
                opened.pop()

    def _fill(self, block: Block, token: Token) -> None:
        first, end = token.map or (0, 0)
        block.text += " "  # between the cells of a table
        for child in token.children or []:
            if child.type == "code_inline":
                block.code.append(child.content)
            elif child.type in ("link_open", "image"):
                target = str(child.attrs.get("href", child.attrs.get("src")))
                there = (n for n in range(first, end) if target in self.lines[n])
                line = next(there, first) + 1
                block.links.append(Link(target, line, child.type == "image"))
            else:
                block.text += child.content or " "


def _line(token: Token) -> int:
    return (token.map or [0])[0] + 1


def files_of(root: Path) -> set[str]:
    """Return the files that git tracks, or all where there is no git, and their folders."""
    if (root / ".git").exists():
        command = ["git", "-C", str(root), "ls-files", "-z"]
        listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        names = {Path(name) for name in listed.split("\0") if name}
    else:
        every = (path.relative_to(root) for path in root.rglob("*") if path.is_file())
        names = {path for path in every if not NOT_OURS & set(path.parts)}
    return {path.as_posix() for name in names for path in (name, *name.parents)}


def pages_of(root: Path) -> list[Page]:
    """Return README, the change log and all pages below docs/ and data/."""
    paths = [root / "README.md", root / "CHANGELOG.md", root / "data/README.md"]
    paths += sorted((root / "docs").rglob("*.md"))
    return [Page(root, p.relative_to(root).as_posix()) for p in paths if p.is_file()]
