"""Classic codecs through the stages: the same files as a learned run's, and honest ones."""

import io
import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien import cli, paths
from mien.codec.archive import read_archive
from mien.data import shards
from mien.errors import ParamsError, StreamError
from mien.metrics.distortion import psnr
from mien.runs import CLASSIC, PRETRAINED, Run
from mien.stages import decode as learned_decode
from mien.stages import encode as learned_encode
from mien.stages.decode_classic import decode
from mien.stages.encode_classic import encode
from mien.stages.measured import MEASURED, READ

RUNS = [Run(codec, "q40") for codec in CLASSIC]


@pytest.fixture
def classic_params(params):
    """Return params of the shards and models here, and every classic codec at two qualities."""
    return params.model_copy(update={"classic": dict.fromkeys(CLASSIC, (10, 40))})


def raw_pictures(params):
    batches = shards.split_batches(paths.SHARDS_MANIFEST, "test", params.evaluate.batch_size)
    return {
        key: image.permute(1, 2, 0).numpy()
        for batch in batches
        for key, image in zip(batch.keys, batch.images, strict=True)
    }


@pytest.mark.parametrize("run", RUNS, ids=CLASSIC)
def test_what_is_measured_was_decoded_from_the_stored_files(classic_params, run):
    encode(classic_params, run)
    decode(classic_params, run)
    streams = pq.read_table(paths.streams(run)).to_pylist()
    rows = pq.read_table(paths.decoded(run)).to_pylist()
    raw = raw_pictures(classic_params)
    assert [row["key"] for row in rows] == [row["key"] for row in streams] == list(raw)
    assert len(rows) == 7  # two batches, the second one smaller
    for stored, row in zip(streams, rows, strict=True):
        picture = np.asarray(Image.open(io.BytesIO(stored["stream"])).convert("RGB"))
        assert row["n_bytes"] == len(stored["stream"])
        assert row["bpp"] == 8 * len(stored["stream"]) / 64**2
        assert row["psnr"] == psnr(raw[row["key"]], picture)
        assert stored["estimated_bits"] is None
    examples = pq.read_table(paths.examples(run)).to_pylist()
    first = np.asarray(Image.open(io.BytesIO(examples[0]["png"])))
    stored = np.asarray(Image.open(io.BytesIO(streams[0]["stream"])).convert("RGB"))
    np.testing.assert_array_equal(first, stored)


@pytest.mark.parametrize("run", RUNS, ids=CLASSIC)
def test_the_library_and_its_settings_go_with_the_files(classic_params, run):
    encode(classic_params, run)
    _, shared = read_archive(paths.streams(run))
    assert shared.codec == run.strategy
    assert any(character.isdigit() for character in shared.library)
    assert shared.settings["quality"] == 40
    assert len(shared.settings) > 1
    manifest = json.loads(paths.manifest_of(paths.streams(run)).read_text())
    assert manifest["library"] == shared.library
    assert manifest["settings"] == shared.settings


def test_the_pretrained_classifier_reads_them(classic_params):
    baseline, run = Run(PRETRAINED, "q1"), Run("jpeg", "q10")
    learned_encode.encode(classic_params, baseline)
    learned_decode.decode(classic_params, baseline)
    encode(classic_params, run)
    decode(classic_params, run)
    mine, theirs = (pq.read_table(paths.raw(r)).to_pydict() for r in (run, baseline))
    assert mine == theirs
    names = [field.name for field in READ + MEASURED]
    for either in (run, baseline):
        table = pq.read_table(paths.decoded(either))
        assert table.schema.names == names
        for path in (paths.encode_seconds(either), paths.decode_seconds(either)):
            times = pq.read_table(path)
            assert times["key"] == table["key"]
            assert min(times["seconds"].to_pylist()) > 0


def test_streams_of_another_codec_or_quality_are_refused(classic_params):
    baseline, jpeg, coarse, webp = (
        Run(PRETRAINED, "q1"),
        Run("jpeg", "q40"),
        Run("jpeg", "q10"),
        Run("webp", "q40"),
    )
    learned_encode.encode(classic_params, baseline)
    encode(classic_params, jpeg)

    def decoded(source, target, stage):
        paths.run_folder(target).mkdir(parents=True, exist_ok=True)
        for place in (paths.streams, lambda run: paths.manifest_of(paths.streams(run))):
            shutil.copy(place(source), place(target))
        stage(classic_params, target)

    with pytest.raises(StreamError, match="written by codec jpeg at quality 40, not by webp"):
        decoded(jpeg, webp, decode)
    with pytest.raises(StreamError, match="at quality 40, not by jpeg at 10"):
        decoded(jpeg, coarse, decode)
    with pytest.raises(StreamError, match="not by webp at 40"):
        decoded(baseline, webp, decode)
    with pytest.raises(StreamError, match="written by jpeg, which is no learned codec"):
        decoded(jpeg, baseline, learned_decode.decode)
    assert not paths.decoded(webp).exists()


def test_a_quality_that_params_do_not_name_is_refused(classic_params):
    with pytest.raises(ParamsError, match=r"classic.jpeg: setting 'q7' .* which has q10, q40"):
        encode(classic_params, Run("jpeg", "q7"))
    with pytest.raises(ParamsError, match=r"classic.jpeg: .* which has none"):
        decode(classic_params.model_copy(update={"classic": {}}), Run("jpeg", "q40"))


def test_the_command_line_runs_several_settings(classic_params, tmp_path):
    import yaml

    file = tmp_path / "params.yaml"
    file.write_text(yaml.safe_dump(classic_params.model_dump(mode="json")))
    for command in ("encode-run", "decode-run"):
        settings = ["jpeg", "q10", "q40"]
        assert cli.main([command, *settings, "--params", str(file), "--threads", "1"]) == 0
    sizes = [
        pq.read_table(paths.decoded(Run("jpeg", setting)))["n_bytes"].to_pylist()
        for setting in ("q10", "q40")
    ]
    assert sum(sizes[0]) < sum(sizes[1])
