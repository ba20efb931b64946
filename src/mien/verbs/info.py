"""`mien info`: what a file of ours is, without decoding it."""

from __future__ import annotations

from pathlib import Path

from mien.codec.archive import read_archive
from mien.codec.container import MAGIC, parse
from mien.errors import DataError, StreamError
from mien.metrics.rate import bits_per_pixel
from mien.tensors import load_tensors
from mien.verbs.named import CODEC_FILE, wrote

Facts = dict[str, object]


def info(path: Path) -> str:
    """Return lines about a `.mien` file, an archive of streams or a weights file.

    Raises:
        DataError: If there is no such file or it is none of these.
        StreamError: If it is one and damaged.
    """
    if path.is_dir() and (path / CODEC_FILE).is_file():
        path = path / CODEC_FILE
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    facts = _facts(path)
    width = max(map(len, facts))
    return "\n".join(f"{name:{width}}  {value}" for name, value in facts.items())


def _facts(path: Path) -> Facts:
    if path.suffix == ".safetensors":
        return _of_weights(path)
    if path.suffix == ".parquet":
        return _of_archive(path)
    data = path.read_bytes()
    if not data.startswith(MAGIC):
        raise DataError(
            f"{path}: neither a .mien file, nor an archive of streams (.parquet), nor weights "
            "(.safetensors)"
        )
    try:
        return _of_picture(data)
    except StreamError as error:
        raise StreamError(f"{path}: {error}") from None


def _of_picture(data: bytes) -> Facts:
    container = parse(data)
    height, width = container.height, container.width
    try:
        codec = f"{container.codec}.. ({wrote(container.codec).codec})"
    except StreamError:
        codec = f"{container.codec}.. (not in this folder)"
    return {
        "kind": "picture, .mien version 1, whole",
        "size": f"{width}x{height} pixels",
        "codec": codec,
        "bytes": f"{len(data)}, {len(container.stream)} of them the stream",
        "rate": f"{bits_per_pixel(len(data), height, width):.4f} bit/pixel",
    }


def _of_archive(path: Path) -> Facts:
    table, shared = read_archive(path)
    n_bytes = sum(map(len, table["stream"].to_pylist()))
    n = table.num_rows
    rate = bits_per_pixel(n_bytes, shared.height, shared.width * n) if n else 0.0
    overhead = path.stat().st_size - n_bytes
    return {
        "kind": "archive of streams, whole",
        "pictures": f"{n} of {shared.width}x{shared.height} pixels",
        "codec": shared.codec,
        "entropy": f"{shared.entropy}, networks in {shared.precision}",
        "bytes": f"{n_bytes} of streams, {overhead} around them",
        "rate": f"{rate:.4f} bit/pixel",
    }


def _of_weights(path: Path) -> Facts:
    tensors, record = load_tensors(path)
    kinds = sorted({name.partition(".")[0] for name in tensors})
    n_parameters = sum(
        tensor.numel() for tensor in tensors.values() if tensor.is_floating_point()
    )
    facts: Facts = {"kind": f"weights: {', '.join(kinds)}", "numbers": f"{n_parameters:,}"}
    for name in ("strategy", "setting", "quality", "channels", "codec_id", "data", "commit"):
        if name in record:
            facts[name] = record[name]
    if "calibration" in record:
        found = record["calibration"]
        facts["calibration"] = (
            f"temperature {found['temperature']} on {found['n']} {found['pictures']} pictures "
            f"of {found['split']}: cross entropy {found['cross_entropy']} -> "
            f"{found['cross_entropy_calibrated']} nats"
        )
    return facts
