from __future__ import annotations

import csv

import pytest

from mien.data.findings import KINDS, Finding, Limit, counted, refuse_excess, write
from mien.data.layouts.records import FAULTS
from mien.errors import DataError

FINDINGS = [
    Finding("leak", "val_set", "b.jpg", "x"),
    Finding("missing", "val_set", "10.jpg", 'a "quoted", text'),
    Finding("missing", "train_set", "9.jpg", "x"),
    Finding("missing", "train_set", "10.jpg", "x"),
    Finding("duplicate", "train_set", "é.jpg", "x"),
]


def test_the_report_is_by_kind_and_part_in_a_stable_order(tmp_path):
    path = tmp_path / "data/report.csv"
    write(path, FINDINGS)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["kind", "part", "source", "detail"]
    assert [row[:3] for row in rows[1:]] == [
        ["missing", "train_set", "9.jpg"],
        ["missing", "train_set", "10.jpg"],
        ["missing", "val_set", "10.jpg"],
        ["duplicate", "train_set", "é.jpg"],
        ["leak", "val_set", "b.jpg"],
    ]
    assert rows[3][3] == 'a "quoted", text'


def test_a_report_of_nothing_has_its_header(tmp_path):
    write(tmp_path / "report.csv", [])
    assert (tmp_path / "report.csv").read_bytes() == b"kind,part,source,detail\n"


def test_findings_are_counted_by_kind_with_the_absent_ones():
    assert counted(FINDINGS, "train_set") == {
        **dict.fromkeys(KINDS, 0),
        **{"missing": 2, "duplicate": 1},
    }


def excess(counts, share, of=1000):
    limit = Limit("max_unusable", share, FAULTS, of, "listed images cannot be used")
    name, report = "raw: train_set", "data/r.csv"
    found = [
        Finding(kind, "train_set", f"{kind}{n}.jpg", "seen")
        for kind, times in counts.items()
        for n in range(times)
    ]
    refuse_excess(name, found, limit, report)


@pytest.mark.parametrize("of", [1000, 3000, 7000, 9000, 287_000])
def test_a_share_equal_to_the_limit_is_allowed_and_one_image_more_is_not(of):
    excess({"broken": of // 1000}, 0.001, of)
    with pytest.raises(DataError):
        excess({"broken": of // 1000 + 1}, 0.001, of)


def test_only_the_kinds_of_the_limit_count():
    excess({"leak": 1000, "duplicate": 1000, "conflict": 1000}, 0.0)


def test_a_refusal_names_share_limit_worst_kinds_report_and_key():
    counts = {"label": 1, "missing": 20, "crop": 3, "broken": 21}
    with pytest.raises(DataError) as caught:
        excess(counts, 0.001)
    assert str(caught.value) == (
        "raw: train_set: 45 of 1,000 listed images cannot be used, a share of 0.045, above "
        "data.max_unusable 0.001: broken 21, missing 20, crop 3, the first of them "
        "label0.jpg (seen): data/r.csv lists them all: mend or remove them, or raise "
        "data.max_unusable"
    )


def test_no_images_have_no_share():
    excess({}, 0.0, of=0)
