"""Reliability diagrams: both curves, empty bins left out, the errors of the same run."""

import pytest

from mien.report.reliabilities import reliability_diagram
from tests.support.statistics import with_strategies


@pytest.mark.usefixtures("styled")
def test_every_strategy_has_the_bins_of_before_and_after(statistics):
    figure = reliability_diagram(statistics)
    for axes, strategy in zip(figure.axes, statistics.strategies, strict=True):
        found = statistics.reliability[strategy]["decoded"]
        diagonal, *lines = axes.lines
        assert list(diagonal.get_xdata()) == list(diagonal.get_ydata())
        for line, bins in zip(lines, (found.uncalibrated, found.calibrated), strict=True):
            filled = [part for part in bins if part.n]
            assert list(line.get_xdata()) == [part.confidence for part in filled]
            assert list(line.get_ydata()) == [part.accuracy for part in filled]
        run = statistics.runs[strategy][statistics.middle].decoded
        name, errors = axes.get_title(loc="left").splitlines()
        assert name.startswith(strategy)
        before, after = f"{run.ece_uncalibrated:.1f}", f"{run.ece:.1f}"
        assert errors == f"ECE {before} → {after} %, T = 1.25, n = 150"


@pytest.mark.usefixtures("styled")
def test_a_bin_of_more_images_is_larger(statistics):
    axes = reliability_diagram(statistics).axes[0]
    bins = statistics.reliability["pretrained"]["decoded"].uncalibrated
    counts = [part.n for part in bins if part.n]
    areas = list(axes.collections[0].get_sizes())
    assert sorted(range(len(areas)), key=areas.__getitem__) == sorted(
        range(len(counts)), key=counts.__getitem__
    )
    assert len(set(counts)) > 1


@pytest.mark.usefixtures("styled")
def test_a_classifier_without_a_temperature_has_one_curve(statistics):
    found = statistics.reliability["joint"]["decoded"].model_copy(update={"calibrated": None})
    middle = statistics.runs["joint"][statistics.middle]
    decoded = middle.decoded.model_copy(update={"ece": None})
    runs = {statistics.middle: middle.model_copy(update={"decoded": decoded})}
    changed = statistics.model_copy(
        update={
            "reliability": {**statistics.reliability, "joint": {"decoded": found}},
            "runs": {**statistics.runs, "joint": {**statistics.runs["joint"], **runs}},
        }
    )
    axes = reliability_diagram(changed).axes[2]
    assert len(axes.lines) == 2
    assert "no temperature" in axes.get_title(loc="left")


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("names", [(), ("codec-rd",), ("codec-rd", "classifier-raw", "jpeg")])
def test_no_words_overlap_however_many_panels(statistics, names):
    changed = with_strategies(statistics, *names)
    figure = reliability_diagram(changed)
    figure.draw_without_rendering()
    shown = [axes for axes in figure.axes if axes.axison]
    assert len(shown) == len(changed.strategies)
    titles = [axes._left_title.get_window_extent() for axes in shown]
    for i, box in enumerate(titles):
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert not any(box.overlaps(other) for other in titles[i + 1 :])
        assert not any(box.overlaps(axes.get_window_extent()) for axes in shown)
