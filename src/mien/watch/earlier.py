"""How long jobs took in earlier runs, by what Snakemake keeps of every output it made."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

METADATA = Path(".snakemake/metadata")
AT_MOST = 3000  # records that are read: a tenth of a second


def seconds_by_rule(metadata: Path = METADATA) -> dict[str, float]:
    """Return the mean seconds of a job of each rule that was run here before."""
    spans: dict[str, dict[float, float]] = {}
    for path in islice(metadata.rglob("*"), AT_MOST):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            rule, began, ended = (record[key] for key in ("rule", "starttime", "endtime"))
            took = float(ended) - float(began)
        except (OSError, ValueError, KeyError, TypeError):  # a folder, or half a record
            continue
        jobs = spans.setdefault(str(rule), {})  # outputs of one job have one start
        jobs[began] = max(took, jobs.get(began, 0.0))
    return {rule: sum(jobs.values()) / len(jobs) for rule, jobs in spans.items()}
