"""Which version of the raw pictures a run is about: faces drawn here, or the user's own."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from mien.files import sha256_of
from mien.params import Data
from mien.source import code


def drawn_note(data: Data) -> Path | None:
    """Return the file that says that the faces of `data.faces` lie in `data.root`.

    Its name holds a digest of what is drawn and by which code, and it lies in the folder that
    it is about. So the workflow asks for it by name, and never takes the faces of another
    revision for those of this one, whatever the times of the files.

    Returns:
        The file; None if `data.root` is the user's.
    """
    if data.faces is None:
        return None
    text = json.dumps([data.faces.model_dump(), code("faces")])
    return Path(data.root) / f"drawn-{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"


def pointer_digest(data: Data) -> str | None:
    """Return a digest of the pointer that DVC keeps of the user's pictures.

    Another version of the data set has another pointer, however old its files look.

    Returns:
        The digest of the `.dvc` file beside `data.root`, or beside a folder that it is in; None
        if there is none.
    """
    root = Path(data.root)
    for folder in (root, *root.parents):
        pointer = folder.with_name(f"{folder.name}.dvc") if folder.name else None
        if pointer is not None and pointer.is_file():
            return sha256_of(pointer)[:16]
    return None
