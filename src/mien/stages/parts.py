"""What the parts of a stage hand on: files that one small job puts together."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from mien import paths
from mien.errors import DataError
from mien.files import replacing, sha256_of
from mien.part import Part, all_parts
from mien.runs import Run

_RECORD = b"mien"


def write_part(
    stage: str, run: Run, part: Part, rows: pa.Table, made_from: Mapping[str, Any]
) -> None:
    """Write what one part made: its rows, and everything that decided about them."""
    path = paths.part(stage, run, part)
    record = json.dumps(_with_shards(made_from), sort_keys=True)
    with replacing(path) as temporary:
        pq.write_table(rows.replace_schema_metadata({_RECORD: record}), temporary)


def gathered(stage: str, run: Run, total: int, made_from: Mapping[str, Any]) -> pa.Table:
    """Return the rows of all parts, in order.

    Raises:
        DataError: If a part is missing, damaged, or was made from something else.
    """
    expected = _with_shards(made_from)
    tables = [_read(paths.part(stage, run, part), expected) for part in all_parts(total)]
    return pa.concat_tables(tables)


def _with_shards(made_from: Mapping[str, Any]) -> dict[str, Any]:
    return {**made_from, "shards": sha256_of(paths.SHARDS_MANIFEST)}


def _read(path: Path, made_from: Mapping[str, Any]) -> pa.Table:
    require(path)
    try:
        table = pq.read_table(path)
        record = json.loads((table.schema.metadata or {})[_RECORD])
    except (pa.ArrowException, OSError, ValueError, KeyError) as error:
        raise DataError(f"{path}: not a whole part: {error}: delete it and re-run") from None
    require_same(path, record, made_from)
    return table.replace_schema_metadata(None)


def require(path: Path) -> None:
    """Refuse to go on without a part.

    Raises:
        DataError: If its file is not there.
    """
    if not path.is_file():
        raise DataError(
            f"{path}: no such part, though compute.parts in params.yaml asks for it: let "
            "snakemake run the stage, or set compute.parts: 1"
        )


def require_same(path: Path, seen: Mapping[str, Any], expected: Mapping[str, Any]) -> None:
    """Refuse a part that an earlier run left behind, and remove it, so that it is made again.

    Raises:
        DataError: If something that decides about it has changed since; the first one is named.
    """
    wanted = json.loads(json.dumps(expected))  # as it comes back from a file
    for name in sorted({*wanted, *seen}):
        if seen.get(name) != wanted.get(name):
            path.unlink()
            raise DataError(
                f"{path}: made with {name} {seen.get(name)!r}, not {wanted.get(name)!r}: it is "
                "removed: run again"
            )


def write_seconds(path: Path, rows: pa.Table) -> None:
    """Write how long every picture took: key, seconds."""
    with replacing(path) as temporary:
        pq.write_table(rows.select(["key", "seconds"]).combine_chunks(), temporary)
