"""The training step against CompressAI's own loop: same codec, batch, pictures, losses.

    python benchmarks/train.py [--quick] [--json FILE] [--threads N] [--only VARIANT]

The peer is `train_one_epoch` of CompressAI's `examples/train.py`: Adam, clipping, its loss, its
auxiliary step. Ours is the step that `mien finetune` runs, without a classifier where it is
compared like for like. Peer and variant take turns; medians of the rounds with their spread. A
ratio is our throughput over the peer's: more is better. On a CPU batches of 4 at N = 128; on a
GPU every variant at batch 16 and 64, N = 128 and 192, and the hours of the paper's grid.
"""

from __future__ import annotations

import gc
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

if __name__ == "__main__":  # or benchmarks/statistics.py would hide Python's own
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import statistics

import torch

from benchmarks import measure, steps
from mien.data import release
from mien.device import seconds
from mien.errors import MienError
from mien.files import write_json
from mien.params import Params, load_params, zoo_channels
from mien.provenance import source_commit
from mien.runs import CONTROLS, JOINT, finetune_section, setting_named, trained_runs

SIZE = 256
BUSY = 0.5  # load before the start above which nothing here is to be trusted
PRESET = Path(__file__).parent.parent / "presets/affectnet.yaml"


@dataclass(frozen=True)
class Extent:
    """How long to measure: `steps` steps of each, in turn, `rounds` times."""

    rounds: int
    steps: int


@dataclass(frozen=True)
class Timing:
    """Seconds a step of both in each round, and what the variant needed at first."""

    peer: list[float]
    ours: list[float]
    first_seconds: float  # of its first step, compilation included
    peak_bytes: int  # on the GPU, by this variant alone; 0 on a CPU


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; return 0, or 2 after printing why it could not be done."""
    options = measure.parser(__doc__)
    cores = len(os.sched_getaffinity(0))
    options.add_argument("--threads", type=int, default=cores, help="of the CPU")
    options.add_argument("--only", action="append", metavar="VARIANT", help="may be repeated")
    args = options.parse_args(argv)
    torch.set_num_threads(args.threads)
    print(machine(), flush=True)
    if os.getloadavg()[0] > BUSY:
        print(f"load {os.getloadavg()[0]:.1f} before the start: do not trust what follows")
    try:
        with tempfile.TemporaryDirectory(prefix="mien-benchmark-") as cache:
            os.environ["TORCHINDUCTOR_CACHE_DIR"] = cache  # or a second run compiles nothing
            measured = on_gpu if torch.cuda.is_available() else on_cpu
            table = measured(args.quick, args.only)
    except MienError as error:
        print(f"benchmarks/train.py: {error}", file=sys.stderr)
        return 2
    if args.json:
        write_json(args.json, {**table, "commit": source_commit(), "machine": machine()})
    return 0


def on_cpu(quick: bool, only: Sequence[str] | None) -> dict[str, float]:
    """Return the ratios of the CPU's variants."""
    chosen = _chosen(steps.CPU, only or (steps.QUICK_CPU if quick else tuple(steps.CPU)))
    work = steps.Work(zoo_channels(3), steps.drawn(4, SIZE))
    extent = Extent(rounds=7 if quick else 15, steps=1)
    return {
        name: report(name, timed(work, variant, extent), 4) for name, variant in chosen.items()
    }


def on_gpu(quick: bool, only: Sequence[str] | None) -> dict[str, float]:
    """Return the ratios of the matrix, by `gpu_<variant>_b<batch>_n<N>`, and its hours."""
    chosen = _chosen(steps.GPU, only or (steps.QUICK_GPU if quick else tuple(steps.GPU)))
    extent = Extent(rounds=5 if quick else 9, steps=20)
    table: dict[str, float] = {}
    rates: dict[tuple[str, int], float] = {}  # img/s at the paper's batch
    for quality in (3,) if quick else (3, 5):
        N, M = zoo_channels(quality)
        for batch in (16,) if quick else (16, 64):
            work = steps.Work((N, M), steps.drawn(batch, SIZE))
            for name, variant in chosen.items():
                timing = timed(work, variant, extent)
                key = f"gpu_{name}_b{batch}_n{N}"
                table[key] = report(key, timing, batch)
                if batch == 16:
                    rates[name, N] = batch / statistics.median(timing.ours)
                    rates["peer", N] = batch / statistics.median(timing.peer)
    return table | _shares(table) | _grid(rates)


def timed(work: steps.Work, variant: steps.Variant, extent: Extent) -> Timing:
    """Time CompressAI's loop and one variant in turn."""
    theirs = steps.peer(work)
    gc.collect()
    before = _gpu_bytes(reset=True)
    start = seconds()
    ours = steps.ours(work, variant)
    ours(1)
    first = seconds() - start
    ours(extent.steps)  # CUDA graphs are recorded in the second step
    peak = _gpu_bytes(peak=True) - before
    theirs(extent.steps)
    rounds = [
        (_seconds_a_step(theirs, extent.steps), _seconds_a_step(ours, extent.steps))
        for _ in range(extent.rounds)
    ]
    return Timing([a for a, _ in rounds], [b for _, b in rounds], first, peak)


def report(name: str, timing: Timing, batch: int) -> float:
    """Print one line; return the median of the ratios, round by round."""
    peer, ours = ([s / batch for s in side] for side in (timing.peer, timing.ours))
    ratio = measure.ratio(name, "CompressAI", peer, ours, "img/s")
    memory = f", {timing.peak_bytes / 2**30:.2f} GiB at most" if timing.peak_bytes else ""
    print(f"{'':34} first step after {timing.first_seconds:.1f} s{memory}", flush=True)
    return ratio


def grid_hours(params: Params, images: int, rates: Mapping[tuple[str, int], float]) -> float:
    """Return the hours of the trainings that are compared, to their last epoch, on one device.

    Those of the controls, which the paper has none of, are not in it.

    Args:
        params: Whose codecs have the zoo's channels.
        images: In the training part, those of `val` among them.
        rates: img/s by (`frozen` or `joint`, N). Validation and reading shards are not in it.
    """
    epoch = images * (1 - params.data.val_fraction)
    hours = 0.0
    for run in (run for run in trained_runs(params) if run.strategy not in CONTROLS):
        N, _ = zoo_channels(setting_named(params, run.setting).quality)
        trained = epoch * finetune_section(params, run).epochs
        hours += trained / rates["joint" if run.strategy == JOINT else "frozen", N] / 3600
    return hours


def machine() -> str:
    """Return the processor, whether it multiplies bfloat16, its threads, and the GPU."""
    words = [
        f"{processor()}",
        f"{torch.get_num_threads()} threads",
        f"torch {torch.__version__}",
    ]
    if torch.cuda.is_available():
        words.insert(0, torch.cuda.get_device_name())
    return ", ".join(words)


def processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """Return the processor's name and its bfloat16 instructions."""
    if not cpuinfo.is_file():
        return platform.processor() or platform.machine()
    facts = dict(
        (word.strip() for word in line.split(":", 1))
        for line in cpuinfo.read_text().splitlines()
        if ":" in line
    )
    flags = facts.get("flags", "").split()
    has = [flag for flag in ("avx512_bf16", "amx_bf16") if flag in flags]
    return f"{facts.get('model name', platform.machine())} ({' '.join(has) or 'no bf16'})"


def _chosen(
    known: Mapping[str, steps.Variant], names: Sequence[str]
) -> dict[str, steps.Variant]:
    unknown = [name for name in names if name not in known]
    if unknown:
        raise measure.BenchmarkError(
            f"--only {', '.join(unknown)}: here there are {', '.join(known)}"
        )
    return {name: known[name] for name in names}


def _seconds_a_step(run: steps.Steps, count: int) -> float:
    start = seconds()
    run(count)
    return (seconds() - start) / count


def _gpu_bytes(*, reset: bool = False, peak: bool = False) -> int:
    if not torch.cuda.is_available():
        return 0
    if reset:
        torch.cuda.reset_peak_memory_stats()
    return torch.cuda.max_memory_allocated() if peak else torch.cuda.memory_allocated()


def _shares(table: Mapping[str, float]) -> dict[str, float]:
    """Return how much of the compiled step GDN is, by batch and N."""
    shares = {}
    for key, bound in table.items():
        if (
            key.startswith("gpu_no_gdn_")
            and (full := key.replace("no_gdn", "compiled")) in table
        ):
            shares[key.replace("no_gdn", "gdn_share")] = 1 - table[full] / bound
    for key, share in shares.items():
        print(f"{key:34} {share:.1%} of the compiled step")
    return shares


def _grid(rates: Mapping[tuple[str, int], float]) -> dict[str, float]:
    """Return the hours of the paper's grid on one GPU; the peer's are without a classifier."""
    params = load_params(PRESET)
    if not {(kind, N) for kind in ("frozen", "joint") for N in (128, 192)} <= set(rates):
        return {}
    peer = {(kind, N): rates["peer", N] for kind in ("frozen", "joint") for N in (128, 192)}
    hours = {
        "gpu_grid_hours": grid_hours(params, sum(release.TRAIN), rates),
        "gpu_grid_hours_compressai": grid_hours(params, sum(release.TRAIN), peer),
    }
    for key, value in hours.items():
        print(f"{key:34} {value:.0f} GPU-hours, as many hours on one GPU")
    return hours


if __name__ == "__main__":
    sys.exit(main())
