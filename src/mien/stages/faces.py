"""Stage `faces`: draws the embedded data set where params.yaml wants the user's images."""

from __future__ import annotations

from pathlib import Path

from mien.data.faces import write_affectnet
from mien.errors import ParamsError
from mien.params import Params


def draw(params: Params, workers: int) -> None:
    """Draw `data.faces` into the folder `data.root`.

    Args:
        workers: Processes; the bytes do not depend on it.

    Raises:
        ParamsError: If params.yaml asks for no drawn faces.
        DataError: If `data.root` holds something else.
    """
    faces = params.data.faces
    if faces is None:
        raise ParamsError(
            f"data.faces: null, so {params.data.root} is yours to fill: give train, test and "
            "seed to have faces drawn there"
        )
    write_affectnet(Path(params.data.root), faces.train, faces.test, faces.seed, workers)
