"""AffectNet in each of its layouts, small, with the quirks that real copies have.

Every writer makes a whole data set below a root and returns what it states. The quirks that
damage a data set are left to the tests, so that each of them has one.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

from tests.data.conftest import TEST_LABELS, TRAIN_LABELS, add, annotate, noise, save

COLUMNS = (
    *("subDirectory_filePath", "face_x", "face_y", "face_width", "face_height"),
    *("facial_landmarks", "expression", "valence", "arousal"),
)
HEADERS = {  # how the first line of a list may begin; None: there is no header
    "plain": b"",
    "hash": b"#",
    "hash and blank": b"# ",
    "bom": b"\xef\xbb\xbf",
    "bom and hash": b"\xef\xbb\xbf#",
    "missing": None,
}
LIST_FOLDERS = ("", "Manually_Annotated_file_lists", "file_lists")
PICTURE_FOLDERS = (
    *("Manually_Annotated/Manually_Annotated_Images", "Manually_Annotated_Images"),
    *("Manually_Annotated", ""),
)
ENDINGS = ("jpg", "JPG", "jpeg", "png", "Png", "bmp", "tif", "TIF")
SIZE = (23, 17)  # width, height
ORDER = ("c", "a", "b", "h", "g", "f", "e", "d")  # folders of the codes 0..7: not alphabetical


def npy_release(root: Path, kind: type = str, doubled: bool = False) -> None:
    """Write both parts, the annotations as text, integers or floats.

    Numbers have gaps and start at 0 in both parts; extensions are in mixed case. val_set has
    one picture of train_set.
    """
    for part, labels, seed in (("train_set", TRAIN_LABELS, 0), ("val_set", TEST_LABELS, 1000)):
        folder = root / part / part if doubled else root / part
        for place, label in enumerate(labels):
            number = 3 * place
            add(folder, number, kind(label), seed + place, f"{number}.{ENDINGS[place % 8]}")
            values = (-2, 1) if place % 5 == 4 else (kind(0.5), kind(-1))
            annotate(folder, number, val=values[0], aro=values[1], lnd=[1.5] * 136)
    folder = root / "val_set" / "val_set" if doubled else root / "val_set"
    save(folder / "images/0.jpg", seed=0)


@dataclass(frozen=True)
class Row:
    """A row of training.csv or validation.csv."""

    path: str
    expression: object
    box: tuple[object, ...] = (2, 3, 11, 9)  # x, y, width, height
    valence: object = 0.25
    arousal: object = -0.5

    def cells(self) -> list[object]:
        return [
            self.path,
            *self.box,
            "1.5;2.5;3.5",
            self.expression,
            self.valence,
            self.arousal,
        ]


BOXES = (  # as annotated, and within a picture of SIZE
    ((2, 3, 11, 9), (2, 3, 11, 9)),
    ((-4, -2, 15, 12), (0, 0, 11, 10)),
    ((10, 5, 100, 100), (10, 5, 13, 12)),
    ((-9, -9, 999, 999), (0, 0, 23, 17)),
    (("3.0", 0, "20.9", 17), (3, 0, 20, 17)),
)
TRAIN_ROWS = [
    *(
        Row(
            f"{place % 3 + 9}/train{place:02d}.{ENDINGS[place % 8]}", label, BOXES[place % 5][0]
        )
        for place, label in enumerate(TRAIN_LABELS)
    ),
    Row("9/train00.jpg", 4, (0, 0, 5, 5)),  # another face in the first picture
    Row("9/nobody.jpg", 10, (0, 0, 0, 0), -2, -2),  # dropped, and no such picture
    Row("9/train03.png", 8, valence=-2, arousal=-2),
    Row("9/train06.tif", 9, valence=-2, arousal=-2),
    Row("9/train09.JPG", 8, valence=-2, arousal=-2),
]
TEST_ROWS = [
    Row("459/first.jpg", 7),  # the row that the npy release lost
    *(Row(f"459/test{place}.{ENDINGS[place]}", code) for place, code in enumerate(TEST_LABELS)),
]


def original_release(
    root: Path,
    lists: str = "Manually_Annotated_file_lists",
    pictures: str = PICTURE_FOLDERS[0],
    header: str = "plain",
    train: Sequence[Row] = TRAIN_ROWS,
    test: Sequence[Row] = TEST_ROWS,
) -> None:
    """Write both lists, and a picture for every row but those that say `nobody`.

    Every other picture's extension is in another case than the row says. The first picture of
    the test set is also the training part's second one, under another name.
    """
    write_list(root / lists / "training.csv", train, header)
    write_list(root / lists / "validation.csv", test, header)
    for seed, row in enumerate([*train, *test]):
        path = root / pictures / row.path
        other = path.with_suffix(path.suffix.swapcase())
        if "nobody" in row.path or path.exists() or other.exists():
            continue
        save(other if seed % 2 else path, 1 if row.path == "459/first.jpg" else seed)


def write_list(path: Path, rows: Sequence[Row], header: str = "plain") -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    start = HEADERS[header]
    if start is not None:
        writer.writerow(COLUMNS)
    writer.writerows(row.cells() for row in rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes((start or b"") + buffer.getvalue().encode())


def class_folders(root: Path, order: Sequence[str | None] = ORDER) -> None:
    """Write `Train` and `Test` with a folder per expression, in an order nobody would guess."""
    for part, labels, seed in (("Train", TRAIN_LABELS, 0), ("Test", TEST_LABELS, 1000)):
        for name in filter(None, order):
            (root / part / name).mkdir(parents=True)
        for place, label in enumerate(labels):
            name = order[label]
            if name is not None:
                save(root / part / name / f"image{place}.{ENDINGS[place % 8]}", seed + place)


def cut(path: Path, kept: float) -> None:
    """Keep the first part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data))])


def odd_pictures(folder: Path) -> dict[str, tuple[int, int]]:
    """Write pictures of every kind there is; return their names with width and height."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, mode in (
        *(("grey.jpg", "L"), ("cmyk.jpg", "CMYK"), ("alpha.png", "RGBA")),
        *(("palette.png", "P"), ("grey-alpha.png", "LA"), ("bilevel.tif", "1")),
    ):
        noise(1, SIZE).convert(mode).save(folder / name)
    turned = Image.Exif()
    turned[0x0112] = 6  # orientation: turn right by 90 degrees
    noise(2, SIZE).save(folder / "turned.jpg", exif=turned)
    upright = {path.name: SIZE for path in folder.iterdir() if path.name != "turned.jpg"}
    return upright | {"turned.jpg": SIZE[::-1]}
