"""What the README tells people to type works as it stands there."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from mien import cli
from tests.verbs.conftest import pixels

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^(?:\d\.)? *```sh\n(.*?)^ *```$", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    part.strip()
    for block in BLOCKS
    for line in block.splitlines()
    for part in line.partition("  #")[0].split("&&")
    if part.strip().startswith("mien ")
]


def test_the_commands_on_pictures_run(finished):
    (block,) = [block for block in BLOCKS if "mien encode" in block]
    shutil.copy("photos/b.jpg", "photo.jpg")
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-e", "-c", block],
        env={**os.environ, "PATH": path},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "verified, PSNR" in done.stdout
    assert pixels("photo.png").shape == (128, 128, 3)
    assert (pixels("photo.png") == pixels("again.png")).all()
    assert (finished / "my-codec/README.md").is_file()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_one_that_mien_has(command):
    cli.parser().parse_args(shlex.split(command)[1:])


def test_there_are_commands():
    assert len(COMMANDS) > 6
