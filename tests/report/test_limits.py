"""What was not run is named, and the paper's numbers come with what differs."""

from mien.report.limits import beside_published, cautions, unrun
from tests.support.statistics import with_strategies


def test_what_was_not_run_is_named(statistics):
    controls, classic = unrun(statistics)
    for name in ("codec-rd", "classifier-raw", "classifier-decoded"):
        assert name in controls
    assert "No classic codec" in classic
    coded = statistics.model_copy(update={"classic": ["jpeg"]})
    more = unrun(with_strategies(coded, "classifier-raw"))
    assert len(more) == 1
    assert "classifier-raw" not in more[0]
    every = ("codec-rd", "classifier-raw", "classifier-decoded")
    assert unrun(with_strategies(coded, *every)) == []
    lacking = coded.model_copy(update={"missing": {"jxl": "pip install 'pillow-jxl-plugin'"}})
    [missing] = unrun(with_strategies(lacking, *every))
    assert missing.startswith("JPEG XL was asked for and not run")
    assert "pip install 'pillow-jxl-plugin'" in missing


def test_a_class_without_images_and_another_data_set_are_cautions(statistics):
    data_set, absent = cautions(statistics)
    assert "not AffectNet" in data_set
    assert absent.startswith("No test image shows contempt.")
    whole = statistics.dataset.model_copy(
        update={"name": "AffectNet", "counts": dict.fromkeys(statistics.dataset.counts, 500)}
    )
    assert cautions(statistics.model_copy(update={"dataset": whole})) == []


def test_published_numbers_stand_beside_what_differs(statistics):
    [text] = beside_published(statistics)
    assert "+0.71 points and −49.32 % for compression-only" in text
    assert "+4.04 points and −89.12 % for joint" in text
    assert "not stated" in text
    assert "Ours: drawn faces, n = 150, stored bytes over 64x64 pixels" in text
    assert "loss weights bpp 1, CE 0.5, MSE 1, qualities" in text
    weights = statistics.weights.model_copy(update={"bpp": {1: 20.0, 3: 2.5}})
    [text] = beside_published(statistics.model_copy(update={"weights": weights}))
    assert "loss weights bpp 20/2.5 (q1/q3), CE 0.5, MSE 1, qualities" in text
    alone = statistics.model_copy(update={"strategies": ["pretrained", "codec-rd"]})
    assert beside_published(alone) == []
