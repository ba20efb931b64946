"""Classic codecs in what is shown: beside the strategies, never among them."""

from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from mien import paths
from mien.errors import DataError
from mien.metrics.bjontegaard import compare, curve, envelope
from mien.paths import FIGURE_NAMES
from mien.report.cells import ABSENT
from mien.report.evaluated import read_evaluations
from mien.report.figures import accuracy_over_rate
from mien.report.page import page
from mien.report.render import markdown
from mien.report.statistics import read_statistics
from mien.report.style import LOOKS, looks_of
from mien.report.tables import all_tables
from mien.runs import CLASSIC, PRETRAINED, Run, all_runs
from mien.stages.summarise import summarise
from tests.support.results import change_rows, params_of, write_results

QUALITIES = {
    "jpeg": (3, 9, 30, 80),
    "jpeg-optimised": (30,),
    "heic": (9, 30, 80),
    "webp": (30,),
}


@pytest.fixture(scope="module")
def params():
    sweep = {"bpp": [], "mse": [], "ce": []}
    return params_of(classic=dict(QUALITIES), codec={"qualities": [1, 3, 8]}, sweep=sweep)


@pytest.fixture
def folder(params, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_results(params, n=60)
    return tmp_path


@pytest.fixture
def statistics(params, folder):
    summarise(params)
    return read_statistics(folder / paths.STATISTICS, all_runs(params))


def test_every_quality_is_in_metrics_json_and_every_curve_has_deltas(statistics):
    metrics = json.loads(paths.METRICS.read_text())
    summary = metrics.pop("summary")
    for codec, qualities in QUALITIES.items():
        assert set(metrics[codec]) == {f"q{quality}" for quality in qualities}
    assert {run["estimated_bpp"] for run in metrics["jpeg"].values()} == {None}
    assert None not in {run["estimated_bpp"] for run in metrics["joint"].values()}
    assert set(summary) == {
        "compression-only",
        "joint",
        "jpeg",
        "heic",
    }  # the others: one point
    assert statistics.strategies == [PRETRAINED, "compression-only", "joint"]
    assert statistics.classic == ["jpeg", "jpeg-optimised", "webp", "heic"]
    run = statistics.runs["jpeg"]["q30"]
    assert (run.quality, run.weights, run.library) == (30, None, "libjpeg 1.0")


def test_deltas_are_against_the_pretrained_baseline_over_all_qualities(statistics):
    def points(strategy, settings):
        runs = [statistics.runs[strategy][setting] for setting in settings]
        return envelope(
            curve(
                np.array([run.bpp for run in runs]),
                np.array([run.accuracy.value for run in runs]),
            )
        )

    settings = [f"q{quality}" for quality in QUALITIES["jpeg"]]
    expected = compare(points(PRETRAINED, ["q1", "q3", "q8"]), points("jpeg", settings))
    found = statistics.bjontegaard["jpeg"]
    assert found.bd_accuracy.value == pytest.approx(expected.bd_accuracy.value, abs=1e-4)
    assert found.bd_accuracy.low < found.bd_accuracy.value < found.bd_accuracy.high


def test_tables_list_them_below_the_strategies(statistics):
    tables = all_tables(statistics)
    names = ["compression-only", "joint", "JPEG", "HEIC"]
    assert [row[0] for row in tables["table1"].rows] == names
    assert [row[0] for row in tables["methods"].rows[::6]] == names
    runs = tables["runs"].rows
    assert [row[:2] for row in runs[-9:-5]] == [["JPEG", f"q{q}"] for q in QUALITIES["jpeg"]]
    assert len(runs) == 3 * 3 + 2 * 2 + 9  # two strategies are repeated with two seeds
    line = next(
        x for x in markdown(tables["runs"]).splitlines() if x.startswith("| JPEG | q3 ")
    )
    assert line.split("|")[4].strip() == ABSENT
    assert (
        "JPEG: libjpeg 1.0; JPEG, optimised: libjpeg-optimised 1.0; WebP: "
        in tables["runs"].caption
    )
    assert len(tables["classes"].columns) == 2 + 3


@pytest.mark.usefixtures("styled")
def test_fig_2_draws_thin_curves_without_bands(statistics):
    figure = accuracy_over_rate(statistics)
    axes = figure.axes[0]
    lines = {line.get_label(): line for line in axes.lines}
    runs = [statistics.runs["jpeg"][f"q{quality}"] for quality in QUALITIES["jpeg"]]
    np.testing.assert_allclose(lines["JPEG"].get_xdata(), [run.bpp for run in runs])
    np.testing.assert_allclose(lines["JPEG"].get_ydata(), [r.accuracy.value for r in runs])
    assert lines["JPEG"].get_linewidth() < lines["joint"].get_linewidth()
    assert len(axes.collections) == 3
    figure.draw_without_rendering()
    [legend] = figure.legends
    assert {text.get_text() for text in legend.get_texts()} >= {"JPEG", "HEIC", "WebP"}
    box = legend.get_window_extent()
    assert not box.overlaps(axes.get_window_extent())
    assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1


def test_every_codec_has_a_look_of_its_own():
    looks = looks_of([*LOOKS, *CLASSIC]).values()
    for part in ("color", "marker"):
        assert len({getattr(look, part) for look in looks}) == len(LOOKS) + len(CLASSIC)


def test_the_page_names_the_libraries(statistics):
    text = page(statistics, dict.fromkeys(FIGURE_NAMES, b"\x89PNG not really"))
    assert "JPEG: libjpeg 1.0" in text
    assert "jpeg from " in text  # the words for who cannot see Fig. 2


def test_a_missing_library_is_named_everywhere_and_ends_nothing(
    params, folder, monkeypatch, capsys
):
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    for path in (folder / "results/heic").glob("*/*"):
        path.unlink()
    summarise(params)
    command = "pip install 'pillow-heif'"
    assert f"heic: left out: its library is not installed: {command}" in capsys.readouterr().err
    statistics = read_statistics(folder / paths.STATISTICS, all_runs(params))
    assert statistics.missing == {"heic": command}
    assert json.loads(paths.STATISTICS.read_text())["missing"] == {"heic": command}
    assert "heic" not in json.loads(paths.METRICS.read_text())
    caption = all_tables(statistics)["runs"].caption
    assert f"HEIC: not run, its library is not installed ({command})" in caption
    assert "HEIC: not run" in page(statistics, dict.fromkeys(FIGURE_NAMES, b"\x89PNG"))


def test_files_of_a_codec_that_is_installed_are_required(params, folder):
    (folder / "results/heic/q30/evaluation.json").unlink()
    with pytest.raises(DataError, match=r"heic/q30/evaluation\.json: no such file"):
        summarise(params)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("run", "bits", "says"),
    [
        (Run("jpeg", "q30"), [1.0] * 60, "a classic one has null"),
        (Run("joint", "q3"), [None] * 60, "a learned codec estimates its bits"),
        (Run("joint", "q3"), [None, *[1.0] * 59], "estimated_bits is null for 1 of 60"),
    ],
)
def test_only_classic_codecs_have_no_estimate(params, run, bits, says):
    change_rows(paths.streams(run), run, estimated_bits=bits)
    with pytest.raises(DataError, match=says):
        read_evaluations(all_runs(params), params.shards.image_size)
