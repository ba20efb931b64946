"""Where the bits go: maps on one scale, as large as the picture, with their totals."""

import numpy as np
import pytest

from mien.report.bits import BitMap, Mapped, bit_maps


def mapped(*strategies, label=3):
    maps = {
        name: BitMap(np.arange(16.0).reshape(4, 4) * (i + 1), z=24.0 + i)
        for i, name in enumerate(strategies)
    }
    return Mapped(label, np.zeros((64, 64, 3), np.uint8), maps)


@pytest.mark.usefixtures("styled")
def test_maps_are_as_large_as_the_picture_and_on_one_scale():
    figure = bit_maps([mapped("pretrained", "joint"), mapped("pretrained", "joint")])
    *panels, bar = figure.axes
    assert bar.get_ylabel() == "Estimated bits per latent position (16x16 pixels)"
    assert len(panels) == 6
    images = [axes.images[0] for axes in panels]
    assert {tuple(np.abs(image.get_extent())) for image in images[1:3]} == {(0, 64, 64, 0)}
    assert images[0].get_array().shape == (64, 64, 3)
    assert {image.get_clim() for i, image in enumerate(images) if i % 3} == {(0, 30)}


@pytest.mark.usefixtures("styled")
def test_the_total_beside_a_map_is_that_of_the_whole_picture():
    _, first, second, _ = bit_maps([mapped("pretrained", "joint")]).axes
    assert first.get_xlabel() == "y 120 + z 24 bits\n0.035 bit/px"
    assert second.get_xlabel() == "y 240 + z 25 bits\n0.065 bit/px"
    assert first.get_title() == "pretrained"


@pytest.mark.usefixtures("styled")
@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("names", [["pretrained"], ["pretrained", "compression-only", "joint"]])
def test_nothing_overlaps_or_is_cut_off(names, rows):
    figure = bit_maps([mapped(*names)] * rows)
    figure.draw_without_rendering()
    boxes = [axes.get_tightbbox() for axes in figure.axes]
    for i, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0
        assert box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0
        assert box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[i + 1 :])
