"""The least a JPEG shard can cost: each picture read, decoded, resized and coded, no more.

    python benchmarks/floor.py FACES COUNT

No index, no checks, no tar, no file written: what is left of `mien shard` when all that is its
own is taken away. `benchmarks/sharding.py` runs it, for a bound of its ratio.
"""

from __future__ import annotations

import sys
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import Cost, run
from benchmarks.workspace import sources
from mien.data import pictures

QUALITY = 95
SIZE = 256


def cost(faces: Path, count: int) -> Cost:
    """Return the cost of the first `count` images of a data set, in a process of its own."""
    return run([sys.executable, __file__, faces.absolute(), str(count)], faces)


def work(faces: Path, count: int) -> None:
    """Read, decode, resize and code the first `count` images, and throw them away."""
    for path in sources(faces)[:count]:
        picture = pictures.rgb(path.read_bytes(), path)
        picture = pictures.resized(picture, SIZE, "opencv-bicubic")
        pictures.encoded(picture, "jpg", QUALITY)


if __name__ == "__main__":
    work(Path(sys.argv[1]), int(sys.argv[2]))
