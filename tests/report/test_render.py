"""One table in every format: the same numbers, escaped, bold only when established."""

import csv
import io
import re

import pytest

from mien.report.cells import Column, Table
from mien.report.render import comma_separated, html_table, latex, markdown, plain
from mien.report.statistics import Bounded, Estimate


def estimate(value, low, high, absent=0.0, reason=None):
    return Estimate(value=value, low=low, high=high, absent=absent, reason=reason)


TABLE = Table(
    name="some",
    title="Table 9",
    caption="50 % of R&D_data <n = 7>",
    columns=[
        Column("strategy", "Strategy"),
        Column("n", "Images", decimals=0),
        Column("change", "Change", "points", "higher", 2, signed=True, bounded=True),
        Column("rate", "BD-Rate", "%", "lower", 1, signed=True, bounded=True),
    ],
    rows=[
        ["compression-only", 3999, estimate(1.005, -0.5, 2.5), estimate(-50.04, -60, -40)],
        ["a & b_c", 12, estimate(-0.001, -1, 1), estimate(None, None, None, 1.0, "no range")],
        ["joint", 0, estimate(2.0, 1.0, 3.0, 0.031), estimate(-1.0, -2.0, -0.5, 0.2)],
    ],
)


def test_markdown():
    assert markdown(TABLE).splitlines() == [
        "**Table 9.** 50 % of R&D_data <n = 7>",
        "",
        "| Strategy | Images | Change [points] ↑ | BD-Rate [%] ↓ |",
        "| --- | ---: | ---: | ---: |",
        "| compression-only | 3,999 | +1.00 [−0.50, +2.50] | **−50.0 [−60.0, −40.0]** |",
        "| a & b_c | 12 | +0.00 [−1.00, +1.00] | – |",
        "| joint | 0 | **+2.00 [+1.00, +3.00]** | −1.0 [−2.0, −0.5] |",
        "",
        "- a & b_c, BD-Rate: no range",
        "- joint, Change: 3.1 % of the resamples have no value, the interval is that of the "
        "others",
        "- joint, BD-Rate: 20.0 % of the resamples have no value, the interval is that of the "
        "others",
    ]


def test_only_a_difference_can_be_bold():
    accuracy = Column("accuracy", "Accuracy", "%", "higher", 1, bounded=True)
    table = Table("t", "T", "", [accuracy], [[estimate(50.0, 48.4, 51.6)]])
    assert markdown(table).splitlines()[-1] == "| 50.0 [48.4, 51.6] |"


def test_latex_is_balanced_and_escaped():
    text = latex(TABLE)
    assert r"a \& b\_c & 12 & +0.00 {[}$-$1.00, +1.00{]} & -- \\" in text
    assert r"\textbf{$-$50.0 {[}$-$60.0, $-$40.0{]}}" in text
    assert r"\caption{50 \% of R\&D\_data $<$n = 7$>$" in text
    assert r"\begin{tabular}{lrrr}" in text
    assert text.count("{") == text.count("}")
    assert sorted(re.findall(r"\\begin\{(.*?)\}", text)) == sorted(
        re.findall(r"\\end\{(.*?)\}", text)
    )
    body = text.split(r"\midrule")[1].split(r"\bottomrule")[0].strip().splitlines()
    assert [len(re.findall(r"(?<!\\)&", row)) for row in body] == [3, 3, 3]
    assert all(row.endswith(r"\\") for row in body)
    assert not re.search(r"(?<!\\)[%_#]", text)


def test_csv_has_every_digit_and_the_bounds():
    rows = list(csv.DictReader(io.StringIO(comma_separated(TABLE))))
    assert rows[0] == {
        "strategy": "compression-only",
        "n": "3999",
        "change": "1.005",
        "change_low": "-0.5",
        "change_high": "2.5",
        "rate": "-50.04",
        "rate_low": "-60.0",
        "rate_high": "-40.0",
        "note": "",
    }
    assert (rows[1]["rate"], rows[1]["rate_low"]) == ("", "")
    assert rows[1]["note"] == "BD-Rate: no range"
    assert "Change: 3.1 %" in rows[2]["note"]


def test_html_is_escaped_and_scrolls_by_itself():
    text = html_table(TABLE)
    assert "50 % of R&amp;D_data &lt;n = 7&gt;" in text
    assert '<th scope="row">a &amp; b_c</th><td class="number">12</td>' in text
    assert '<td class="number"><b>−50.0 [−60.0, −40.0]</b></td>' in text
    assert '<div class="wide" tabindex="0" role="region" aria-label="Table 9">' in text
    assert "<li>a &amp; b_c, BD-Rate: no range</li>" in text


def test_plain_text_is_aligned_ascii():
    text = plain(TABLE)
    text.encode("ascii")
    lines = text.splitlines()
    assert lines[0].split("  ")[0] == "Strategy"
    assert len({len(line) for line in lines[:4]}) == 1
    assert "-50.0 [-60.0, -40.0]" in lines[1]


def bounded(**parts):
    return Bounded(**{"value": None, "low": None, "high": None, "absent": 0.0} | parts)


def test_a_bound_stands_where_a_value_cannot():
    rate = Column("rate", "Rate", "bit/pixel", "lower", 3, bounded=True)
    cells = [
        bounded(above=0.31, reason="no measured rate has 70 %", low=0.28),
        bounded(below=0.09, reason="the lowest has more"),
        bounded(value=0.2, low=0.18, reason=None),
    ]
    table = Table(
        "t", "T", "", [Column("s", "S"), rate], [[f"r{i}", c] for i, c in enumerate(cells)]
    )
    text = markdown(table)
    for row in ("| r0 | > 0.310 [0.280, …] |", "| r1 | < 0.090 |", "| r2 | 0.200 [0.180, …] |"):
        assert row in text
    assert "- r0, Rate: above 0.31: no measured rate has 70 %" in text
    assert r"$>$ 0.310 {[}0.280, \dots{}{]}" in latex(table)
    assert "&gt; 0.310 [0.280, …]" in html_table(table)
    rows = list(csv.DictReader(io.StringIO(comma_separated(table))))
    assert (rows[0]["rate"], rows[0]["rate_low"], rows[0]["rate_high"]) == ("", "0.28", "")
    assert rows[1]["note"] == "Rate: below 0.09: the lowest has more"


@pytest.mark.parametrize("write", [markdown, latex, comma_separated, html_table, plain])
def test_no_format_drops_a_row(write):
    text = write(TABLE)
    for label in ("compression-only", "joint"):
        assert label in text
    assert re.search(r"b(\\)?_c", text)
