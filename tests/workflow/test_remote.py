"""A remote on S3: what is pushed there makes a fresh clone a finished one."""

import socket
import subprocess
import sys
import time
import urllib.request

import pytest

boto3 = pytest.importorskip("boto3", reason="pip install 'mien[s3]' brings the client")
BUCKET = "mien-results"
KEYS = {"AWS_ACCESS_KEY_ID": "nobody", "AWS_SECRET_ACCESS_KEY": "nothing"}
REGION = {"AWS_DEFAULT_REGION": "us-east-1"}


@pytest.fixture
def s3():
    """Yield the address of an S3 server on loopback, with an empty bucket."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    address = f"http://127.0.0.1:{port}"
    try:
        _wait_for(address)
        _client(address).create_bucket(Bucket=BUCKET)
        yield address
    finally:
        server.terminate()
        server.wait()


def _wait_for(address):
    for _ in range(600):
        try:
            with urllib.request.urlopen(f"{address}/moto-api/", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise AssertionError(f"{address}: no answer")


def _client(address):
    return boto3.client(
        "s3",
        endpoint_url=address,
        region_name=REGION["AWS_DEFAULT_REGION"],
        aws_access_key_id=KEYS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=KEYS["AWS_SECRET_ACCESS_KEY"],
    )


def test_a_clone_that_pulled_from_s3_has_nothing_to_do(finished, s3, tmp_path, scratch):
    author = finished.copy(tmp_path / "author")
    author.environment |= KEYS | REGION
    author.run("dvc", "remote", "add", "--default", "cloud", f"s3://{BUCKET}/mien")
    author.run("dvc", "remote", "modify", "cloud", "endpointurl", s3)
    author.commit("A remote on S3")
    author.run("dvc", "push")
    assert _client(s3).list_objects_v2(Bucket=BUCKET)["KeyCount"] > 50
    project = author.clone(tmp_path / "clone")
    project.run("dvc", "pull")
    assert project.repro() == []
    assert project.snakemake() == []
    assert project.run("git", "status", "--short") == ""
    assert project.contents() == scratch(author)
