"""Set up `.venv` from `requirements.lock`; do nothing when that has been done.

Standard library only: it runs before anything is installed. A torch that is already there
(in `.venv`, or in the Python that runs this script) is kept when it satisfies the range of
`pyproject.toml`, so that a CPU-only build is not replaced by the CUDA build of the lock.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
LOCK = ROOT / "requirements.lock"
STAMP = VENV / "mien-environment"
# What a CUDA build of torch brings along: skipped together with torch itself.
TORCH_STACK = re.compile(r"(torch|torchvision|triton|nvidia-[a-z0-9-]+|cuda-[a-z0-9-]+)==")
VERSIONS = (
    "import json, torch, torchvision;"
    "print(json.dumps({'torch': torch.__version__, 'torchvision': torchvision.__version__}))"
)


def main() -> int:
    """Bring `.venv` up to the lock; return 0, or 2 with one line that says what is missing."""
    if sys.version_info < (3, 11):
        found = sys.version.split()[0]
        print(
            f"env: {sys.executable} is Python {found}: mien needs 3.11 or newer",
            file=sys.stderr,
        )
        return 2
    digest = fingerprint()
    if STAMP.is_file() and STAMP.read_text() == digest:
        return 0
    if not PYTHON.exists():
        inherit = ["--system-site-packages"] if has_torch(Path(sys.executable)) else []
        run(sys.executable, "-m", "venv", *inherit, str(VENV))
    install(keep_torch=has_torch(PYTHON))
    STAMP.write_text(digest)
    return 0


def fingerprint() -> str:
    """Return a digest of everything this environment is made from."""
    sources = (LOCK, ROOT / "pyproject.toml", Path(__file__))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()


def has_torch(python: Path) -> bool:
    """Say whether `python` imports torch and torchvision in the ranges of pyproject.toml."""
    probe = subprocess.run([str(python), "-c", VERSIONS], capture_output=True, text=True)
    if probe.returncode:
        return False
    versions = json.loads(probe.stdout)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    kept = all(satisfies(versions[name], bounds_of(name, project)) for name in versions)
    print(f"env: {python} has {versions}: {'kept' if kept else 'out of range'}", flush=True)
    return kept


def bounds_of(name: str, project: dict[str, list[str]]) -> str:
    """Return the version range of one dependency, such as `>=2.6,<3`."""
    pattern = re.compile(rf"{name}((?:[<>=!~]).*)")
    return next(
        match[1] for item in project["dependencies"] if (match := pattern.fullmatch(item))
    )


def satisfies(version: str, bounds: str) -> bool:
    """Say whether a version lies in a range made of `>=` and `<`; a local part is ignored."""
    number = release(version)
    low, high = re.fullmatch(r">=([\d.]+),<([\d.]+)", bounds).groups()
    return release(low) <= number < release(high)


def release(version: str) -> tuple[int, ...]:
    """Return the release numbers of a version: `2.13.0+cpu` is (2, 13, 0)."""
    return tuple(int(part) for part in re.match(r"\d+(?:\.\d+)*", version)[0].split("."))


def install(*, keep_torch: bool) -> None:
    """Install the lock, then the project itself without touching what the lock chose."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as wanted:
        wanted.write(lock_without_torch() if keep_torch else LOCK.read_text())
        wanted.flush()
        run(*installer(), "--require-hashes", "--no-deps", "-r", wanted.name)
    run(*installer(), "--no-deps", "--no-build-isolation", "-e", str(ROOT))


def installer() -> list[str]:
    """Return the install command: uv where there is one, else the environment's own pip."""
    if uv := shutil.which("uv"):
        return [uv, "pip", "install", "--python", str(PYTHON)]
    return [str(PYTHON), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]


def lock_without_torch() -> str:
    """Return the lock less torch and the packages that only its CUDA build needs."""
    entries = re.split(r"(?m)^(?=\S)", LOCK.read_text())
    return "".join(entry for entry in entries if not TORCH_STACK.match(entry))


def run(*command: str) -> None:
    """Show a command and run it; a failure ends the set-up with the command's own status."""
    print("env:", " ".join(command), flush=True)
    subprocess.run(command, check=True)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except subprocess.CalledProcessError as error:
        print(f"env: a step failed with exit code {error.returncode}", file=sys.stderr)
        sys.exit(2)
