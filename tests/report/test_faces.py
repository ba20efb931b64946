"""Fig. 4: every picture where it belongs, what was recognised under it."""

import numpy as np
import pytest

from mien.report.captions import shown_rates
from mien.report.faces import Crop, Face, decoded_faces


def faces(statistics, n, label=3):
    """Return faces whose grey level tells the run that decoded them."""
    grey = iter(range(10, 250))
    return [
        Face(
            label,
            np.full((16, 16, 3), 255, np.uint8),
            {
                (strategy, setting): Crop(
                    np.full((16, 16, 3), next(grey), np.uint8),
                    bpp=0.1,
                    prediction=3 if strategy == "joint" else 0,
                )
                for strategy in statistics.strategies
                for setting in shown_rates(statistics)
            },
        )
        for _ in range(n)
    ]


def with_reference(statistics, names):
    return statistics.model_copy(update={"reference": names})


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("n", [1, 2])
@pytest.mark.parametrize("names", [["q3"], ["q1", "q3"], ["q1", "q3", "q5", "q8"]])
def test_pictures_are_of_one_size_and_apart(statistics, names, n):
    changed = with_reference(statistics, names)
    figure = decoded_faces(changed, faces(changed, n))
    across = min(len(names), 3)
    assert len(figure.axes) == n * (1 + 3 * across)
    sizes = np.array([axes.get_window_extent().size for axes in figure.axes])
    np.testing.assert_allclose(sizes, sizes[0, 0], rtol=1e-6)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    page = figure.bbox
    for i, box in enumerate(boxes):
        assert page.x0 <= box.x0
        assert box.x1 <= page.x1
        assert page.y0 <= box.y0
        assert box.y1 <= page.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])


@pytest.mark.usefixtures("styled")
def test_rows_are_strategies_and_columns_rates(statistics):
    [face] = faces(statistics, 1)
    figure = decoded_faces(statistics, [face])
    crops = figure.axes[1:]
    by_row = sorted(crops, key=lambda axes: -round(axes.get_position().y0, 6))
    for i, strategy in enumerate(statistics.strategies):
        row = sorted(by_row[3 * i : 3 * i + 3], key=lambda axes: axes.get_position().x0)
        assert row[0].get_ylabel() == strategy
        for axes, setting in zip(row, ("q1", "q5", "q8"), strict=True):
            shown = np.asarray(axes.images[0].get_array())
            assert np.array_equal(shown, face.crops[strategy, setting].picture)


@pytest.mark.usefixtures("styled")
def test_a_wrong_answer_is_marked_without_relying_on_color(statistics):
    figure = decoded_faces(statistics, faces(statistics, 1))
    texts = [axes.get_xlabel() for axes in figure.axes]
    assert texts[0] == "labelled\nsurprise"
    assert sorted(set(texts[1:])) == ["0.100 bit/px\nneutral ✗", "0.100 bit/px\nsurprise"]
    assert texts[1:].count("0.100 bit/px\nsurprise") == 3
