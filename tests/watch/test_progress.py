"""How far a workflow is and how long the rest takes, on a clock that is set by hand."""

import json

import pytest

from mien.watch.earlier import seconds_by_rule
from mien.watch.progress import Left, Progress


class Clock:
    now = 100.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def begun(clock, planned, earlier):
    progress = Progress(clock=clock)
    progress.plan(planned, earlier)
    return progress


def start(progress, number, rule):
    progress.start(number, rule, f"{rule} {number}", [], [])


def test_what_is_left_is_the_rules_mean_times_the_jobs_over_those_side_by_side(clock):
    progress = begun(clock, {"train": 5, "report": 1}, {"report": 7.0})
    start(progress, 1, "train")
    start(progress, 2, "train")
    clock.now += 10
    progress.finish(1, "train")
    start(progress, 3, "train")
    clock.now += 10
    progress.finish(2, "train")  # 10 s and 20 s: 15 s on average
    clock.now += 4
    # Two wait and one has run for 14 s: 2 x 15 + 1 + 7. Busy 10 + 20 + 14 in 24 s.
    assert progress.left() == Left(pytest.approx(38 / (44 / 24)), [])


def test_this_run_counts_before_earlier_ones(clock):
    progress = begun(clock, {"train": 3}, {"train": 100.0})
    start(progress, 1, "train")
    assert progress.left().seconds == pytest.approx(300)
    clock.now += 10
    progress.finish(1, "train")
    assert progress.left().seconds == pytest.approx(20)


def test_a_job_that_takes_longer_than_expected_leaves_nothing_negative(clock):
    progress = begun(clock, {"train": 2}, {"train": 10.0})
    start(progress, 1, "train")
    clock.now += 50
    assert progress.left().seconds == pytest.approx(10)


def test_rules_of_which_nothing_is_known_are_named(clock):
    progress = begun(clock, {"train": 2, "tables": 1, "report": 1}, {"report": 5.0})
    start(progress, 1, "train")
    assert progress.left() == Left(pytest.approx(5.0), ["tables", "train"])
    clock.now += 10
    progress.finish(1, "train")
    assert progress.left().unknown == ["tables"]


def test_a_failed_job_is_neither_done_nor_waited_for(clock):
    progress = begun(clock, {"train": 2}, {"train": 10.0})
    start(progress, 1, "train")
    assert progress.fail(1, "train", []).label == "train 1"
    assert progress.fail(1, "train", []) is None
    assert (progress.done, progress.total) == (0, 2)
    assert progress.left().seconds == pytest.approx(10)


def test_a_job_that_is_begun_again_is_waited_for_and_may_fail_again(clock):
    progress = begun(clock, {"train": 1}, {"train": 10.0})
    start(progress, 1, "train")
    progress.fail(1, "train", [])
    start(progress, 1, "train")
    assert progress.left().seconds == pytest.approx(10)
    clock.now += 4
    assert progress.fail(1, "train", []).seconds == pytest.approx(4)
    progress.submit([1])  # elsewhere, it is submitted again
    assert progress.left().seconds == pytest.approx(10 / 1)
    assert len(progress.failed) == 1  # until it has succeeded
    progress.finish(1, "train")
    assert (progress.done, progress.failed) == (1, {})


def test_jobs_elsewhere_are_counted_from_when_they_were_submitted(clock):
    progress = begun(clock, {"train": 3, "shard": 1}, {})
    progress.submit([1, 2])
    assert progress.left() == Left(0.0, ["shard", "train"])
    clock.now += 10
    progress.finish(1, "train")
    assert (progress.done, progress.running) == (1, {})
    # Two trainings are left, the first took 10 s, and 2 were there all the time.
    assert progress.left() == Left(pytest.approx(2 * 10 / 2), ["shard"])
    assert progress.fail(2, "train", ["a.log"]).seconds == pytest.approx(10)
    progress.submit(["8e784484-2bb4-5d1e"])  # a group is a job without a number
    progress.finish(3, "shard")
    assert [job.seconds for job in progress.finished] == [10.0, None]
    assert progress.left() is None  # how many groups run is not told


def test_what_was_begun_here_and_never_ended_has_failed_when_it_is_over(clock):
    progress = begun(clock, {"train": 2}, {})
    start(progress, 1, "train")
    start(progress, 2, "train")
    progress.finish(1, "train")
    progress.give_up()
    assert [job.label for job in progress.failed.values()] == ["train 2"]
    assert progress.running == {}


def test_a_group_elsewhere_fails_as_one_and_may_fail_again(clock):
    progress = begun(clock, {"encode": 1, "decode": 1, "train": 1}, {})
    members = [(4, "encode", ["e.log"]), (5, "decode", ["d.log"])]
    for _ in range(2):
        jobs = progress.fail_together(members)
        assert [(job.rule, job.logs, job.seconds) for job in jobs] == [
            ("encode", ["e.log"], None),
            ("decode", ["d.log"], None),
        ]
        assert progress.fail(5, "decode", ["d.log"]) is None  # it is said of each, too
    assert len(progress.failed) == 2
    progress.finish(4, "encode")
    progress.finish(5, "decode")
    assert (progress.done, progress.failed) == (2, {})
    assert len(progress.fail_together(members)) == 2  # whatever was said before


def test_earlier_runs_are_read_from_what_snakemake_keeps(tmp_path):
    def keep(name, text):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)

    records = {
        "a": ("train", 10.0, 14.0),
        "b": ("train", 10.0, 16.0),  # another output of the same job
        "@long/c": ("train", 50.0, 52.0),
        "d": ("report", 1.0, 1.5),
    }
    for name, (rule, began, ended) in records.items():
        keep(name, json.dumps({"rule": rule, "starttime": began, "endtime": ended}))
    keep("half", '{"rule": "tra')
    keep("old", '{"rule": "train"}')
    keep("none", '{"rule": "train", "starttime": null, "endtime": 3}')
    assert seconds_by_rule(tmp_path) == {"train": 4.0, "report": 0.5}
    assert seconds_by_rule(tmp_path / "none here") == {}
