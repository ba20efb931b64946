"""Stage `faces`: draws the embedded data set where params.yaml wants the user's images."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from mien.data.faces import drawn_request, request_for, write_affectnet
from mien.errors import ParamsError
from mien.files import write_json
from mien.params import Params
from mien.raw import drawn_note


def draw(params: Params, workers: int) -> None:
    """Draw `data.faces` into the folder `data.root`; say so in a note beside them.

    Faces that were drawn there for other params are replaced; anything else is left alone.

    Args:
        params: All of params.yaml.
        workers: Processes; the bytes do not depend on it.

    Raises:
        ParamsError: If params.yaml asks for no drawn faces.
        DataError: If `data.root` holds something else.
    """
    faces, note = params.data.faces, drawn_note(params.data)
    if faces is None or note is None:
        raise ParamsError(
            f"data.faces: null, so {params.data.root} is yours to fill: give train, test and "
            "seed to have faces drawn there"
        )
    root = Path(params.data.root)
    there = drawn_request(root)
    if there not in (None, request_for(faces.train, faces.test, faces.seed)):
        shutil.rmtree(root)
    write_affectnet(root, faces.train, faces.test, faces.seed, workers)
    write_json(note, json.loads((root / "manifest.json").read_text()))
