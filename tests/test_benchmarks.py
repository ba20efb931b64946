"""The benchmarks run, and count right; what they measure is not judged here."""

import hashlib
import importlib
import io
import json
import os
import re
import resource
import subprocess
import sys
import tarfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
import torch
from PIL import Image

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module", autouse=True)
def _importable():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(ROOT), *sys.path])
        yield


def benchmark(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.{name}")


def cost(cpu_seconds: float, peak_bytes: int = 0):
    return benchmark("measure").Cost(2 * cpu_seconds, cpu_seconds, peak_bytes)


def python(*lines: str) -> list[str]:
    return [sys.executable, "-c", "\n".join(lines)]


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("faces") / "drawn"
    benchmark("workspace").draw(folder, 16, 8)
    return folder


@pytest.fixture(scope="module")
def indexed(tmp_path_factory, drawn):
    """Return a workspace of 60 copied faces after `ingest`."""
    made = benchmark("workspace").of_copies(tmp_path_factory.mktemp("work"), drawn, 50, 10)
    made.ingest(1)
    return made


def test_the_stream_benchmark_prints_its_ratios(trained_codec, monkeypatch, capsys):
    streams = benchmark("streams")
    monkeypatch.setattr(streams, "SIZE", 192)  # MS-SSIM, which the peer measures, needs 161
    x = streams.pictures(2, 192)
    found = streams.sizes(trained_codec, [x])
    bytes_of = streams.print_sizes("toy", found, 2)
    assert 0.8 < bytes_of["bytes_over_compressai_toy"] < 0.99
    assert 0.98 < bytes_of["real_over_estimate_toy"] < 1.02
    assert abs(bytes_of["psnr_difference_toy"]) < 0.05
    assert abs(bytes_of["bytes_fast_over_fp32_toy"] - 1) < 1e-3
    # One symbol of z rounded the other way moves a toy codec's picture by a tenth.
    assert abs(bytes_of["psnr_fast_difference_toy"]) < 0.5
    ratios = streams.speeds(trained_codec, x, rounds=1)
    ways = ("fp32", "fast")
    assert set(ratios) == {
        "coder_chain",
        *(f"{what}_{how}" for what in ("encode", "decode") for how in ways),
    }
    assert all(value > 0 for value in ratios.values())
    assert "ratio" in capsys.readouterr().out


@pytest.mark.parametrize("name", ["data", "streams"])
def test_a_benchmark_runs_as_a_script_from_anywhere(name, tmp_path):
    script = ROOT / f"benchmarks/{name}.py"
    asked = [sys.executable, "-W", "ignore", script, "--help"]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert "--quick" in done.stdout


def test_cpu_seconds_are_those_of_the_whole_process_tree(tmp_path):
    work = "import time\nwhile time.process_time() < 0.6: pass"
    child = python(
        "import subprocess, sys", f"subprocess.run([sys.executable, '-c', {work!r}])"
    )
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
    taken = benchmark("measure").run(child, tmp_path)
    assert 0.6 < taken.cpu_seconds < 1.5
    assert taken.wall_seconds > 0.6
    assert taken.peak_bytes == 0  # nobody looked
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime > before  # none is left


def test_memory_is_that_of_the_whole_process_tree(tmp_path):
    work = "import time; held = bytearray(b'x') * 100_000_000; time.sleep(0.4)"
    child = python(
        "import subprocess, sys", f"subprocess.run([sys.executable, '-c', {work!r}])"
    )
    peak = benchmark("measure").run(child, tmp_path, watch_memory=True).peak_bytes
    assert 100e6 < peak < 150e6


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no PSS here")
def test_memory_that_processes_share_counts_once(tmp_path):
    sharing = python(
        "import os, time",
        "held = b'x' * 100_000_000",
        "child = os.fork()",
        "time.sleep(0.4)",
        "if child: os.waitpid(child, 0)",
    )
    peak = benchmark("measure").run(sharing, tmp_path, watch_memory=True).peak_bytes
    assert 100e6 < peak < 150e6


def test_a_process_without_pss_counts_with_its_rss(monkeypatch):
    measure = benchmark("measure")
    read = measure._read
    monkeypatch.setattr(measure, "_read", lambda p: "" if p.name == "smaps_rollup" else read(p))
    resident = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")
    assert measure._process_bytes(os.getpid()) == pytest.approx(resident, rel=0.05)


def test_a_failing_command_says_what_it_printed(tmp_path):
    measure = benchmark("measure")
    with pytest.raises(measure.BenchmarkError, match="exit code 3:\nno such shard"):
        measure.run(python("print('no such shard'); raise SystemExit(3)"), tmp_path)


def test_start_up_is_taken_off():
    net_seconds = benchmark("measure").net_seconds
    assert net_seconds(cost(7.0), 2000, cost(3.0), 400) == pytest.approx(0.0025)


@pytest.mark.parametrize(("many", "n_many"), [(2.9, 2000), (7.0, 400)])
def test_more_images_that_are_not_dearer_are_refused(many, n_many):
    measure = benchmark("measure")
    with pytest.raises(measure.BenchmarkError, match="too few images"):
        measure.net_seconds(cost(many), n_many, cost(3.0), 400)


def test_a_ratio_is_the_median_of_the_rounds(capsys):
    # Not the ratio of the medians, 4: a slow round is slow for both.
    ratio = benchmark("measure").ratio("x", "peer", [0.4, 1.0, 0.3], [0.1, 0.5, 0.1], "img/s")
    assert ratio == pytest.approx(3.0)
    assert "peer     2.5 img/s, mien    10.0 img/s" in capsys.readouterr().out


def test_every_copy_has_bytes_of_its_own_and_the_pixels_of_its_face(drawn, tmp_path):
    workspace = benchmark("workspace")
    made = workspace.of_copies(tmp_path, drawn, 40, 20)
    images = workspace.sources(made.faces)
    assert [path.stem for path in images] == [*map(str, range(40)), *map(str, range(20))]
    assert len({path.read_bytes() for path in images}) == 60
    last, face = images[39], drawn / "train_set/images/7.jpg"
    np.testing.assert_array_equal(np.asarray(Image.open(last)), np.asarray(Image.open(face)))
    for kind in ("exp", "val", "aro", "lnd"):
        copied = made.faces / f"train_set/annotations/39_{kind}.npy"
        original = drawn / f"train_set/annotations/7_{kind}.npy"
        assert copied.read_bytes() == original.read_bytes()


def test_shards_are_written_anew_each_time(indexed):
    """`mien shard` leaves finished shards as they are, which would be measured as speed."""
    made = []
    for _ in range(2):
        indexed.shard(1, {"format": "jpg", "quality": 95})
        made.append((indexed.shards / "train/train-00000.tar").stat().st_mtime_ns)
    assert made[0] < made[1]


def write_as_img2dataset(folder, ours, images, change=0):
    """Write a tar of PNGs as the peer does, by OpenCV, `change` added to one pixel of one."""
    folder.mkdir(parents=True)
    with tarfile.open(folder / "00000.tar", "w") as tar:
        for number, (source, path) in enumerate(zip(ours, images, strict=True)):
            large = cv2.resize(cv2.imread(str(path)), (256, 256), interpolation=cv2.INTER_CUBIC)
            large[9, 9, 0] ^= change if number == 0 else 0
            for suffix, data in (
                ("png", cv2.imencode(".png", large)[1].tobytes()),
                ("json", json.dumps({"sha256": source}).encode()),
            ):
                member = tarfile.TarInfo(f"{number:09d}.{suffix}")
                member.size = len(data)
                tar.addfile(member, io.BytesIO(data))


@pytest.mark.parametrize(
    ("look", "change", "unlike"),
    [("opencv-bicubic", 0, 0), ("opencv-bicubic", 1, 1), ("bicubic", 0, 60)],
)
def test_pictures_with_other_pixels_than_the_peers_are_counted(
    indexed, tmp_path, look, change, unlike
):
    sharding, workspace = benchmark("sharding"), benchmark("workspace")
    images = workspace.sources(indexed.faces)
    sums = [hashlib.sha256(path.read_bytes()).hexdigest() for path in images]
    indexed.shard(1, {"filter": look})
    write_as_img2dataset(tmp_path / "peer", sums, images, change)
    ours = sharding.pictures(indexed.shards)
    assert set(ours) == set(sums)
    assert sharding.unlike(ours, sharding.pictures(tmp_path / "peer")) == unlike


def test_a_missing_picture_counts_as_unlike():
    assert benchmark("sharding").unlike({}, {"a": b"", "b": b""}) == 2


def test_shards_of_too_few_pictures_are_refused(indexed, tmp_path):
    sharding = benchmark("sharding")
    indexed.shard(1, {})
    for name in (*sharding.OURS, *sharding.PEERS):
        (tmp_path / name).symlink_to(indexed.shards)
    with pytest.raises(sharding.BenchmarkError, match="png6: 60 pictures were written, not 61"):
        sharding.compared(tmp_path, sharding.Size(1, 60, {"png6": 61}))


def test_the_floor_of_a_jpeg_shard_codes_its_pictures(drawn, monkeypatch):
    floor, coded = benchmark("floor"), []
    encode = floor.pictures.encoded
    monkeypatch.setattr(floor.pictures, "encoded", lambda *a: coded.append(encode(*a)))
    floor.work(drawn, 7)
    assert len(set(coded)) == 7
    assert floor.cost(drawn, 7).cpu_seconds > 0


def test_sharding_compares_each_format_with_its_peer(monkeypatch, drawn, tmp_path):
    """Commands with costs that are known: a start of 3 CPU s, then so much an image."""
    sharding, workspace = benchmark("sharding"), benchmark("workspace")
    ours = {("webp", "opencv-bicubic"): 0.005, ("webp", "bicubic"): 0.010}
    ours |= {("jpg", "opencv-bicubic"): 0.002, ("jpg", "bicubic"): 0.004}
    theirs = {("png", 6): 0.040, ("png", 1): 0.015, ("jpg", 95): 0.008}

    def count(made) -> int:
        return len(workspace.sources(made.faces))

    def shard(made, _threads, look):
        made.shards.mkdir(parents=True, exist_ok=True)
        return cost(3 + count(made) * ours[look["format"], look["filter"]])

    def peer(_program, images, _output, coding):
        return cost(3 + len(images) * theirs[coding.format, coding.quality])

    monkeypatch.setattr(workspace.Workspace, "ingest", lambda m, _: cost(3 + count(m) * 0.001))
    monkeypatch.setattr(workspace.Workspace, "shard", shard)
    monkeypatch.setattr(sharding.floor, "cost", lambda _, count: cost(3 + count * 0.001))
    monkeypatch.setattr(sharding.img2dataset, "installed", lambda: Path("img2dataset"))
    monkeypatch.setattr(sharding.img2dataset, "shard", peer)
    monkeypatch.setattr(sharding, "compared", lambda *_: {})
    size = sharding.Size(2, 100, {"png6": 80, "png1": 90, "jpg95": 100})
    assert sharding.measure(tmp_path, drawn, size) == pytest.approx(
        {
            "shard_webp_over_img2dataset": 8,
            "shard_webp_over_img2dataset_png1": 3,
            "shard_webp_bicubic_over_img2dataset": 4,
            "shard_webp_bicubic_over_img2dataset_png1": 1.5,
            "shard_jpg_over_img2dataset": 4,
            "shard_jpg_bound_over_img2dataset": 8,
            "shard_jpg_bicubic_over_img2dataset": 2,
            "ingest_images_per_cpu_second": 1000,
        }
    )


def test_a_peer_that_cannot_be_installed_is_named(tmp_path, monkeypatch):
    peer = benchmark("peers.img2dataset")

    def run(command, **_):
        failed = int("install" in command)
        return subprocess.CompletedProcess(command, failed, "", "a line\nno matching version\n")

    monkeypatch.setattr(peer.subprocess, "run", run)
    requirements = tmp_path / "requirements.txt"
    requirements.write_text("a==1")
    home = tmp_path / "peers/img2dataset"
    for _ in range(2):  # what is half installed is not taken for whole the next time
        with pytest.raises(
            peer.BenchmarkError, match=r"requirements.*: no matching version: me"
        ):
            peer.installed(home, requirements)
    assert (home / ".gitignore").read_text() == "*\n"


def test_a_peer_is_installed_anew_when_other_versions_are_required(tmp_path, monkeypatch):
    peer = benchmark("peers.img2dataset")
    made = []
    monkeypatch.setattr(peer, "_make", lambda *_: made.append(requirements.read_text()))
    requirements = tmp_path / "requirements.txt"
    for text in ("a==1", "a==1", "a==2"):
        requirements.write_text(text)
        assert peer.installed(tmp_path / "home", requirements).name == "img2dataset"
    assert made == ["a==1", "a==2"]


def test_reading_compares_the_same_pictures(monkeypatch, drawn, tmp_path, capsys):
    reading = benchmark("reading")
    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)
    table = reading.measure(tmp_path, drawn, reading.Size(rounds=1, images=60))
    assert set(table) == set(reading.RATIOS)
    assert all(value > 0 for value in table.values())
    assert "reading 38 pictures" in capsys.readouterr().out


def test_other_pictures_are_refused():
    reading = benchmark("reading")
    pictures = torch.arange(2 * 3 * 8 * 8).remainder(256).to(torch.uint8).view(2, 3, 8, 8)
    reading.refuse_other_pictures([pictures.float() / 255], [pictures])
    other = pictures.clone()
    other[1, 2, 7, 7] ^= 1
    with pytest.raises(reading.BenchmarkError, match="batch 0 of the shards"):
        reading.refuse_other_pictures([pictures.float() / 255], [other])


@pytest.mark.parametrize("missing", [32, -1])
def test_a_pass_over_another_number_of_images_is_refused(missing):
    reading = benchmark("reading")
    batches = [torch.zeros(32)] * 3
    with pytest.raises(reading.BenchmarkError, match="96 images were read"):
        reading.seconds_an_image(lambda: batches, 96 + missing)


def test_memory_is_judged_by_the_worse_stage(monkeypatch, tmp_path, capsys):
    memory = benchmark("memory")
    peaks = {5_000: (100, 200), 50_000: (110, 230)}

    def point(_folder, _drawn, count):
        costs = [cost(count / 1000, peak * 10**6) for peak in peaks[count]]
        written = {"ingest": 10 * count, "shard": 70_000 * count}
        return memory.Point(count, dict(zip(memory.STAGES, costs, strict=True)), written)

    monkeypatch.setattr(memory, "_point", point)
    table = memory.measure(tmp_path, tmp_path)
    assert table["memory_50k_over_5k"] == table["shard_memory_50k_over_5k"] == 1.15
    assert table["ingest_memory_50k_over_5k"] == 1.1
    assert table["shard_wall_seconds"] == 100
    estimate = capsys.readouterr().out.partition("AffectNet's 291,650:\n")[2].splitlines()
    assert "583.3 s,   291.6 CPU s" in estimate[0]
    assert "peak  391.1 MB,   20415.5 MB written" in estimate[1]


def test_memory_is_measured_with_the_real_stages(drawn, tmp_path):
    memory = benchmark("memory")
    point = memory._point(tmp_path / "few", drawn, 24)
    for stage in memory.STAGES:
        assert point.costs[stage].peak_bytes > 50e6
        assert point.n_bytes[stage] > 1000
    assert not (tmp_path / "few").exists()


@pytest.mark.parametrize(
    ("options", "parts"),
    [
        ([], ["sharding", "reading", "memory"]),
        (["--quick"], ["sharding", "reading"]),
        (["--only", "memory"], ["memory"]),
    ],
)
def test_the_data_benchmark_writes_one_flat_object(monkeypatch, tmp_path, options, parts):
    data = benchmark("data")
    monkeypatch.setattr(data.workspace, "draw", lambda *_: None)
    for part in data.PARTS:
        monkeypatch.setattr(getattr(data, part), "measure", lambda *_, p=part: {p: 1.5})
    assert data.main([*options, "--json", str(tmp_path / "data.json")]) == 0
    written = json.loads((tmp_path / "data.json").read_text())
    assert {key for key in written if written[key] == 1.5} == set(parts)
    assert written.keys() - parts == {"commit", "machine"}


def test_what_stops_the_data_benchmark_is_one_message(monkeypatch, capsys):
    data = benchmark("data")

    def fail(*_):
        raise data.measure.BenchmarkError("no such program")

    monkeypatch.setattr(data.workspace, "draw", fail)
    assert data.main(["--quick"]) == 2
    assert capsys.readouterr().err == "benchmarks/data.py: no such program\n"


def test_the_page_of_results_names_every_ratio():
    page = (ROOT / "docs/results/data.md").read_text(encoding="utf-8")
    memory = ("memory_50k_over_5k", "ingest_memory_50k_over_5k", "shard_memory_50k_over_5k")
    for key in (*benchmark("sharding").RATIOS, *benchmark("reading").RATIOS, *memory):
        assert f"`{key}`" in page


SCRIPTS = sorted((Path(__file__).parents[1] / "benchmarks").glob("*.py"))


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda p: p.name)
def test_no_script_takes_benchmarks_statistics_for_pythons_own(script):
    """What is imported before the path is mended must not import `statistics`, as torch may."""
    before, mended, _ = script.read_text().partition("\n    sys.path[0] = ")
    if mended:
        names = re.findall(r"^(?:from|import) (\w+)", before, re.MULTILINE)
        assert set(names) <= sys.stdlib_module_names - {"statistics"}
