"""The figure files: all of them, the right faces, and the same bytes twice."""

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image

from mien import paths
from mien.errors import DataError
from mien.runs import Run, all_runs
from mien.stages.figures import figures, first_of_each_label
from tests.support.results import change_rows, params_of

ROOT = Path(__file__).parents[2]
EXAMPLE = Run("joint", "q8")
MIDDLE = Run("joint", "q5")  # whose bits are shown


def written():
    return {path.name: path.read_bytes() for path in paths.FIGURES.iterdir()}


def test_figures_are_the_same_bytes_in_another_process_at_another_time(results):
    figures(results)
    first = written()
    kinds = ("pdf", "png")
    assert set(first) == {f"{name}.{kind}" for name in paths.FIGURE_NAMES for kind in kinds}
    for path in paths.FIGURES.iterdir():
        path.unlink()
    time.sleep(1.1)  # dates in files count seconds
    # A user's own matplotlib settings must not show either.
    settings = "font.size: 20\naxes.facecolor: black\nsavefig.dpi: 50\n"
    Path("matplotlibrc").write_text(settings)
    code = (
        "from tests.support.results import params_of\n"
        "from mien.stages.figures import figures\n"
        "figures(params_of())"
    )
    environment = {
        **os.environ,
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'src'}",
        "PYTHONHASHSEED": "5",
    }
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)
    assert written() == first


@pytest.mark.usefixtures("results")
def test_faces_are_the_first_of_each_label():
    table = pq.read_table(paths.examples(EXAMPLE)).sort_by("key")
    labels = dict(zip(table["key"].to_pylist(), table["label"].to_pylist(), strict=True))
    chosen = first_of_each_label(table)
    assert chosen == sorted(chosen)
    assert len({labels[key] for key in chosen}) == len(chosen) == len(set(labels.values()))
    for key in chosen:
        assert key == min(k for k, label in labels.items() if label == labels[key])


def test_a_changed_picture_or_map_changes_its_figure_alone_and_no_size(results):
    figures(results)
    first = written()
    buffer = io.BytesIO()
    Image.new("RGB", (64, 64), (0, 255, 0)).save(buffer, "PNG")
    change_rows(paths.examples(EXAMPLE), EXAMPLE, png=[buffer.getvalue()] * 4)
    figures(results)
    changed = {name for name, data in written().items() if data != first[name]}
    assert changed == {"fig4.pdf", "fig4.png"}
    maps = pq.read_table(paths.bits(MIDDLE))["y_bits"].to_pylist()
    change_rows(paths.bits(MIDDLE), MIDDLE, y_bits=[[row[::-1] for row in y] for y in maps])
    change_rows(paths.bits(EXAMPLE), EXAMPLE, z_bits=[1.0] * 4)  # shown nowhere
    figures(results)
    changed |= {name for name, data in written().items() if data != first[name]}
    assert changed == {"fig4.pdf", "fig4.png", "bits.pdf", "bits.png"}
    widths = {name: printed_width(paths.FIGURES / f"{name}.png") for name in paths.FIGURE_NAMES}
    broad = [widths.pop(name) for name in ("fig4", "classes", "bits", "reliability")]
    assert max(broad) <= 18.22
    assert list(widths.values()) == pytest.approx([8.8] * 4, abs=0.02)


def printed_width(path):
    with Image.open(path) as picture:
        return picture.width / 300 * 2.54  # cm


def test_examples_that_do_not_fit_are_refused(results):
    path = paths.examples(EXAMPLE)
    keys = pq.read_table(path)["key"].to_pylist()
    change_rows(path, EXAMPLE, key=["test-999999", *keys[1:]])
    with pytest.raises(DataError, match=r"examples.parquet: has keys that"):
        figures(results)
    pq.write_table(pq.read_table(path).slice(3), path)
    change_rows(path, EXAMPLE)
    with pytest.raises(DataError, match=r"examples.parquet: lacks test-"):
        figures(results)


def test_maps_of_other_pictures_are_refused(results):
    change_rows(paths.bits(MIDDLE), MIDDLE, key=[f"test-{i}" for i in range(4)])
    with pytest.raises(DataError, match=r"joint/q5/bits.parquet: lacks test-0"):
        figures(results)
    paths.bits(MIDDLE).write_bytes(b"")
    with pytest.raises(DataError, match=r"bits.parquet: sha256"):
        figures(results)


def test_figures_of_other_params_are_refused(results):
    with pytest.raises(DataError, match="has the run"):
        figures(params_of(strategies=["joint"]))
    for run in all_runs(results):
        paths.evaluation_manifest(run).unlink()
    with pytest.raises(DataError, match=r"evaluation.json: no such file"):
        figures(results)
