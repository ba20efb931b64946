"""The training benchmark compares like with like; what it measures is not judged here."""

import json
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from compressai.layers import GDN

from mien.codec.model import new_codec
from mien.params import load_params

sys.path.append(str(Path(__file__).parent.parent))  # nobody installs the benchmarks
from benchmarks import steps, train


@pytest.fixture(scope="module")
def work():
    return steps.Work((8, 12), steps.drawn(2, 64))


@pytest.fixture(autouse=True)
def without_code(monkeypatch):
    """Find graphs, but let eager kernels run them: seconds, not minutes."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    yield
    torch._dynamo.reset()


@pytest.mark.parametrize("name", ["cpu_fp32", "cpu_bf16_eager", "cpu_bf16_compiled"])
def test_both_sides_start_from_the_same_loss(work, name):
    theirs, ours = steps.peer(work)(1), steps.ours(work, steps.CPU[name])(1)
    # One seed, but y lies channels-last on our side: its noise falls in another order.
    assert ours == pytest.approx(theirs, rel=2e-4 if name == "cpu_fp32" else 2e-2)


def test_both_sides_train(work):
    for run in (steps.peer(work), steps.ours(work, steps.CPU["cpu_bf16_eager"])):
        start = run(1)
        run(30)
        assert run(1) < 0.97 * start


@pytest.mark.parametrize("name", list(steps.GPU))
def test_every_variant_of_the_matrix_steps(work, name):
    assert steps.ours(work, steps.GPU[name])(2) > 0


def test_the_bound_has_no_gdn():
    codec = new_codec((8, 12))
    assert sum(isinstance(module, GDN) for module in codec.modules()) == 6
    steps._without_gdn(codec)
    assert not any(isinstance(module, GDN) for module in codec.modules())
    codec(torch.rand(1, 3, 64, 64))


def test_a_ratio_is_the_peers_seconds_over_ours(work, capsys):
    timing = train.timed(work, steps.CPU["cpu_fp32"], train.Extent(rounds=2, steps=1))
    assert min(*timing.peer, *timing.ours, timing.first_seconds) > 0
    known = train.Timing([2.0, 4.0, 6.0], [1.0, 1.0, 1.0], 5.0, 0)
    assert train.report("name", known, batch=4) == 4.0
    assert "CompressAI     1.0 img/s, mien     4.0 img/s" in capsys.readouterr().out


def test_the_grid_is_two_strategies_at_eight_qualities_and_twelve_sweeps():
    params = load_params(train.PRESET)
    rates = {("frozen", 128): 10.0, ("joint", 128): 5.0, ("frozen", 192): 2.0}
    rates |= {("joint", 192): 1.0}
    pictures = 0.95 * 30 * 3600  # of a training, where `images` is 3600
    hours = pictures * (16 / 10 + 16 / 5 + 4 / 2 + 4 / 1) / 3600
    assert train.grid_hours(params, 3600, rates) == pytest.approx(hours)


@pytest.mark.parametrize(
    ("flags", "has"), [("sse2 avx512_bf16", "avx512_bf16"), ("sse2 avx512f", "no bf16")]
)
def test_the_processor_is_named_with_its_bfloat16(flags, has, tmp_path):
    path = tmp_path / "cpuinfo"
    path.write_text(f"processor\t: 0\nmodel name\t: Abacus 3\nflags\t\t: {flags}\n\n" * 2)
    assert train.processor(path) == f"Abacus 3 ({has})"


def test_the_file_has_the_promised_keys(monkeypatch, tmp_path):
    toy = partial(steps.Work, (8, 12))
    monkeypatch.setattr(steps, "Work", lambda _channels, images: toy(images))
    monkeypatch.setattr(train, "SIZE", 64)
    one = train.Extent(1, 1)
    monkeypatch.setattr(train, "Extent", lambda rounds, steps: one)  # noqa: ARG005
    path = tmp_path / "train.json"
    assert train.main(["--quick", "--threads", "1", "--json", str(path)]) == 0
    table = json.loads(path.read_text())
    ratios = {"cpu_fp32", "cpu_bf16_eager", "cpu_bf16_compiled"}
    assert set(table) == ratios | {"commit", "machine"}
    assert all(table[key] > 0 for key in ratios)
    assert "1 threads" in table["machine"]


def test_an_unknown_variant_is_refused(capsys):
    assert train.main(["--only", "cpu_fp8"]) == 2
    assert "here there are cpu_fp32, cpu_bf16_eager" in capsys.readouterr().err


def test_it_runs_as_a_script_from_anywhere(tmp_path):
    asked = [sys.executable, "-W", "ignore", train.__file__, "--help"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--only" in done.stdout
