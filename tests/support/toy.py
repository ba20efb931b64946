"""The toy preset cut down further, for workflows of which only how they run is looked at."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

TOY = Path(__file__).parents[1] / "toy.yaml"


def write_cut_down(folder: Path, **changes: dict[str, Any]) -> None:
    """Write params.yaml: one quality, no classic codecs, both strategies, 40 pictures.

    Args:
        folder: To write it in.
        changes: Keys of sections to replace.
    """
    tree = yaml.safe_load(TOY.read_text(encoding="utf-8"))
    tree["data"]["faces"] = {"train": 32, "test": 8, "seed": 3}
    tree["codec"]["qualities"] = [1]
    tree["classic"] = {}
    tree["strategies"] = ["compression-only", "joint"]
    tree["sweep"] |= {"quality": 1, "ce": []}
    for section, keys in changes.items():
        tree[section] |= keys
    (folder / "params.yaml").write_text(yaml.safe_dump(tree), encoding="utf-8")
