"""Against a real server on this machine; nothing here leaves it."""

import hashlib
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from mien import download
from mien.errors import CheckpointError

CONTENT = bytes(range(256)) * 4000  # about a megabyte: several chunks
NAME = f"weights-{hashlib.sha256(CONTENT).hexdigest()[:8]}.pth"


class Site(ThreadingHTTPServer):
    """Serves one file, as well or as badly as its attributes say."""

    content = CONTENT
    ranges = True
    cut: int | None = None  # bytes after which the connection closes
    length = True
    status: int | None = None
    delay = 0.0  # seconds

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server_port}/{NAME}"
        self.asked: list[str | None] = []  # the Range of each request


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        site, wanted = self.server, self.headers["Range"]
        site.asked.append(wanted)
        time.sleep(site.delay)
        if site.status is not None:
            return self.send_error(site.status)
        start = int(wanted[6:-1]) if wanted and site.ranges else 0
        if start >= len(site.content):
            return self.send_error(416)
        self.send_response(206 if wanted and site.ranges else 200)
        if site.length:
            self.send_header("Content-Length", str(len(site.content) - start))
        self.end_headers()
        self.wfile.write(site.content[start : site.cut])
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Site() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "cache" / NAME


@pytest.fixture
def part(path):
    path.parent.mkdir()
    return path.with_name(f"{NAME}.part")


def fetch(site, path):
    return download.fetch(site.url, path, download.named_by_sha256)


def only(path):
    """Say whether `path` is whole and alone in its folder."""
    return path.read_bytes() == CONTENT and list(path.parent.iterdir()) == [path]


def test_a_file_is_fetched_once_and_nothing_else_stays(site, path):
    assert fetch(site, path) == path
    assert only(path)
    site.status = 500  # as good as unplugged
    assert fetch(site, path) == path
    assert site.asked == [None]


def test_progress_is_shown(site, path, capsys):
    fetch(site, path)
    assert NAME in (shown := capsys.readouterr().err)
    assert "100%" in shown


def test_a_cut_connection_is_one_error_and_the_next_call_goes_on(site, path, capsys):
    site.cut = 300_000
    with pytest.raises(CheckpointError) as caught:
        fetch(site, path)
    assert "broke off at 300000 of 1024000 bytes" in str(caught.value)
    assert str(path) in str(caught.value)
    assert site.url in str(caught.value)
    assert not path.exists()
    site.cut = None
    assert "100%" not in capsys.readouterr().err
    assert only(fetch(site, path))
    assert "100%" in capsys.readouterr().err
    assert site.asked == [None, "bytes=300000-"]


def test_a_server_without_ranges_starts_anew(site, path, part):
    part.write_bytes(CONTENT[:300_000])
    site.ranges = False
    assert only(fetch(site, path))
    assert site.asked == ["bytes=300000-"]


def test_a_part_longer_than_the_file_starts_anew(site, path, part):
    part.write_bytes(CONTENT + b"more")
    assert only(fetch(site, path))
    assert site.asked == ["bytes=1024004-", None]


def test_a_part_of_another_file_starts_anew(site, path, part):
    part.write_bytes(bytes(1000))
    assert only(fetch(site, path))
    assert site.asked == ["bytes=1000-", None]


def test_a_part_that_was_whole_is_only_renamed(site, path, part):
    part.write_bytes(CONTENT)
    assert only(fetch(site, path))
    assert site.asked == []


def test_a_server_that_does_not_say_how_long_the_file_is(site, path):
    site.length = False
    assert only(fetch(site, path))


def test_wrong_bytes_are_refused_and_not_kept(site, path):
    site.content = b"<html>Please log in</html>"
    with pytest.raises(CheckpointError) as caught:
        fetch(site, path)
    assert f"is not {NAME[8:16]} as its name says" in str(caught.value)
    assert site.url in str(caught.value)
    assert f"{path}: " in str(caught.value)
    assert not path.exists()
    site.content = CONTENT
    assert only(fetch(site, path))
    assert site.asked == [None, None]


@pytest.mark.parametrize("status", [403, 404, 416, 503])
def test_an_http_error_is_one_error_that_says_what_to_do(site, path, status):
    site.status = status
    with pytest.raises(CheckpointError, match=rf"{NAME}: no such file.*HTTP {status} ") as it:
        fetch(site, path)
    assert f"{site.url} could not be fetched" in str(it.value)
    assert "put it there" in str(it.value)


def test_offline_is_one_error_that_says_what_to_do(path, monkeypatch):
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False) as closed:
        closed.server_bind()  # a port that nobody listens on
        url = f"http://127.0.0.1:{closed.socket.getsockname()[1]}/{NAME}"
        with pytest.raises(CheckpointError, match=r"Connection refused.*put it there") as it:
            download.fetch(url, path, download.named_by_sha256)
    assert f"{path}: no such file, and {url}" in str(it.value)


def test_a_cache_that_cannot_be_written_is_one_error(site, tmp_path):
    (tmp_path / "cache").write_text("a file where the folder should be")
    with pytest.raises(CheckpointError, match="could not be fetched"):
        fetch(site, tmp_path / "cache" / NAME)


def test_a_file_in_the_cache_is_verified_again(site, path):
    fetch(site, path)
    path.write_bytes(CONTENT[:-1] + b"x")
    with pytest.raises(CheckpointError, match=rf"{NAME}: sha256 .* delete it and run again"):
        fetch(site, path)
    assert site.asked == [None]


def test_two_that_ask_at_once_download_once(site, path):
    site.delay = 0.3
    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(lambda _: fetch(site, path), range(2))) == [path, path]
    assert site.asked == [None]
    assert only(path)


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("/a", "/b", "/a"),
        (None, "/b", "/b/mien"),
        (None, None, "/home/me/.cache/mien"),
        ("", "", "/home/me/.cache/mien"),
        ("~/mine", None, "/home/me/mine"),
    ],
)
def test_the_cache_is_where_the_environment_says(monkeypatch, own, shared, expected):
    for name, value in (("MIEN_CACHE", own), ("XDG_CACHE_HOME", shared), ("HOME", "/home/me")):
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)
    assert download.cache_folder() == Path(expected)


def hashed_by_git(path):
    out = subprocess.run(["git", "hash-object", "--no-filters", path], capture_output=True)
    return out.stdout.decode().strip()


def test_a_git_blob_is_verified_by_gits_own_hash(tmp_path):
    path = tmp_path / "weights.pt"
    path.write_bytes(CONTENT)
    verify = download.named_by_git(hashed_by_git(path))
    assert verify(path) is None
    path.write_bytes(CONTENT + b"x")
    assert verify(path) == f"git blob {hashed_by_git(path)[:12]} is not " + (
        f"{hashlib.sha1(b'blob 1024000' + bytes(1) + CONTENT).hexdigest()[:12]}"
    )


def test_a_file_in_git_lfs_is_known_by_its_pointer_which_is_not_taken_for_it(tmp_path):
    pointer = tmp_path / "pointer"
    sha256 = hashlib.sha256(CONTENT).hexdigest()
    pointer.write_text(
        "version https://git-lfs.github.com/spec/v1\n"
        f"oid sha256:{sha256}\nsize {len(CONTENT)}\n"
    )
    verify = download.named_by_git(hashed_by_git(pointer))
    assert "git LFS pointer" in verify(pointer)
    path = tmp_path / "weights.pt"
    path.write_bytes(CONTENT)
    assert verify(path) is None
    path.write_bytes(CONTENT[1:])
    assert verify(path) is not None
