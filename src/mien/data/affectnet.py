"""AffectNet's 8-label release: `images/N.jpg` beside `annotations/N_{exp,val,aro,lnd}.npy`.

Both folders are in `train_set` and `val_set`. N is a whole number without leading zeros, has
gaps, and starts again at 0 in each part. `val_set` is the paper's test set.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from numpy.lib.format import read_array
from numpy.typing import NDArray

from mien.data import pictures
from mien.errors import DataError
from mien.expressions import N_EXPRESSIONS

Part = Literal["train_set", "val_set"]

_IMAGE = re.compile(r"(0|[1-9]\d*)\.(?i:jpe?g|png|bmp|tiff?|webp)", re.ASCII)
_ANNOTATION = re.compile(r"(0|[1-9]\d*)_(exp|val|aro|lnd)\.npy", re.ASCII)
_INVALID = -2.0  # AffectNet's mark for "no valence or arousal"


@dataclass(frozen=True)
class Entry:
    """An image that is listed and has an expression; nothing of it is opened yet."""

    number: int  # N, unique within its part
    image: str  # path below the root, with `/`
    annotations: str  # `<folder>/N` below the root, to which `_exp.npy` and the like are added


@dataclass(frozen=True)
class Sample:
    """An image that was decoded, and what its annotations say."""

    number: int  # N, unique within its part
    label: int  # 0..7, an index into EXPRESSIONS
    source: str  # path below the root, with `/`
    sha256: str  # of the file's bytes
    width: int  # pixels, upright
    height: int  # pixels, upright
    valence: float | None  # -1..1, None when absent or marked invalid
    arousal: float | None  # -1..1, None when absent or marked invalid


def find_images(root: Path, part: Part) -> list[Entry]:
    """Return every image of one part by ascending number, after matching it to its annotations.

    The two folders are listed once each: the release has 1.4 million small files.

    Raises:
        DataError: If a folder is missing or empty, holds a file of another name, or an image
            and an annotation lack each other (with their count and the first one's name).
    """
    folder = _part_folder(root, part)
    images = _images(root / folder / "images")
    expressed, annotated = _annotations(root / folder / "annotations")
    _refuse_orphans(root / folder, images, expressed, annotated)
    return [
        Entry(number, f"{folder}/images/{images[number]}", f"{folder}/annotations/{number}")
        for number in sorted(images)
    ]


def read_sample(root: Path, entry: Entry) -> Sample:
    """Return one image's facts, having decoded every pixel of it once.

    Raises:
        DataError: If the image or an annotation cannot be read, or holds a value outside its
            range.
    """
    data = (root / entry.image).read_bytes()
    image = pictures.decoded(data, root / entry.image)
    return Sample(
        number=entry.number,
        label=_label(root / f"{entry.annotations}_exp.npy"),
        source=entry.image,
        sha256=hashlib.sha256(data).hexdigest(),
        width=image.width,
        height=image.height,
        valence=_affect(root / f"{entry.annotations}_val.npy"),
        arousal=_affect(root / f"{entry.annotations}_aro.npy"),
    )


def _part_folder(root: Path, part: Part) -> str:
    if not root.is_dir():
        raise DataError(
            f"{root}: no such folder: point data.root to one that holds train_set/ and val_set/"
        )
    for folder in (part, f"{part}/{part}"):  # some archives unpack into a doubled folder
        if (root / folder / "images").is_dir():
            return folder
    raise DataError(
        f"{root / part}: has no folder images: expected AffectNet's 8-label release, "
        f"{part}/images/N.jpg and {part}/annotations/N_exp.npy"
    )


def _names(folder: Path) -> list[str]:
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder: AffectNet's 8-label release has one")
    with os.scandir(folder) as entries:  # hidden: .DS_Store, ._0.jpg and their like
        return sorted(entry.name for entry in entries if not entry.name.startswith("."))


def _images(folder: Path) -> dict[int, str]:
    """Return the file name of every image by its number."""
    images: dict[int, str] = {}
    for name in _names(folder):
        if not (match := _IMAGE.fullmatch(name)):
            raise DataError(
                f"{folder / name}: not a name like 17.jpg (jpg, jpeg, png, bmp, tif, tiff, "
                "webp; no leading zeros): rename or remove it"
            )
        number = int(match[1])
        if number in images:
            raise DataError(
                f"{folder / name}: {images[number]} has the same number: remove one of them"
            )
        images[number] = name
    if not images:
        raise DataError(f"{folder}: holds no images: expected N.jpg")
    return images


def _annotations(folder: Path) -> tuple[set[int], set[int]]:
    """Return the numbers that have an expression, and those that have any annotation."""
    expressed, annotated = set[int](), set[int]()
    for name in _names(folder):
        if not (match := _ANNOTATION.fullmatch(name)):
            raise DataError(
                f"{folder / name}: not a name like 17_exp.npy (exp, val, aro or lnd; no "
                "leading zeros): rename or remove it"
            )
        annotated.add(int(match[1]))
        if match[2] == "exp":
            expressed.add(int(match[1]))
    return expressed, annotated


def _refuse_orphans(
    folder: Path, images: dict[int, str], expressed: set[int], annotated: set[int]
) -> None:
    if bare := images.keys() - expressed:
        raise DataError(
            f"{folder / 'images' / images[min(bare)]}: has no annotations/{min(bare)}_exp.npy; "
            f"images without an expression: {len(bare)}: restore it or remove the image"
        )
    if lost := annotated - images.keys():
        raise DataError(
            f"{folder / 'annotations'}/{min(lost)}_*.npy: has no image {min(lost)}.jpg; "
            f"annotations without an image: {len(lost)}: restore the image or remove them"
        )


def _label(path: Path) -> int:
    code = _scalar(path)
    if code not in range(N_EXPRESSIONS):  # also refuses 1.5 and nan
        raise DataError(
            f"{path}: expression {code:g} is not one of 0..{N_EXPRESSIONS - 1}: mend it, or "
            "remove the image with its annotations"
        )
    return int(code)


def _affect(path: Path) -> float | None:
    try:
        value = _scalar(path)
    except FileNotFoundError:
        return None
    if value == _INVALID:
        return None
    if not -1.0 <= value <= 1.0:
        raise DataError(
            f"{path}: {value:g} is neither in -1..1 nor -2 for invalid: mend or remove the file"
        )
    return value


def _scalar(path: Path) -> float:
    """Return the one value of an npy file, which may hold a string, an integer or a float."""
    with path.open("rb") as file:
        try:
            array: NDArray[Any] = read_array(file, allow_pickle=False)  # type: ignore[no-untyped-call]
            return float(array.item())
        except (ValueError, TypeError) as error:
            raise DataError(
                f"{path}: not an npy file with one number: {error}: mend it, or remove the "
                "image with its annotations"
            ) from None
