"""Which files a command reads and writes: folders, patterns, and no overwriting by accident."""

from __future__ import annotations

import glob
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mien.errors import DataError

STREAM_SUFFIX = ".mien"
PICTURE_SUFFIXES = frozenset(
    (".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp")
)


@dataclass(frozen=True)
class Source:
    """A file to read.

    Attributes:
        path: Where it is.
        place: Its path below the folder that was named; its name where a file was.
    """

    path: Path
    place: Path


def listed(names: Sequence[str], suffixes: Collection[str]) -> list[Source]:
    """Return the files that names stand for, each once, in order.

    Args:
        names: Files of any kind; folders, whose files with these suffixes are meant, however
            deep; patterns such as `faces/*.jpg`.
        suffixes: Lower-case, with their dot.

    Raises:
        DataError: If a name stands for nothing.
    """
    sources = [source for name in names for source in _meant(name, suffixes)]
    return list({source.path: source for source in sources}.values())


def _meant(name: str, suffixes: Collection[str]) -> Iterator[Source]:
    path = Path(name)
    if path.is_file():
        yield Source(path, Path(path.name))
        return
    if path.is_dir():
        inside = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in suffixes]
        found = [Source(file, file.relative_to(path)) for file in inside if file.is_file()]
    else:
        matches = sorted(glob.glob(name, recursive=True))  # noqa: PTH207
        found = [Source(Path(match), Path(Path(match).name)) for match in matches]
        found = [source for source in found if source.path.is_file()]
    if not found:
        kinds = " ".join(sorted(suffixes))
        what = f"a folder without any of {kinds}" if path.is_dir() else "no such file"
        raise DataError(f"{name}: {what}")
    yield from found


def targets(
    sources: Sequence[Source], out: str, suffix: str, *, force: bool
) -> list[tuple[Source, Path]]:
    """Return each source with the file that is written for it.

    Args:
        sources: From `listed`.
        out: A file, if there is one source and this has a suffix and is no folder; else a
            folder, in which the folders of the sources are kept.
        suffix: Of the files written to a folder.
        force: Whether files that are there may be replaced.

    Raises:
        DataError: If two sources would have one file, one is there already, or is a source.
    """
    path = Path(out)
    is_file = len(sources) == 1 and path.suffix and not path.is_dir() and not out.endswith("/")
    places = [path if is_file else path / s.place.with_suffix(suffix) for s in sources]
    twice = [place for place, count in Counter(places).items() if count > 1]
    if twice:
        rivals = [str(s.path) for s, p in zip(sources, places, strict=True) if p == twice[0]]
        raise DataError(f"{twice[0]}: would be written for {' and for '.join(rivals)}")
    read = {source.path.resolve() for source in sources}
    if own := [place for place in places if place.resolve() in read]:
        raise DataError(f"{own[0]}: is read and would be written: name another place with -o")
    there = [place for place in places if place.exists()]
    if there and not force:
        more = f" ({len(there) - 1} more are)" if len(there) > 1 else ""
        raise DataError(f"{there[0]}: is there already{more}: --force replaces it")
    return list(zip(sources, places, strict=True))
