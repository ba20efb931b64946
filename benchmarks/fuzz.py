"""Damaged files by the thousand: does a decoder ever crash, hang or show a wrong picture?

    python benchmarks/fuzz.py [--quick] [--json FILE] [--seed N]

Every case is a `.mien` file or an archive of streams that something was done to: bits flipped,
bytes cut off, put in, replaced, two files spliced, another codec's file, and checksums made to
fit the damage afterwards. A file that is refused (StreamError) is right. A process works
through the cases and says which one it is at; it is killed when one takes over 20 seconds.

Under a checksum made to fit, what is left may be the whole stream of another picture, such as
the one byte 01: nothing can tell it from one that was written. Those are counted as `other`.
"""

from __future__ import annotations

import argparse
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import parser, write_results

HANG_SECONDS = 20.0
SIZE = 64
N_PICTURES = 12
CASES = 10_000
Damage = Callable[[bytes, bytes, random.Random], bytes]


def flipped(data: bytes, _: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 8))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def cut(data: bytes, _: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))]


def extended(data: bytes, _: bytes, draw: random.Random) -> bytes:
    return data + draw.randbytes(draw.randrange(1, 40))


def put_in(data: bytes, _: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    return data[:place] + draw.randbytes(draw.randrange(1, 9)) + data[place:]


def replaced(data: bytes, _: bytes, draw: random.Random) -> bytes:
    place = draw.randrange(len(data))
    some = draw.randbytes(draw.randrange(1, 30))
    return data[:place] + some + data[place + len(some) :]


def spliced(data: bytes, other: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(len(data))] + other[draw.randrange(len(other)) :]


def at_random(data: bytes, _: bytes, draw: random.Random) -> bytes:
    return data[: draw.choice((0, 4, 5, 9, 11))] + draw.randbytes(draw.randrange(0, 400))


DAMAGES: tuple[Damage, ...] = (flipped, cut, extended, put_in, replaced, spliced, at_random)


@dataclass(frozen=True)
class Material:
    """Whole files, and what reads them."""

    pictures: list[bytes]  # .mien
    others: list[bytes]  # of another codec
    archive: Path
    foreign: Path  # another codec's archive


def worked_through(folder: Path, seed: int, cases: range) -> None:
    """Try cases in this process, a line for each on standard output."""
    from mien.codec.picture import decode_picture
    from mien.codec.stream import load_coder
    from mien.errors import StreamError

    loaded = load_coder(folder / "codec.safetensors")
    material = _material(folder)
    for index in cases:
        draw = random.Random(f"{seed} {index}")
        kind, attempt = _case(material, draw, folder, loaded, decode_picture)
        print(f"{index} {kind} ", end="", flush=True)
        try:
            shown = attempt()
        except StreamError:
            shown = "refused"
        print(shown, flush=True)


def _case(material, draw, folder, loaded, decode_picture):  # type: ignore[no-untyped-def]
    """Return the kind of a case and what tries it, which returns what came of it."""
    form = draw.choice(("file", "file", "file", "forged", "swapped", "archive", "manifest"))
    damage = draw.choice(DAMAGES)
    whole = draw.choice(material.pictures)
    if form == "swapped":
        data = draw.choice(material.others)
    elif form == "forged":
        data = _forged(whole, damage, draw, material)
    else:
        data = damage(whole, draw.choice(material.pictures), draw)
    if form not in ("archive", "manifest"):

        def attempt() -> str:
            decode_picture(loaded, data)
            if data in material.pictures:
                return "whole"
            return "other" if form == "forged" else "picture"

        return f"{form} {damage.__name__ if form != 'swapped' else 'codec'}", attempt

    def archived() -> str:
        return _read(folder, _damaged_archive(material, form, damage, draw), loaded)

    return f"{form} {damage.__name__}", archived


def _forged(whole: bytes, damage: Damage, draw: random.Random, material: Material) -> bytes:
    """Return a damaged stream, or another size, under a checksum that fits."""
    from mien.codec.container import parse

    container = parse(whole)
    if draw.random() < 0.3:
        # Other sides once padded: within the same ones a forger has merely cut the picture.
        sides = {"width": draw.randrange(SIZE + 1, 700), "height": draw.randrange(1, 700)}
        return replace(container, **sides).to_bytes()
    other = parse(draw.choice(material.pictures)).stream
    return replace(container, stream=damage(container.stream, other, draw)).to_bytes()


def _damaged_archive(
    material: Material, form: str, damage: Damage, draw: random.Random
) -> tuple[bytes, bytes]:
    """Return the bytes of an archive and of its manifest, one of them damaged or foreign."""
    archive, manifest = _both(material.archive)
    others = _both(material.foreign)
    if draw.random() < 0.1:
        return (others[0], manifest) if form == "archive" else (archive, others[1])
    if form == "archive":
        return damage(archive, others[0], draw), manifest
    return archive, damage(manifest, others[1], draw)


def _both(path: Path) -> tuple[bytes, bytes]:
    return path.read_bytes(), path.with_suffix(".json").read_bytes()


def _read(folder: Path, both: tuple[bytes, bytes], loaded) -> str:  # type: ignore[no-untyped-def]
    """Read an archive as `mien decode-run` does; what it gives must be what was encoded."""
    from mien.codec.archive import digest_of, read_archive
    from mien.errors import StreamError

    path = folder / "case" / "streams.parquet"
    path.parent.mkdir(exist_ok=True)
    for target, data in zip((path, path.with_suffix(".json")), both, strict=True):
        target.write_bytes(data)
    table, shared = read_archive(path)
    if shared.codec != loaded.codec_id:
        raise StreamError("another codec")
    streams = table["stream"].to_pylist()
    _, symbols = loaded.coder.decode(streams, shared.height, shared.width)
    if digest_of(symbols) != shared.symbols:
        raise StreamError("other integers")
    right = (folder / "streams.parquet").read_bytes() == both[0]
    return "whole" if right else "picture"


def _material(folder: Path) -> Material:
    def files(name: str) -> list[bytes]:
        return [path.read_bytes() for path in sorted((folder / name).glob("*.mien"))]

    return Material(
        files("mine"), files("theirs"), folder / "streams.parquet", folder / "other.parquet"
    )


def prepared(folder: Path) -> None:
    """Write whole files by two codecs."""
    import pyarrow as pa

    from benchmarks.codecs import WEIGHTS
    from benchmarks.streams import pictures
    from mien.codec.archive import SCHEMA, Shared, digest_of, write_archive
    from mien.codec.picture import encode_picture
    from mien.codec.stream import load_coder

    x = pictures(N_PICTURES, SIZE)
    faces = x.mul(255).byte().permute(0, 2, 3, 1).numpy()
    parts = (("low", "codec", "mine", "streams"), ("mid", "theirs", "theirs", "other"))
    for weights, codec, name, archive in parts:
        target = folder / f"{codec}.safetensors"
        target.write_bytes((WEIGHTS / f"{weights}.safetensors").read_bytes())
        loaded = load_coder(target)
        (folder / name).mkdir()
        for index, face in enumerate(faces):
            (folder / name / f"{index}.mien").write_bytes(encode_picture(loaded, face).data)
        coded = loaded.coder.encode(x)
        rows = {
            "key": [f"test-{index:06d}" for index in range(len(x))],
            "stream": coded.streams,
            "estimated_bits": [0.0] * len(x),
        }
        digests = digest_of(coded.streams), digest_of(coded.symbols)
        shared = Shared(loaded.codec_id, "exact", "float32", SIZE, SIZE, len(x), *digests)
        write_archive(folder / f"{archive}.parquet", pa.table(rows, schema=SCHEMA), shared)


def main() -> int:
    options = parser(__doc__)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options.add_argument("--range", type=int, nargs=2, help=argparse.SUPPRESS)
    args = options.parse_args()
    if args.work:
        worked_through(args.work, args.seed, range(*args.range))
        return 0
    n = 1000 if args.quick else CASES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        prepared(folder)
        found, peak = _all_cases(folder, args.seed, n)
    table = _printed(found, n)
    table["peak_bytes"] = peak
    print(f"\nlargest memory of the process: {peak / 2**20:.0f} MiB")
    write_results(args.json, table, 1)
    return 1 if table["crashes"] or table["hangs"] or table["pictures"] else 0


def _all_cases(folder: Path, seed: int, n: int) -> tuple[Counter[tuple[str, str]], int]:
    """Run every case; after a crash or a hang go on behind it."""
    found: Counter[tuple[str, str]] = Counter()
    done = 0
    while done < n:
        log = folder / "log"
        command = [sys.executable, "-W", "ignore", __file__, "--work", folder]
        command += ["--seed", str(seed), "--range", str(done), str(n)]
        with log.open("w") as out:
            process = subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True)
            hung = _watched(process, log)
            _, said = process.communicate()
        lines = [line.split() for line in log.read_text().splitlines()]
        whole = [line for line in lines if len(line) == 4]
        for _, form, how, shown in whole:
            found[f"{form} {how}", shown] += 1
        done += len(whole)
        if done < n:
            at = lines[-1] if lines else []
            kind = " ".join(at[1:3]) or "start"
            found[kind, "hang" if hung else "crash"] += 1
            print(f"case {done} ({kind}): {'hang' if hung else said[-2000:]}")
            done += 1
    return found, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024


def _watched(process: subprocess.Popen[str], log: Path) -> bool:
    """Wait for a process; kill it, and return True, if its log stops growing."""
    size, since = -1, time.monotonic()
    while process.poll() is None:
        time.sleep(0.2)
        now = log.stat().st_size
        if now != size:
            size, since = now, time.monotonic()
        elif time.monotonic() - since > HANG_SECONDS + (60 if size <= 0 else 0):
            process.kill()
            return True
    return False


def _printed(found: Counter[tuple[str, str]], n: int) -> dict[str, float]:
    shown = ("refused", "whole", "other", "picture", "crash", "hang")
    print(f"{n} damaged files\n\n| Damage | {' | '.join(shown)} |")
    print(f"| --- |{' ---: |' * len(shown)}")
    for kind in sorted({kind for kind, _ in found}):
        print(f"| {kind} | {' | '.join(str(found[kind, how]) for how in shown)} |")
    totals = {how: sum(c for (_, seen), c in found.items() if seen == how) for how in shown}
    print(f"| **all** | {' | '.join(str(totals[how]) for how in shown)} |")
    return {
        "n": n,
        "refused": totals["refused"],
        "undamaged": totals["whole"],
        "other": totals["other"],
        "pictures": totals["picture"],
        "crashes": totals["crash"],
        "hangs": totals["hang"],
    }


if __name__ == "__main__":
    sys.exit(main())
