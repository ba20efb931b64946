"""How Sphinx reads build/pages: Markdown by MyST, the API by autodoc; no network."""

from __future__ import annotations

import builtins
import warnings
from typing import Any

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx

warnings.filterwarnings("ignore", "`torch.jit.script` is deprecated")  # torch_geometric

project = "mien"
html_title = "mien"
html_theme = "furo"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]

myst_heading_anchors = 3  # the fragments of headings, as GitHub makes them
highlight_language = "text"  # of blocks that name none

smartquotes = False  # `--` stays what is typed
default_role = "code"  # single backticks in docstrings, as in Markdown
autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
napoleon_numpy_docstring = False
napoleon_use_ivar = True  # the fields themselves are listed by autodoc
# A name of ours that nothing explains is a warning; those of others are not on this site.
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(?!mien\.).*"),
    ("py:.*", r".*\.(E|R|T|Item|Model|Module|Result)"),  # type variables
    ("py:.*", r".*\._\w+"),  # validators of a field
]


def setup(app: Sphinx) -> None:
    """Connect what autodoc asks."""
    app.connect("autodoc-process-docstring", drawings, priority=400)  # napoleon's is 500
    app.connect("autodoc-skip-member", left_out)
    app.connect("doctree-read", plain_builtins)


def drawings(
    _app: Sphinx, what: str, _name: str, _obj: Any, _options: Any, lines: list[str]
) -> None:
    """Show indented paragraphs of a module's docstring as they are drawn, as in Markdown."""
    if what != "module":
        return
    for at in range(len(lines) - 1, 0, -1):
        if lines[at].startswith("    ") and not lines[at - 1]:
            inside = at > 1 and lines[at - 2].startswith("    ")
            lines[at:at] = [] if inside else ["::", ""]


def left_out(
    _app: Sphinx, what: str, name: str, obj: Any, _skip: bool, _options: Any
) -> bool | None:
    """Leave out a module's constants and aliases, which have no docstring."""
    constant = what == "module" and not callable(obj)
    return True if constant or name.endswith("model_config") else None


def plain_builtins(_app: Sphinx, doctree: nodes.document) -> None:
    """Take `bytes` for Python's own, though a class of ours has a field of that name."""
    for node in list(doctree.findall(pending_xref)):
        if hasattr(builtins, node.get("reftarget", "")):
            node.replace_self(node.children)
