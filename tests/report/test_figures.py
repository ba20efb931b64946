"""Figures of curves: places, ticks, looks, and legends that leave the data alone."""

import math

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from mien.report.axes import log_ticks
from mien.report.captions import SWEEPS
from mien.report.figures import accuracy_over_rate, weight_effect, weight_places
from mien.report.style import LOOKS, looks_of
from mien.stages.summarise import metrics_of
from tests.support.statistics import with_strategies


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.008, 12, [0.01, 0.1, 1, 10]),
        (0.03, 1.0, [0.05, 0.1, 0.2, 0.5, 1.0]),
        (0.05, 0.12, [0.05, 0.07, 0.1]),
        (0.053, 0.101, [0.06, 0.07, 0.08, 0.09, 0.1]),
        (0.0612, 0.0633, [0.0615, 0.0620, 0.0625, 0.0630]),
    ],
)
def test_a_log_axis_has_enough_round_ticks(low, high, expected):
    assert log_ticks(low, high) == pytest.approx(expected)


def test_weights_stand_on_a_log_axis_and_zero_to_their_left():
    places = weight_places([0.0, 0.1, 1.0, 10.0])
    assert places[1:] == pytest.approx([-1, 0, 1])
    assert places[0] < places[1]
    assert weight_places([0.25]) == pytest.approx([math.log10(0.25)])
    assert weight_places([0.0]) == [0.0]


def curves(axes):
    """Return the drawn lines that are methods, as (label, x, y)."""
    return {
        line.get_label(): (np.array(line.get_xdata()), np.array(line.get_ydata()))
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


@pytest.mark.usefixtures("styled")
def test_fig_2_shows_every_rate_point(statistics):
    axes, below = accuracy_over_rate(statistics).axes
    drawn = curves(axes)
    assert set(drawn) == {"pretrained (baseline)", "compression-only", "joint"}
    runs = sorted(
        (statistics.runs["joint"][name] for name in statistics.reference), key=lambda r: r.bpp
    )
    x, y = drawn["joint"]
    np.testing.assert_allclose(x, [run.bpp for run in runs])
    np.testing.assert_allclose(y, [run.accuracy.value for run in runs])
    bands = [path for band in axes.collections for path in band.get_paths()]
    assert len(bands) == 3
    top = max(run.accuracy.high for run in runs)
    assert max(path.vertices[:, 1].max() for path in bands) == pytest.approx(top)
    assert axes.get_xscale() == "log"
    assert below.get_xlabel() == "Rate (bit/pixel)"
    assert not axes.get_title()


@pytest.mark.usefixtures("styled")
def test_fig_2_draws_one_raw_line_per_classifier(statistics):
    axes, _ = accuracy_over_rate(statistics).axes
    raw = [line for line in axes.lines if line.get_label().startswith("_")]
    baseline = statistics.runs["pretrained"]["q1"].raw_accuracy.value
    levels = [set(line.get_ydata()) for line in raw]
    assert levels[0] == {baseline}
    assert len(raw) == 2  # compression-only has the baseline's classifier, joint its own
    assert levels[1] == {run.raw_accuracy.value for run in reference_runs(statistics, "joint")}


def reference_runs(statistics, strategy):
    return [statistics.runs[strategy][name] for name in statistics.reference]


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize(("name", "weight"), SWEEPS.items())
def test_fig_3_shows_every_weight(statistics, name, weight):
    assert name.startswith("fig3")
    accuracy, rate = weight_effect(statistics, weight).axes
    points = statistics.sweeps[weight]
    for strategy in ("compression-only", "joint"):
        runs = [statistics.runs[strategy][point.setting] for point in points]
        np.testing.assert_allclose(curves(rate)[strategy][1], [run.bpp for run in runs])
        np.testing.assert_allclose(
            curves(accuracy)[strategy][1], [run.accuracy.value for run in runs]
        )
    labels = [tick.get_text() for tick in rate.get_xticklabels()]
    assert labels == [f"{point.value:g}" for point in points]
    assert len(rate.texts) == (points[0].value == 0)  # the break before 0
    bars = np.concatenate([bar.get_segments() for bar in accuracy.collections])
    assert len(bars) == 2 * len(points)


@pytest.mark.usefixtures("styled")
def test_a_sweep_of_nothing_is_one_point(statistics):
    point = [point for point in statistics.sweeps["ce"] if point.setting == "q3"]
    alone = statistics.model_copy(update={"sweeps": {"ce": point}})
    accuracy, _ = weight_effect(alone, "ce").axes
    assert [len(x) for x, _ in curves(accuracy).values()] == [1, 1]


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("draw", [accuracy_over_rate, lambda s: weight_effect(s, "ce")])
def test_no_legend_covers_data(statistics, draw):
    figure = draw(statistics)
    figure.draw_without_rendering()
    [legend] = figure.legends
    box = legend.get_window_extent()
    for axes in figure.axes:
        assert not box.overlaps(axes.get_window_extent())
        assert axes.get_legend() is None


@pytest.mark.usefixtures("styled")
def test_the_longest_names_fit_beside_each_other(statistics):
    figure = accuracy_over_rate(with_strategies(statistics, *list(LOOKS)[3:]))
    figure.draw_without_rendering()
    [legend] = figure.legends
    assert len(legend.texts) == 7
    box = legend.get_window_extent()
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1


@pytest.mark.usefixtures("styled")
def test_the_shaded_area_over_its_width_is_bd_accuracy(statistics):
    _, gains = accuracy_over_rate(statistics).axes
    for strategy, area, curve in zip(
        statistics.trained, gains.collections, gains.lines[1:], strict=True
    ):
        found = statistics.bjontegaard[strategy]
        log_rate, points = np.log10(curve.get_xdata()), np.array(curve.get_ydata())
        mean = np.sum((points[1:] + points[:-1]) / 2 * np.diff(log_rate)) / np.ptp(log_rate)
        assert mean == pytest.approx(found.bd_accuracy.value, abs=2e-3)
        ends = found.rate_overlap.low, found.rate_overlap.high
        assert (10 ** log_rate[0], 10 ** log_rate[-1]) == pytest.approx(ends, rel=1e-4)
        box = area.get_paths()[0].get_extents()
        assert (box.x0, box.x1) == pytest.approx(ends, rel=1e-4)


@pytest.mark.usefixtures("styled")
def test_curves_without_a_shared_range_have_no_area(statistics):
    joint = statistics.runs["joint"]
    apart = {name: run.model_copy(update={"bpp": 99 + run.bpp}) for name, run in joint.items()}
    runs = {**statistics.runs, "joint": apart, "compression-only": apart}
    _, gains = accuracy_over_rate(statistics.model_copy(update={"runs": runs})).axes
    assert len(gains.collections) == 0
    assert [text.get_text() for text in gains.texts] == ["no shared range"]


MADE_UP = ((30, "q3"), (90, "q8"))


@pytest.mark.usefixtures("styled")
def test_a_classic_codec_is_a_thin_line_of_fig_2_alone(statistics):
    joint = statistics.runs["joint"]
    jpeg = {f"q{q}": joint[name].model_copy(update={"quality": q}) for q, name in MADE_UP}
    runs = {**statistics.runs, "jpeg": jpeg}
    changed = statistics.model_copy(update={"classic": ["jpeg"], "runs": runs})
    axes, _ = accuracy_over_rate(changed).axes
    rates, _ = curves(axes)["JPEG"]
    np.testing.assert_allclose(rates, [joint["q3"].bpp, joint["q8"].bpp])
    [thin] = [line for line in axes.lines if line.get_label() == "JPEG"]
    assert thin.get_linewidth() < min(
        line.get_linewidth() for line in axes.lines if line.get_label() == "joint"
    )
    assert len(axes.collections) == len(statistics.strategies)  # bands
    assert "JPEG" not in curves(weight_effect(changed, "ce").axes[0])


def test_strategies_without_a_look_get_one_each():
    names = [f"codec-{i}" for i in range(20)]
    looks = looks_of(["joint", *names])
    assert looks["joint"] == LOOKS["joint"]
    shown = {(look.color, look.marker) for look in looks.values()}
    assert len(shown) == len(looks)
    assert not {look.marker for look in LOOKS.values()} & {looks[name].marker for name in names}


def test_every_method_has_its_own_color_marker_and_dash():
    looks = list(LOOKS.values())
    for part in ("color", "marker", "dash"):
        assert len({getattr(look, part) for look in looks}) == len(looks)
    grey = [np.dot(to_rgb(look.color), (0.299, 0.587, 0.114)) for look in looks]
    assert min(np.diff(sorted(grey))) > 0.05  # printed in grey they still differ


def test_the_same_numbers_are_in_metrics_and_figures(statistics):
    metrics = metrics_of(statistics)
    for name in statistics.reference:
        run = statistics.runs["joint"][name]
        assert metrics["joint"][name]["bpp"] == pytest.approx(run.bpp, abs=5e-6)
