"""Weights files that others publish: fetched once into a cache, verified at every use."""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from http import HTTPStatus
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import TypeAlias
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from mien.errors import CheckpointError

Verify: TypeAlias = Callable[[Path], str | None]  # what is wrong with a file; None: nothing

SILENCE = 30.0  # seconds without a byte before a connection counts as broken
CHUNK = 1 << 18  # bytes between two looks at the progress bar
LFS = b"version https://git-lfs.github.com/spec/v1\n"


def cache_folder() -> Path:
    """Return `$MIEN_CACHE`, else `$XDG_CACHE_HOME/mien`, else `~/.cache/mien`."""
    if own := os.environ.get("MIEN_CACHE"):
        return Path(own).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "mien"


def fetch(url: str, path: Path, verify: Verify) -> Path:
    """Return `path`, downloaded from `url` if it is not there; a broken download goes on.

    Args:
        url: http or https.
        path: Where the file is kept; until it is whole and verified it is `<name>.part`.
        verify: Says what is wrong with a file; asked at every call, not at the first alone.

    Raises:
        CheckpointError: If the file cannot be had or is not the one that was published.
    """
    if path.is_file():
        check(path, verify, f"delete it and run again, or put {url} there")
        return path
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with _alone_with(path):
            if not path.is_file():  # another process may have brought it meanwhile
                _bring(url, path, verify)
    except (OSError, HTTPException) as error:
        raise CheckpointError(
            f"{path}: no such file, and {url} could not be fetched ({_reason(error)}): run "
            "again to go on from there, or download it elsewhere and put it there"
        ) from None
    return path


def check(path: Path, verify: Verify, advice: str) -> None:
    """Refuse a file that is not the one that was published; `advice` says what to do."""
    if wrong := verify(path):
        raise CheckpointError(f"{path}: {wrong}: {advice}")


def named_by_sha256(path: Path) -> str | None:
    """Verify the hash in a name such as `resnet18-f37072fd.pth`, the start of the sha256.

    It is the convention of `torch.hub` and of CompressAI's zoo, whose own loader never looks.
    """
    expected = path.name.removesuffix(".part").split(".")[0].rsplit("-", 1)[-1]
    with path.open("rb") as file:
        seen = hashlib.file_digest(file, "sha256").hexdigest()
    if seen.startswith(expected):
        return None
    return f"sha256 {seen[: len(expected)]} is not {expected} as its name says"


def named_by_git(blob: str) -> Verify:
    """Return what verifies a file of a git repository by the SHA-1 that git gives its content.

    Git names a file kept in LFS by the pointer that stands for it: that SHA-1 will do as well.
    """

    def verify(path: Path) -> str | None:
        with path.open("rb") as file:
            if file.read(len(LFS)) == LFS:
                return "is a git LFS pointer, not the file it stands for (`git lfs pull`)"
        seen = git_blob(path)
        if blob in (seen, _blob_of_pointer(path)):
            return None
        return f"git blob {seen[:12]} is not {blob[:12]}"

    return verify


def git_blob(path: Path) -> str:
    """Return the SHA-1 by which git names a file's content."""
    header = b"blob %d\0" % path.stat().st_size
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.sha1(header)).hexdigest()


@contextmanager
def _alone_with(path: Path) -> Iterator[None]:
    """Wait while another process fetches the same file into the same cache."""
    lock = path.with_name(f".{path.name}.lock")
    with lock.open("w") as file:
        with suppress(OSError):  # a network file system may have no locks
            fcntl.flock(file, fcntl.LOCK_EX)
        yield
    lock.unlink(missing_ok=True)


def _bring(url: str, path: Path, verify: Verify) -> None:
    """Download to `<name>.part`, verify, rename; bytes of another file are thrown away."""
    part = path.with_name(f"{path.name}.part")
    if not part.is_file() or verify(part):
        continued = _download(url, part)
        if continued and verify(part):  # begun on a file that has been replaced since
            part.unlink()
            _download(url, part)
    if wrong := verify(part):
        part.unlink()
        raise CheckpointError(
            f"{path}: {url} is not the file that was published ({wrong}): a proxy may have "
            "answered, or the file was replaced; download it elsewhere and put it there"
        )
    part.replace(path)


def _download(url: str, part: Path) -> bool:
    """Write the answer to `part`; return whether it goes on from what was there."""
    have = part.stat().st_size if part.is_file() else 0
    response = _answer(url, have)
    if response is None:
        part.unlink()
        return _download(url, part)
    with response:
        continued = have > 0 and response.status == HTTPStatus.PARTIAL_CONTENT
        start = have if continued else 0
        length = response.headers["Content-Length"]
        total = None if length is None else start + int(length)
        _write(response, part, start, total)
    if total is not None and (size := part.stat().st_size) < total:
        raise ConnectionError(f"the connection broke off at {size} of {total} bytes")
    return continued


def _answer(url: str, have: int) -> HTTPResponse | None:
    """Ask for what is missing; None if there is nothing beyond the `have` bytes."""
    # Compressed on its way, a length would not be the file's.
    headers = {"User-Agent": "mien", "Accept-Encoding": "identity"}
    if have:
        headers["Range"] = f"bytes={have}-"
    try:
        response: HTTPResponse = urlopen(Request(url, headers=headers), timeout=SILENCE)
    except HTTPError as error:
        error.close()
        if have and error.code == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
            return None
        raise
    return response


def _write(response: HTTPResponse, part: Path, start: int, total: int | None) -> None:
    name = part.name.removesuffix(".part")
    with (
        part.open("ab" if start else "wb") as file,
        tqdm(total=total, initial=start, desc=name, unit="B", unit_scale=True) as bar,
    ):
        for chunk in iter(partial(response.read, CHUNK), b""):
            file.write(chunk)
            bar.update(len(chunk))


def _reason(error: OSError | HTTPException) -> str:
    if isinstance(error, HTTPError):
        return f"HTTP {error.code} {error.reason}"
    return str(getattr(error, "reason", error)) or type(error).__name__


def _blob_of_pointer(path: Path) -> str:
    with path.open("rb") as file:
        oid = hashlib.file_digest(file, "sha256").hexdigest()
    pointer = LFS + f"oid sha256:{oid}\nsize {path.stat().st_size}\n".encode()
    return hashlib.sha1(b"blob %d\0" % len(pointer) + pointer).hexdigest()
