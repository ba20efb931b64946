"""What does not fit together is refused by name; what fits is read in one order."""

import shutil

import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from mien import paths
from mien.errors import DataError
from mien.files import write_manifest
from mien.report.evaluated import read_evaluations as read
from mien.runs import Run, all_runs
from tests.support.results import change_rows, params_of

RUN = Run("joint", "q5")


@pytest.fixture
def results(results, tmp_path, monkeypatch):
    """Return the params of a results folder, a copy, that is now the working directory."""
    shutil.copytree(results, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return params_of()


def read_evaluations(params):
    return read(all_runs(params), params.shards.image_size)


def column(path, name):
    return pq.read_table(path)[name].to_pylist()


def test_rows_are_matched_by_key_whatever_their_order(results):
    before = read_evaluations(results)[RUN]
    for path in (paths.decoded(RUN), paths.raw(RUN), paths.streams(RUN)):
        table = pq.read_table(path)
        shift = {paths.decoded(RUN): 1, paths.raw(RUN): 7, paths.streams(RUN): 30}[path]
        order = [(i + shift) % len(table) for i in range(len(table))]
        pq.write_table(table.take(order), path)
    change_rows(paths.raw(RUN), RUN)  # seal
    after = read_evaluations(results)[RUN]
    for name in ("labels", "n_bytes", "bpp", "estimated_bpp", "encode_seconds"):
        assert getattr(before, name).tolist() == getattr(after, name).tolist()
    for kind in ("decoded", "raw"):
        first, second = getattr(before, kind), getattr(after, kind)
        assert first.predictions.tolist() == second.predictions.tolist()
        assert first.logits.tolist() == second.logits.tolist()


def test_the_estimate_is_over_the_coded_pixels(results):
    found = read_evaluations(results)[RUN]
    table = pq.read_table(paths.streams(RUN))
    mean_bits = pc.mean(table["estimated_bits"]).as_py()
    assert found.estimated_bpp.mean() == pytest.approx(mean_bits / 64**2)


def test_a_stream_of_another_length_is_refused(results):
    path = paths.streams(RUN)
    streams = column(path, "stream")
    key = column(path, "key")[3]
    change_rows(path, RUN, stream=[*streams[:3], streams[3] + b"x", *streams[4:]])
    with pytest.raises(DataError, match=rf"{key} has n_bytes \d+, but its stream"):
        read_evaluations(results)


def test_a_rate_over_other_pixels_is_refused(results):
    path = paths.decoded(RUN)
    change_rows(path, RUN, bpp=[bpp * 256**2 / 224**2 for bpp in column(path, "bpp")])
    with pytest.raises(DataError, match="bytes of a picture of 64x64 are"):
        read_evaluations(results)


@pytest.mark.parametrize("place", [paths.decoded, paths.raw, paths.streams])
def test_a_missing_image_is_refused_not_skipped(results, place):
    path = place(RUN)
    table = pq.read_table(path)
    key = table["key"][5].as_py()
    pq.write_table(table.filter(pc.not_equal(table["key"], key)), path)
    change_rows(path, RUN)
    with pytest.raises(DataError, match=rf"lacks {key} \(1 keys differ"):
        read_evaluations(results)


def test_a_repeated_image_is_refused(results):
    path = paths.raw(RUN)
    keys = column(path, "key")
    change_rows(path, RUN, key=[keys[1], *keys[1:]])
    with pytest.raises(DataError, match="a key occurs twice"):
        read_evaluations(results)


def test_a_label_that_differs_between_runs_is_refused(results):
    labels = column(paths.decoded(RUN), "label")
    changed = [(labels[0] + 1) % 8, *labels[1:]]
    change_rows(paths.decoded(RUN), RUN, label=changed)
    with pytest.raises(DataError, match="has another label"):
        read_evaluations(results)
    change_rows(paths.raw(RUN), RUN, label=changed)  # wrong in both files of the run
    with pytest.raises(DataError, match="has another label"):
        read_evaluations(results)


@pytest.mark.parametrize("name", ["streams.json", "evaluation.json", "per_image.parquet"])
def test_a_missing_file_is_refused_by_name(results, name):
    (paths.run_folder(RUN) / name).unlink()
    with pytest.raises(DataError, match=f"joint/q5/{name}"):
        read_evaluations(results)


def test_a_payload_that_its_manifest_does_not_know_is_refused(results):
    path = paths.decoded(RUN)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(DataError, match=r"per_image.parquet: sha256"):
        read_evaluations(results)


def test_a_prediction_out_of_range_is_refused(results):
    predictions = column(paths.raw(RUN), "prediction")
    change_rows(paths.raw(RUN), RUN, prediction=[8, *predictions[1:]])
    with pytest.raises(DataError, match=r"raw.parquet: prediction is not always 0..7"):
        read_evaluations(results)


def test_a_column_that_is_absent_or_has_nulls_is_refused(results):
    path = paths.decoded(RUN)
    change_rows(path, RUN, psnr=[None, *column(path, "psnr")[1:]])
    with pytest.raises(DataError, match="column 'psnr' has nulls"):
        read_evaluations(results)
    pq.write_table(pq.read_table(path).drop_columns(["psnr"]), path)
    change_rows(path, RUN)
    with pytest.raises(DataError, match="no column 'psnr'"):
        read_evaluations(results)


def test_ms_ssim_of_some_images_only_is_refused(results):
    path = paths.decoded(RUN)
    assert read_evaluations(results)[RUN].ms_ssim is None  # 64x64 is too small for it
    change_rows(path, RUN, ms_ssim=[0.9, *[None] * 149])
    with pytest.raises(DataError, match="ms_ssim is null for 149 of 150 images"):
        read_evaluations(results)
    change_rows(path, RUN, ms_ssim=[0.9] * 150)
    assert read_evaluations(results)[RUN].ms_ssim.tolist() == [0.9] * 150


def test_an_empty_test_set_is_refused(results):
    path = paths.decoded(RUN)
    pq.write_table(pq.read_table(path).slice(0, 0), path)
    change_rows(path, RUN)
    with pytest.raises(DataError, match="no rows"):
        read_evaluations(results)


def test_logits_belong_to_their_image(results):
    table = pq.read_table(paths.raw(RUN)).sort_by("key")
    found = read_evaluations(results)[RUN].raw
    assert found.logits.tolist() == table["logits"].to_pylist()
    assert found.logits.argmax(1).tolist() == table["prediction"].to_pylist()


def test_a_prediction_that_its_logits_do_not_make_is_refused(results):
    predictions = column(paths.raw(RUN), "prediction")
    key = column(paths.raw(RUN), "key")[0]
    change_rows(paths.raw(RUN), RUN, prediction=[(predictions[0] + 1) % 8, *predictions[1:]])
    with pytest.raises(DataError, match=rf"raw.parquet: {key} has another prediction"):
        read_evaluations(results)


def test_the_temperature_is_that_of_the_runs_classifier(results):
    own = paths.manifest_of(paths.classifier_of(RUN))
    write_manifest(own, [], record={"calibration": {"temperature": 2.5}})
    found = read_evaluations(results)
    assert found[RUN].temperature == 2.5
    assert found[Run("compression-only", "q5")].temperature == 1.25
    write_manifest(own, [], record={})
    assert read_evaluations(results)[RUN].temperature is None
