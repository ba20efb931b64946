"""A workflow whose processes are killed at random moments ends with the results of another."""

import random
import time

from benchmarks.kills import finish, killed, leftovers, prepare, results

KILLS = 6  # 30 by `python -m benchmarks.kills`
TARGET = "tables"


def test_kills_at_random_moments_change_no_result(tmp_path):
    alone, disturbed = tmp_path / "alone", tmp_path / "disturbed"
    for folder in (alone, disturbed):
        prepare(folder)
    began = time.monotonic()
    finish(alone, TARGET)
    whole = time.monotonic() - began
    moments = random.Random(0)
    kills = 0
    while kills < KILLS and killed(disturbed, whole * moments.uniform(0.05, 0.3), TARGET):
        kills += 1
    assert kills >= KILLS / 2  # on a machine that is suddenly faster it may end before the last
    said = finish(disturbed, TARGET)
    assert "mien resume: removed the lock of a workflow that was killed" in said
    expected, seen = results(alone), results(disturbed)
    assert {"metrics.json", "tables/table1.md"} < set(expected)
    assert {"results/joint/q3/checkpoint.safetensors", "models/classifier.safetensors"} < set(
        expected
    )
    assert set(seen) == set(expected)
    assert [name for name in expected if seen[name] != expected[name]] == []
    assert leftovers(disturbed) == []
