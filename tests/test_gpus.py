"""Which GPUs a process may use, by the names that CUDA knows."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mien import gpus
from mien.errors import DataError
from mien.gpus import visible_gpus
from tests.support.gpus import CUT_UP, FIRST, PARTS, SECOND, TWO, simulated


def names(environment):
    return [gpu.name for gpu in visible_gpus(environment)]


@pytest.mark.parametrize(
    ("listing", "visible", "seen"),
    [
        (TWO, None, [FIRST, SECOND]),
        (TWO, "1", [SECOND]),
        (TWO, "1,0", [SECOND, FIRST]),
        (TWO, " 1 , 1", [SECOND]),
        (TWO, SECOND, [SECOND]),
        (TWO, SECOND[:8], [SECOND]),
        (TWO, "GPU-", []),  # the beginning of both
        (TWO, "", []),
        (TWO, "-1", []),
        (TWO, "NoDevFiles", []),
        (TWO, "0,7,1", [FIRST]),  # CUDA looks no further than what it does not know
        (TWO, PARTS[0], []),
        ("", None, []),
        ("", "0", []),
        (CUT_UP, None, [*PARTS, SECOND]),
        (CUT_UP, "0", [PARTS[0]]),
        (CUT_UP, "1", [SECOND]),
        (CUT_UP, FIRST, [PARTS[0]]),
        (CUT_UP, f"{PARTS[1]},{SECOND}", [PARTS[1], SECOND]),
        (CUT_UP, PARTS[0][:9], [PARTS[0]]),
    ],
)
def test_what_cuda_would_see_is_found(tmp_path, listing, visible, seen):
    environment = simulated(tmp_path, listing)
    if visible is not None:
        environment["CUDA_VISIBLE_DEVICES"] = visible
    assert names(environment) == seen
    assert [gpu.identity for gpu in visible_gpus(environment)] == seen


@pytest.mark.parametrize(
    ("given", "seen"),
    [
        ("0", ["0"]),
        ("0,1", ["0", "1"]),
        (f"{FIRST},{PARTS[1]}", [FIRST, PARTS[1]]),
        ("", []),
        ("NoDevFiles", []),
    ],
)
def test_what_slurm_gave_keeps_its_names(tmp_path, given, seen):
    environment = simulated(tmp_path) | {"SLURM_JOB_ID": "7", "CUDA_VISIBLE_DEVICES": given}
    assert names(environment) == seen


def test_number_0_of_two_slurm_jobs_is_not_one_gpu():
    def identity(**more):
        (gpu,) = visible_gpus({"CUDA_VISIBLE_DEVICES": "0", **more})
        return gpu.identity

    seen = [identity(SLURM_JOB_ID=job) for job in ("7", "8", "7")]
    assert seen[0] == seen[2] != seen[1]
    steps = [identity(SLURM_JOB_ID="7", SLURM_STEP_ID=step) for step in "01"]
    assert steps[0] != steps[1]


@pytest.mark.parametrize(
    ("script", "seen"),
    [
        (f"cat <<'END'\n{TWO}END", [FIRST, SECOND]),
        ("echo 'NVIDIA-SMI has failed because it could not talk to the driver'; exit 9", []),
    ],
)
def test_the_drivers_own_command_is_asked(tmp_path, monkeypatch, script, seen):
    command = tmp_path / "nvidia-smi"
    command.write_text(f'#!/bin/sh\n[ "$*" = -L ] || exit 2\n{script}\n')
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert names({}) == seen


def test_without_that_command_there_are_none(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert names({"CUDA_VISIBLE_DEVICES": "0"}) == []


def test_a_driver_that_hangs_is_named(tmp_path, monkeypatch):
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\nexec sleep 60\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr(gpus, "_PATIENCE", 0.1)
    with pytest.raises(DataError, match=r"nvidia-smi -L: no answer in 0\.1 s: mend the driver"):
        names({})


def test_a_list_that_is_not_there_is_refused():
    with pytest.raises(DataError, match="MIEN_GPU_LIST: nowhere: No such file"):
        names({"MIEN_GPU_LIST": "nowhere"})


def test_nothing_heavy_is_imported():
    code = "import sys, mien.claim; print('torch' in sys.modules)"
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert out.stdout.strip() == "False"
