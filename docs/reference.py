"""Write what Sphinx reads: README and docs/ as they are, and a page for each module of mien.

    python -m docs.reference    # into build/pages

The modules are parsed and not imported: that is left to autodoc.
"""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PAGES = ROOT / "build/pages"
SOURCE = ROOT / "src"
# A group that lists the page of an index first; `*` is every page not listed before.
CONTENTS = {
    "How to": ("docs/howto/index", "docs/howto/*"),
    "Guide": ("docs/tour", "docs/*"),
    "Measured": ("docs/results/*", "CHANGELOG"),
    "API": ("api/mien",),
}


def main() -> None:
    """Write all of build/pages anew."""
    shutil.rmtree(PAGES, ignore_errors=True)
    only = shutil.ignore_patterns("*.py", "__pycache__")
    shutil.copytree(ROOT / "docs", PAGES / "docs", ignore=only)
    for name in ("CHANGELOG.md", "CITATION.cff"):
        shutil.copy(ROOT / name, PAGES)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (PAGES / "index.md").write_text(readme + contents(), encoding="utf-8")
    for path in sorted((SOURCE / "mien").rglob("*.py")):
        write_module(path, PAGES / "api")


def contents() -> str:
    """Return the tables of contents that stand beside every page."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:glob:\n:caption: {caption}\n\n"
        + "".join(f"{page}\n" for page in pages)
        + "```\n"
        for caption, pages in CONTENTS.items()
    )


def write_module(path: Path, folder: Path) -> None:
    """Write the page of one module; that of a package lists what is in it, too.

    Only packages stand in the contents beside every page: with 170 modules in them these would
    take most of the building and of the reader's screen.
    """
    name = name_of(path)
    package = name.rpartition(".")[0]
    text = f"{name}\n{'=' * len(name)}\n\n.. automodule:: {name}\n"
    text += "   :members:\n   :undoc-members:\n   :show-inheritance:\n"
    if path.name == "__init__.py":
        text += listed(modules_in(path.parent))
    else:
        text = f":orphan:\n\n{text}\nIn :doc:`{package}`.\n"
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.rst").write_text(text, encoding="utf-8")


def modules_in(package: Path) -> list[Path]:
    """Return the files of a package's modules and of the packages directly in it."""
    modules = set(package.glob("*.py")) - {package / "__init__.py"}
    return sorted([*package.glob("*/__init__.py"), *modules], key=name_of)


def listed(paths: list[Path]) -> str:
    """Return a list of modules, each with the first line of its docstring."""
    lines = (f"- :doc:`{name_of(path)}`: {first_line(path)}\n" for path in paths)
    packages = [f"   {name_of(path)}\n" for path in paths if path.name == "__init__.py"]
    return f"\n{''.join(lines)}\n.. toctree::\n   :hidden:\n\n{''.join(packages)}"


def name_of(path: Path) -> str:
    """Return the name by which a file below src/ is imported."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def first_line(path: Path) -> str:
    """Return the first line of a module's docstring; nothing if there is none."""
    said = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
    return said.partition("\n")[0]


if __name__ == "__main__":
    main()
