"""`mien plan`: what would run, and what it would take, before anything does."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from mien.errors import DataError
from mien.params import Params, load_params
from mien.verbs.disk import disk_of
from mien.verbs.jobs import Job, is_here, jobs_of
from mien.verbs.speeds import Speeds, committed_speeds, processor, read_speeds
from mien.verbs.work import Images, Work, images_of, works_of

GPU_KEYS = ("train_", "look_", "encode_n", "decode_n", "classify")  # work of networks


@dataclass(frozen=True)
class Row:
    """One rule."""

    rule: str
    jobs: int
    cpu_hours: float | None  # with no GPU; None: nothing measured tells it
    gpu_hours: float | None  # of its networks; None: no GPU was measured
    cpu_hours_beside: float | None  # what is left to the CPU with a GPU


@dataclass(frozen=True)
class Outlook:
    """All that `mien plan` says."""

    params: str
    here: bool
    images: Images
    rows: list[Row]
    disk_bytes: dict[str, float]
    gpus: int
    cores: int
    cpu_hours: float
    gpu_hours: float | None
    wall_hours_cpu: float  # on all cores of this machine, without a GPU
    wall_hours_gpu: float | None
    longest_job_hours: float  # of those on the GPU, if there is one
    longest_chain_hours: float  # jobs that wait for each other; on the GPU, if there is one
    measured_on: dict[str, str]
    notes: list[str]


def plan(path: Path, gpus: int, more_speeds: Iterable[Path], as_json: bool) -> str:
    """Return the plan of a params file, as text or JSON.

    Args:
        path: The params file. That of this folder is planned as it stands; another one as in
            an empty folder.
        gpus: To count with, at least 1.
        more_speeds: Tables beside the committed one: those of this machine, or of its GPU.
        as_json: JSON, not text.

    Raises:
        DataError: If the number of images is not known, or Snakemake or a table is unusable.
        ParamsError: If the params file is refused.
    """
    if gpus < 1:
        raise DataError(f"--gpus {gpus}: at least 1")
    params = load_params(path)
    speeds = read_speeds([*committed_speeds(), *more_speeds])
    here = is_here(params, path)
    found = outlook(params, path, jobs_of(params, here), images_of(params, here), speeds, gpus)
    if as_json:
        return json.dumps(asdict(found), indent=2, sort_keys=True)
    return text_of(found)


def outlook(
    params: Params, path: Path, jobs: list[Job], images: Images, speeds: Speeds, gpus: int
) -> Outlook:
    """Return what jobs take by the speeds."""
    works = works_of(params, images, jobs)
    by_job = {
        job: work if work is not None and speeds.tell("cpu", work) else None
        for job, work in works.by_job.items()
    }
    by_rule: dict[str, list[Work | None]] = {}
    for job in jobs:
        by_rule.setdefault(job.rule, []).append(by_job[job])
    rows = [_row(rule, listed, speeds) for rule, listed in by_rule.items()]
    known = {job: work for job, work in by_job.items() if work is not None}
    on_cpu = {job: _cpu_hours(work, speeds) for job, work in known.items()}
    cpu, cores = sum(on_cpu.values()), len(os.sched_getaffinity(0))
    chain_cpu = _longest_chain(jobs, on_cpu)
    hours, chain, gpu, wall_gpu = on_cpu, chain_cpu, None, None
    if speeds.has("gpu"):
        hours = {job: _gpu_hours(work, speeds) for job, work in known.items()}
        gpu = sum(hours.values())
        beside = sum(_beside(work, speeds) for work in known.values())
        chain = _longest_chain(jobs, hours)
        wall_gpu = max(gpu / gpus, chain) + beside / cores
    return Outlook(
        params=str(path),
        here=is_here(params, path),
        images=images,
        rows=rows,
        disk_bytes=disk_of(params, images, jobs, speeds),
        gpus=gpus,
        cores=cores,
        cpu_hours=cpu,
        gpu_hours=gpu,
        wall_hours_cpu=max(cpu / cores, chain_cpu),
        wall_hours_gpu=wall_gpu,
        longest_job_hours=max(hours.values(), default=0.0),
        longest_chain_hours=chain,
        measured_on=speeds.sources,
        notes=[*_machine_notes(speeds), *works.notes],
    )


def _longest_chain(jobs: Iterable[Job], hours: Mapping[Job, float]) -> float:
    """Return the hours of the longest chain of jobs each of which waits for the one before it.

    Args:
        jobs: With their inputs and outputs.
        hours: Of each job; one that is not in it takes none.
    """
    makers = {file: job for job in jobs for file in job.outputs}

    @cache
    def until_done(job: Job) -> float:
        waits_for = {makers[file] for file in job.inputs if file in makers}
        return hours.get(job, 0.0) + max(map(until_done, waits_for), default=0.0)

    return max(map(until_done, jobs), default=0.0)


def _machine_notes(speeds: Speeds) -> list[str]:
    here = processor()
    theirs = speeds.sources.get("cpu", "")
    return [] if here in theirs else [f"this machine ({here}), another one was measured"]


def _row(rule: str, works: list[Work | None], speeds: Speeds) -> Row:
    known = [work for work in works if work is not None]
    if not known:
        return Row(rule, len(works), None, None, None)
    has_gpu = speeds.has("gpu")
    return Row(
        rule,
        len(works),
        sum(_cpu_hours(work, speeds) for work in known),
        sum(_gpu_hours(work, speeds) for work in known) if has_gpu else None,
        sum(_beside(work, speeds) for work in known) if has_gpu else None,
    )


def _cpu_hours(work: Work, speeds: Speeds) -> float:
    """Return the hours of one core that does it all."""
    return sum(n * speeds.of("cpu", key) for key, n in work.items()) / 3600


def _gpu_hours(work: Work, speeds: Speeds) -> float:
    """Return the hours of one GPU that runs the networks."""
    on_gpu = {key: n for key, n in work.items() if key.startswith(GPU_KEYS)}
    return sum(n * speeds.of("gpu", key) for key, n in on_gpu.items()) / 3600


def _beside(work: Work, speeds: Speeds) -> float:
    """Return the hours of one core for what no GPU does."""
    return _cpu_hours({k: n for k, n in work.items() if not k.startswith(GPU_KEYS)}, speeds)


def text_of(found: Outlook) -> str:
    """Return a plan for the terminal."""
    return "\n".join(
        [*_head(found), "", *_table(found), "", *_times(found), *_disk(found), *_small(found)]
    )


def _head(found: Outlook) -> list[str]:
    images = found.images
    state = "what would run now" if found.here else "as from nothing: its data are not here"
    return [
        f"{found.params}: {state}",
        f"{images.all:,} images: {images.train:,} to train, {images.val:,} val, "
        f"{images.test:,} test ({images.known_by})",
    ]


def _table(found: Outlook) -> list[str]:
    if not found.rows:
        return ["Nothing to be done."]
    width = max(len(row.rule) for row in found.rows)
    lines = [f"{'rule':{width}} {'jobs':>6} {'CPU h':>12} {'GPU h':>12}"]
    for row in found.rows:
        cpu, gpu = (_cell(value) for value in (row.cpu_hours, row.gpu_hours))
        lines.append(f"{row.rule:{width}} {row.jobs:>6,} {cpu:>12} {gpu:>12}")
    total = sum(row.jobs for row in found.rows)
    cpu, gpu = _cell(found.cpu_hours), _cell(found.gpu_hours)
    return [*lines, f"{'all of them':{width}} {total:>6,} {cpu:>12} {gpu:>12}"]


def _cell(hours: float | None) -> str:
    if hours is None:
        return "-"
    return f"{hours:,.0f}" if hours >= 100 else f"{hours:.2f}" if hours >= 0.01 else "<0.01"


def _times(found: Outlook) -> list[str]:
    lines = [
        f"wall time, no GPU, {found.cores} cores:  {_span(found.wall_hours_cpu)}, "
        "if all cores are kept busy"
    ]
    if found.wall_hours_gpu is None:
        lines += [
            f"wall time, {found.gpus} GPU(s):  not known: no GPU was measured. On one, run",
            "  python benchmarks/costs.py --speeds gpu.csv",
            "and plan with --speeds gpu.csv.",
        ]
    else:
        span = _span(found.wall_hours_gpu)
        lines.append(f"wall time, {found.gpus} GPU(s), {found.cores} cores:  {span}")
    chain = f"{_span(found.longest_chain_hours)}, each waiting for the one before"
    return [
        *lines,
        f"the longest job:  {_span(found.longest_job_hours)}",
        f"the longest chain of jobs:  {chain}",
    ]


def _span(hours: float) -> str:
    return (
        f"{hours / 24:,.1f} days"
        if hours >= 48
        else f"{hours:.1f} h"
        if hours >= 1
        else f"{60 * hours:.0f} min"
    )


def _disk(found: Outlook) -> list[str]:
    parts = ", ".join(f"{name} {_size(n)}" for name, n in found.disk_bytes.items())
    return [f"disk:  {_size(sum(found.disk_bytes.values()))}: {parts}"] if parts else []


def _size(n_bytes: float) -> str:
    return f"{n_bytes / 1e9:.2f} GB" if n_bytes >= 1e8 else f"{n_bytes / 1e6:.1f} MB"


def _small(found: Outlook) -> list[str]:
    """Return what the numbers rest on, and where they are only extrapolated."""
    lines = [
        "",
        *(f"{device} measured on: {text}" for device, text in found.measured_on.items()),
    ]
    unknown = [row.rule for row in found.rows if row.cpu_hours is None and row.rule != "all"]
    lines.append("CPU h: hours of one core. Trainings are counted to their last epoch.")
    if unknown:
        lines.append(f"not measured and not counted: {', '.join(unknown)}")
    return [*lines, *(f"extrapolated: {note}" for note in found.notes)]
