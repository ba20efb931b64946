"""img2dataset: a list of URLs to WebDataset shards, here of local files.

It has an environment of its own below `benchmarks/.peers`, made when it is first needed.
"""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measure import ONE_THREAD, BenchmarkError, Cost, run

REQUIREMENTS = Path(__file__).parent.parent / "requirements-img2dataset.txt"
HOME = Path(__file__).parent.parent / ".peers/img2dataset"
OPTIONS = (
    *("--processes_count", "1", "--thread_count", "8"),  # 1 thread and 8 cost the same
    *("--image_size", "256", "--resize_mode", "border", "--upscale_interpolation", "cubic"),
    *("--output_format", "webdataset", "--number_sample_per_shard", "1000"),
)


@dataclass(frozen=True)
class Coding:
    """What img2dataset writes."""

    format: str  # png or jpg
    quality: int  # of jpg; the zlib level of png


def installed(home: Path = HOME, requirements: Path = REQUIREMENTS) -> Path:
    """Return the program, after making its environment if it is not there as required.

    Raises:
        BenchmarkError: If it cannot be installed.
    """
    stamp = home / "made-from"
    digest = hashlib.sha256(requirements.read_bytes()).hexdigest()
    if not (stamp.is_file() and stamp.read_text() == digest):
        print(f"installing {requirements.name} into {home} (about a minute)", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / ".gitignore").write_text("*\n")
        _make(home, requirements)
        stamp.write_text(digest)
    return home / "bin/img2dataset"


def _make(home: Path, requirements: Path) -> None:
    python = str(home / "bin/python")
    pip = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in (
        [sys.executable, "-m", "venv", str(home)],
        [*pip, "-r", str(requirements)],
        [python, "-c", "import img2dataset"],
    ):
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            said = (done.stderr or done.stdout).strip().splitlines() or ["nothing was said"]
            raise BenchmarkError(
                f"{requirements}: img2dataset cannot be installed into {home}: {said[-1]}: "
                f"mend what `{' '.join(command)}` says, or leave this part out "
                "(--only reading --only memory)"
            )


def shard(program: Path, images: Sequence[Path], output: Path, coding: Coding) -> Cost:
    """Write the images as shards into `output`, which is replaced."""
    shutil.rmtree(output, ignore_errors=True)
    output.mkdir(parents=True)
    urls = output / "urls.txt"
    urls.write_text("".join(f"{path.absolute().as_uri()}\n" for path in images))
    command = [
        *(str(program), "--url_list", str(urls), "--output_folder", str(output / "shards")),
        *("--encode_format", coding.format, "--encode_quality", str(coding.quality)),
        *OPTIONS,
    ]
    # TMPDIR: one of its libraries leaves folders behind there.
    own = {**ONE_THREAD, "NO_ALBUMENTATIONS_UPDATE": "1", "TMPDIR": str(output)}
    return run(command, output, own)
