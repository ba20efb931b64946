"""The tables: their rows, their order, and captions that say what they rest on."""

import pytest

from mien.expressions import EXPRESSIONS
from mien.paths import TABLE_NAMES
from mien.report.captions import table2_strategy
from mien.report.cells import ABSENT
from mien.report.published import published_points
from mien.report.render import markdown
from mien.report.statistics import Statistics
from mien.report.tables import all_tables, bjontegaard_text
from mien.runs import all_runs
from tests.support.results import params_of


@pytest.fixture(scope="module")
def tables(statistics):
    return all_tables(statistics)


def with_dataset(statistics, **changes):
    dataset = statistics.dataset.model_copy(update=changes)
    return statistics.model_copy(update={"dataset": dataset})


def test_every_table_fits_its_columns(tables):
    assert tuple(tables) == TABLE_NAMES
    for table in tables.values():
        assert table.rows
        assert {len(row) for row in table.rows} == {len(table.columns)}


def test_table_1_has_both_deltas_of_every_trained_strategy(tables, statistics):
    table = tables["table1"]
    assert [row[0] for row in table.rows] == ["compression-only", "joint"]
    for row, strategy in zip(table.rows, statistics.trained, strict=True):
        found = statistics.bjontegaard[strategy]
        assert row[1] is found.bd_accuracy
        assert row[4] is found.bd_rate
        assert row[2] == 100 * found.rate_overlap.fraction
        assert row[6] == (
            f"{found.accuracy_overlap.baseline_points} + {found.accuracy_overlap.points}"
        )


def test_table_1_says_why_a_value_is_absent(statistics):
    found = statistics.bjontegaard["joint"]
    lost = found.bd_rate.model_copy(
        update={"value": None, "low": None, "high": None, "reason": "no range"}
    )
    changed = statistics.model_copy(
        update={
            "bjontegaard": {
                **statistics.bjontegaard,
                "joint": found.model_copy(update={"bd_rate": lost}),
            }
        }
    )
    text = markdown(all_tables(changed)["table1"])
    assert "- joint, BD-Rate: no range" in text
    assert f"| {ABSENT} |" in text
    assert "joint, BD-Rate: no range" in bjontegaard_text(changed)


def test_table_2_is_sorted_by_rate(statistics):
    runs = dict(statistics.runs["joint"])
    runs["q1"] = runs["q1"].model_copy(update={"bpp": 9.0})
    changed = statistics.model_copy(update={"runs": {**statistics.runs, "joint": runs}})
    rows = all_tables(changed)["table2"].rows[:4]
    assert [row[0] for row in rows] == ["q3", "q5", "q8", "q1"]
    assert [row[1] for row in rows] == sorted(row[1] for row in rows)
    assert rows[0][2:] == [runs["q3"].accuracy, runs["q3"].raw_accuracy, runs["q3"].change]


def test_all_runs_are_listed_once(tables):
    listed = [tuple(row[:2]) for row in tables["runs"].rows]
    assert len(listed) == len(set(listed)) == len(all_runs(params_of()))
    assert listed[0] == ("pretrained (baseline)", "q1")
    assert listed[4:9] == [
        ("compression-only", name) for name in ("q1", "q3", "q5", "q8", "q3-bpp0.5")
    ]


def test_every_expression_is_listed_and_the_absent_one_marked(tables):
    table = tables["classes"]
    assert [row[0] for row in table.rows] == list(EXPRESSIONS)
    assert table.rows[-1][1] == 0
    assert f"| contempt | 0 | {ABSENT} | {ABSENT} | {ABSENT} |" in markdown(table)
    assert "no test image of this class" in table.notes[0]


def test_every_expression_has_recall_and_f1_on_decoded_and_raw_images(tables, statistics):
    table = tables["expressions"]
    assert [row[1] for row in table.rows] == list(EXPRESSIONS) * 3
    run = statistics.runs["joint"]["q5"]  # the middle one
    row = table.rows[-8 + EXPRESSIONS.index("fear")]
    parts = (run.decoded.recall, run.raw.recall, run.decoded.f1, run.raw.f1)
    assert row == ["joint", "fear", *(part["fear"] for part in parts)]
    assert "| joint | contempt | – | – | – | – |" in markdown(table)


def test_what_was_not_run_is_named_in_the_attribution(tables, statistics):
    table = tables["attribution"]
    rows = {row[0]: row for row in table.rows}
    assert rows["all of it"][2] is statistics.attribution.parts["joint"]
    assert rows["all of it"][2].value > 0
    assert rows["the classifier"][2].value is None
    text = markdown(table)
    assert "- the classifier, Gain: not run: add classifier-decoded to strategies" in text
    assert rows["their adaptation to each other"][1] == (
        "joint − compression-only − classifier-decoded + pretrained"
    )
    low, high = statistics.attribution.low, statistics.attribution.high
    assert f"from {low:.3f} to {high:.3f} bit/pixel" in table.caption


def test_fixed_rates_beyond_the_curve_show_a_bound(tables, statistics):
    found = statistics.targets["joint"].accuracy["0.5"]
    highest = max(statistics.runs["joint"][name].bpp for name in statistics.reference)
    assert (found.value is None) == (highest < 0.5)
    assert [row[0] for row in tables["targets"].rows] == [
        "pretrained (baseline)",
        "compression-only",
        "joint",
    ]


def test_the_papers_numbers_stand_apart_from_ours(tables):
    table = tables["table1"]
    keys = [column.key for column in table.columns]
    published = [row[keys.index("published_bd_rate")] for row in table.rows]
    assert published == [-49.32, -89.12]
    assert [row[keys.index("published_bd_accuracy")] for row in table.rows] == [0.71, 4.04]
    rows = [row for row in tables["table2"].rows if row[0] == "as published"]
    assert len(rows) == 9
    assert rows[0] == ["as published", 0.04, 47.54, 49.34, -1.8]
    for name in ("table1", "table2"):
        assert "arXiv 2509.17262 on AffectNet, n = 3,999" in tables[name].caption
    assert "| −49.32 |" in markdown(table)  # no interval, so never bold


def test_the_papers_points_are_those_of_its_joint_models_alone():
    alone = params_of(strategies=["compression-only"])
    with_other = Statistics.model_construct(strategies=["pretrained", *alone.strategies])
    assert table2_strategy(with_other) == "compression-only"
    assert published_points("compression-only") == []


def test_recognition_is_listed_before_and_after_calibration(tables, statistics):
    row = tables["recognition"].rows[0]
    found = statistics.runs["pretrained"]["q1"]
    assert row[2] == found.temperature == 1.25
    assert row[5:7] == [found.decoded.ece, found.decoded.ece_uncalibrated]
    assert row[7:] == [
        found.raw.macro_f1,
        found.raw.uar,
        found.raw.ece,
        found.raw.ece_uncalibrated,
    ]


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_a_caption_says_where_trainings_start_that_go_on_from_others(statistics, name):
    made = statistics.provenance.model_copy(update={"finetune_start": "higher"})
    chained = statistics.model_copy(update={"provenance": made})
    says = (
        "one training per run (seed 5), each below the highest rate point from where its "
        "strategy's next higher one ended"
    )
    assert says in all_tables(chained)[name].caption
    assert says not in all_tables(statistics)[name].caption


def test_the_primary_interpolation_comes_first(tables, statistics):
    rows = tables["methods"].rows
    assert rows[0][:3] == ["compression-only", "pchip", "envelope"]
    assert rows[0][3] == statistics.bjontegaard["compression-only"].bd_accuracy.value
    assert len(rows) == 2 * 2 * 3


@pytest.mark.parametrize("name", TABLE_NAMES)
def test_a_caption_says_what_it_rests_on(tables, statistics, name):
    caption = tables[name].caption
    assert "drawn faces, n = 150 test images (none of contempt)" in caption
    assert "(seed 5)" in caption
    assert f"commit {statistics.provenance.commit}" in caption
    assert "Not comparable with the paper's numbers" in caption
    if name != "methods":
        assert "95 % paired-bootstrap interval" in caption
        assert "(200 resamples, seed 7)" in caption


def test_only_affectnet_is_comparable_with_the_paper(statistics):
    complete = dict.fromkeys(EXPRESSIONS, 500)
    affectnet = with_dataset(statistics, name="AffectNet", n=4000, counts=complete)
    caption = all_tables(affectnet)["table1"].caption
    assert "comparable" not in caption
    assert "AffectNet, n = 4,000 test images, one training" in caption


def test_the_terminal_sees_the_deltas_and_n(statistics):
    text = bjontegaard_text(statistics)
    head, baseline, joint, *_ = text.splitlines()
    header = "Strategy BD-Accuracy [points] overlap [%] BD-Rate [%] overlap [%]"
    assert " ".join(head.split()) == header
    assert baseline.startswith("compression-only")
    value = statistics.bjontegaard["joint"].bd_rate.value
    assert f"{value:+.1f} [" in joint
    assert "n = 150 test images" in text
    assert max(len(line) for line in text.splitlines()[:3]) <= 90
