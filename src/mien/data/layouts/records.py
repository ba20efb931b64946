"""What a reader of a layout hands on: what is listed, what is usable, and what is wrong.

There may be 300,000 of each: they hold text, no `Path`, and are kept packed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, Literal, TypeVar, get_args

from mien.data.packed import Packed
from mien.data.pictures import Box
from mien.errors import DataError

Part = Literal["train_set", "val_set"]  # AffectNet's words; val_set is the paper's test set
PARTS: tuple[Part, ...] = get_args(Part)

Kind = Literal["missing", "unlabelled", "broken", "truncated", "label", "affect", "crop", "row"]
FAULTS: tuple[Kind, ...] = get_args(Kind)

E = TypeVar("E")


@dataclass(frozen=True, slots=True)
class Entry:
    """An image that is listed, and what is said of it; nothing of it is opened yet."""

    number: int  # the source's own id, unique within its part
    source: str  # path below the root, with `/`
    label: int  # 0..7, an index into EXPRESSIONS
    valence: float | None = None  # -1..1, None when absent or marked invalid
    arousal: float | None = None  # -1..1, None when absent or marked invalid
    box: Box | None = None  # of the face, as annotated: it may leave the picture


@dataclass(frozen=True, slots=True)
class Sample:
    """An image that was decoded to its last pixel, and what is said of it."""

    number: int  # the source's own id, unique within its part
    label: int  # 0..7, an index into EXPRESSIONS
    source: str  # path below the root, with `/`
    sha256: str  # of the file's bytes
    width: int  # pixels, upright, before cropping
    height: int  # pixels, upright, before cropping
    valence: float | None  # -1..1, None when absent or marked invalid
    arousal: float | None  # -1..1, None when absent or marked invalid
    crop: Box | None  # within the upright picture; None for all of it


@dataclass(frozen=True, slots=True)
class Fault:
    """An image that is listed and cannot be used."""

    number: int
    kind: Kind
    source: str  # path below the root of what is wrong, with `/`
    detail: str
    label: int | None  # 0..7 where the annotation can be read


@dataclass(frozen=True)
class Listing(Generic[E]):
    """One part of a data set before any picture of it is opened."""

    entries: Packed[E]  # by ascending number
    faults: list[Fault] = field(default_factory=list)
    dropped: dict[str, int] = field(default_factory=dict)  # images of codes that are not used


class UnusableError(DataError):
    """One image cannot be used; a reader turns this into a `Fault`."""

    def __init__(self, kind: Kind, message: str) -> None:
        super().__init__(message)
        self.kind = kind
