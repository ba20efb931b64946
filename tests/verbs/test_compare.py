"""`mien compare`: the numbers of both runs, paired differences, and what it refuses."""

import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from sklearn import metrics as oracle

from mien import cli, paths
from mien.report.comparison import compared, measures
from mien.report.evaluated import read_evaluations
from mien.runs import Run
from tests.support.results import change_rows

pytestmark = pytest.mark.usefixtures("finished")

FIRST, SECOND = Run("pretrained", "q3"), Run("joint", "q3-ce0.1")
NAMES = ("pretrained/q3", "joint/q3-ce0.1")


def said(capsys, *names):
    capsys.readouterr()
    assert cli.main(["compare", *names]) == 0
    return capsys.readouterr().out


def rows(text):
    """Return the cells of every measure, by its title."""
    found = [re.split(r"  +", line) for line in text.splitlines()]
    return {cells[0]: cells[1:] for cells in found if len(cells) == 4}


def answers(run, place=paths.decoded):
    return pq.read_table(place(run)).sort_by("key").to_pydict()


def test_both_runs_and_their_difference_are_shown(capsys):
    shown = rows(said(capsys, *NAMES))
    values = []
    for i, run in enumerate((FIRST, SECOND)):
        table = answers(run)
        right = np.equal(table["label"], table["prediction"])
        values.append(100 * right.mean())
        assert shown["Accuracy, decoded [%]"][i] == f"{values[-1]:.2f}"
        assert shown["Bytes [a picture]"][i] == f"{np.mean(table['n_bytes']):.1f}"
        assert shown["Rate [bit/pixel]"][i] == f"{np.mean(table['bpp']):.4f}"
        assert shown["PSNR [dB]"][i] == f"{np.mean(table['psnr']):.2f}"
        f1 = oracle.f1_score(table["label"], table["prediction"], labels=range(7), average=None)
        assert shown["Macro F1, decoded [%]"][i] == f"{100 * f1.mean():.2f}"
        raw = answers(run, paths.raw)
        given = {"labels": range(7), "average": "macro"}
        uar = oracle.recall_score(raw["label"], raw["prediction"], **given)
        assert shown["UAR, raw [%]"][i] == f"{100 * uar:.2f}"
    difference = shown["Accuracy, decoded [%]"][2]
    assert difference.startswith(f"{values[1] - values[0]:+.2f} [")
    assert shown["MS-SSIM"] == ["-", "-", "-"]  # 64x64 is too small for it


def test_the_text_says_what_it_rests_on(capsys):
    text = said(capsys, *NAMES)
    text.encode("ascii")
    assert "joint/q3-ce0.1 minus pretrained/q3" in text
    assert "200 resamples, seed 7" in text
    assert "drawn faces, n = 60 test images" in text
    one, other = (
        np.equal(answers(r)["label"], answers(r)["prediction"]) for r in (FIRST, SECOND)
    )
    alone = f"{(one & ~other).sum()} only {NAMES[0]}, {(other & ~one).sum()} only {NAMES[1]}"
    assert alone in text
    assert re.search(r"McNemar, accuracy on decoded images: p [=<] [0-9.]+ \(exact", text)


def test_order_turns_the_sign(capsys):
    there, back = (rows(said(capsys, *names)) for names in (NAMES, NAMES[::-1]))
    for title, cells in there.items():
        assert back[title][:2] == cells[1::-1]
        if cells[2] == "-" or title == "Measure":
            continue
        value, other = (float(found[title][2].split()[0]) for found in (there, back))
        assert value == pytest.approx(-other)


def test_intervals_are_those_of_the_same_images_in_both():
    evaluations = read_evaluations([FIRST, SECOND], 64)
    one, other = evaluations[FIRST], evaluations[SECOND]
    found = compared(one, other, 4000, 0).rows["accuracy"][2]
    change = one.correct(one.decoded).astype(float) - other.correct(other.decoded)
    expected = 100 * change.std() / np.sqrt(len(change))
    assert found.high - found.low == pytest.approx(2 * 1.96 * expected, rel=0.1)
    with_itself = compared(one, one, 50, 0)
    for name in measures(one):
        ends = with_itself.rows[name][2].low, with_itself.rows[name][2].high
        assert ends == pytest.approx((0, 0), abs=1e-12)  # sums round as the processor adds them
    assert with_itself.decoded.p_value == 1


def test_runs_of_other_images_are_refused(capsys):
    table = pq.read_table(paths.decoded(SECOND))
    keys = ["test-999999", *table["key"].to_pylist()[1:]]
    change_rows(paths.decoded(SECOND), SECOND, key=keys)
    assert cli.main(["compare", *NAMES]) == 2
    message = capsys.readouterr().err
    assert "results/joint/q3-ce0.1/per_image.parquet: " in message
    assert "all runs must be of one test set" in message


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (
            ("joint/q7", "joint/q3"),
            "joint/q7: no evaluated run; there are: compression-only/q1,",
        ),
        (("../joint/q3", "joint/q3"), "no evaluated run"),
        (("joint/q3", "results/joint/q3/"), "joint/q3: named twice"),
    ],
)
def test_names_that_are_no_two_runs_are_refused(capsys, names, message):
    assert cli.main(["compare", *names]) == 2
    assert message in capsys.readouterr().err


def test_a_run_that_params_no_longer_name_is_compared_all_the_same(finished, capsys):
    text = paths.PARAMS.read_text()
    (finished / "fewer.yaml").write_text(text.replace("ce: [0.0, 0.1, 2.0]", "ce: []"))
    assert rows(said(capsys, *NAMES, "--params", "fewer.yaml"))
