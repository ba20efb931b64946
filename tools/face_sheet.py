"""Draw the README's sheet of faces: `python tools/face_sheet.py docs/images/faces.jpg`."""

from __future__ import annotations

import sys
from pathlib import Path

from PIL import Image

from mien.data.faces import draw_face
from mien.expressions import N_EXPRESSIONS

COLUMNS, SIDE, SEED = 10, 96, 1


def main(path: Path) -> None:
    """Write a sheet with a row per expression, of ten people each, at 96 pixels a face."""
    sheet = Image.new("RGB", (COLUMNS * SIDE, N_EXPRESSIONS * SIDE))
    for label in range(N_EXPRESSIONS):
        for column in range(COLUMNS):
            face = draw_face(SEED, label * COLUMNS + column, label, 2 * SIDE).image
            small = Image.fromarray(face).resize((SIDE, SIDE), Image.Resampling.LANCZOS)
            sheet.paste(small, (column * SIDE, label * SIDE))
    sheet.save(path, quality=88)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
