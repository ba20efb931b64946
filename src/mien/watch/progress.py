"""How far a workflow is, and how long the rest takes, from how long jobs of a rule took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace


@dataclass(frozen=True)
class Job:
    """One job that was begun.

    Attributes:
        rule: Its rule's name.
        label: Rule and wildcards, such as `finetune joint/q3`.
        logs: The files it logs to.
        outputs: The files it writes; None of a job elsewhere, of which they are not told.
        seconds: How long it took; elsewhere, from when it was submitted. None before its end,
            and of a job in a group elsewhere, which is not submitted by itself.
    """

    rule: str
    label: str
    logs: Sequence[str]
    outputs: Sequence[str] | None
    seconds: float | None = None


@dataclass(frozen=True)
class Left:
    """How long the rest takes.

    Attributes:
        seconds: Of the jobs whose duration can be guessed.
        unknown: The rules of the other jobs.
    """

    seconds: float
    unknown: Sequence[str]


@dataclass
class Progress:
    """The jobs of one run of the workflow.

    Of jobs that run elsewhere, as on SLURM, it is told that they were submitted and that they
    ended, and in between nothing: not even of which rule they are.

    Attributes:
        earlier: How long a job of each rule took in earlier runs, seconds.
        clock: In seconds.
    """

    earlier: Mapping[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    planned: Counter[str] = field(default_factory=Counter)
    begun: dict[int, float] = field(default_factory=dict)  # or submitted, and not ended
    running: dict[int, Job] = field(default_factory=dict)  # here
    finished: list[Job] = field(default_factory=list)
    failed: dict[int, Job] = field(default_factory=dict)  # and not succeeded since
    _seconds: dict[str, list[float]] = field(default_factory=dict)  # of finished jobs, by rule
    _grouped: bool = False
    _began: float = 0.0

    def plan(self, jobs_by_rule: Mapping[str, int], earlier: Mapping[str, float]) -> None:
        """Begin: so many jobs of each rule are to be done."""
        self.planned = Counter(jobs_by_rule)
        self.earlier = earlier
        self._began = self.clock()

    @property
    def total(self) -> int:
        """How many jobs there are in all."""
        return self.planned.total()

    @property
    def done(self) -> int:
        """How many have succeeded."""
        return len(self.finished)

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return self.clock() - self._began

    def submit(self, numbers: Iterable[object]) -> None:
        """These jobs are begun, here or elsewhere; a group of them has no number."""
        for number in numbers:
            if isinstance(number, int):
                self.begun[number] = self.clock()
            else:
                self._grouped = True

    def start(
        self, number: int, rule: str, label: str, logs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        """A job was begun here."""
        self.submit([number])
        self.running[number] = Job(rule, label, logs, outputs)

    def finish(self, number: int, rule: str) -> None:
        """A job of a rule has succeeded."""
        self.failed.pop(number, None)
        job = self._ended(number, Job(rule, rule, (), None))
        self.finished.append(job)
        if job.seconds is not None:
            self._seconds.setdefault(job.rule, []).append(job.seconds)

    def fail(self, number: int, rule: str, logs: Sequence[str]) -> Job | None:
        """A job of a rule has failed; return it, or None if that is known already."""
        if number in self.failed and number not in self.begun:
            return None
        self.failed[number] = self._ended(number, Job(rule, rule, logs, None))
        return self.failed[number]

    def fail_together(self, members: Sequence[tuple[int, str, Sequence[str]]]) -> list[Job]:
        """A group has failed, perhaps not for the first time; return its jobs.

        Args:
            members: Number, rule and logs of each.
        """
        for number, rule, logs in members:
            self.fail(number, rule, logs)
        return [self.failed[number] for number, _, _ in members]

    def give_up(self) -> None:
        """It is over: a job here of which no end was told has failed.

        Such as one that ended well and left an output missing.
        """
        for number, job in list(self.running.items()):
            self.fail(number, job.rule, job.logs)

    def _ended(self, number: int, elsewhere: Job) -> Job:
        began = self.begun.pop(number, None)
        seconds = None if began is None else self.clock() - began
        return replace(self.running.pop(number, elsewhere), seconds=seconds)

    def left(self) -> Left | None:
        """Return how long the rest takes if as many jobs run side by side as up to now.

        None if groups of jobs run elsewhere: it is not told how many do at a time.
        """
        if self._grouped:
            return None
        failed = [job for number, job in self.failed.items() if number not in self.begun]
        waiting = self.planned - Counter(
            job.rule for job in [*self.running.values(), *self.finished, *failed]
        )
        guesses = {rule: self._guess(rule) for rule in self.planned}
        seconds = sum(n * (guesses[rule] or 0.0) for rule, n in waiting.items())
        now = self.clock()
        for number, job in self.running.items():
            seconds += max((guesses.get(job.rule) or 0.0) - (now - self.begun[number]), 0.0)
        concerned = {*waiting, *(job.rule for job in self.running.values())}
        unknown = sorted(rule for rule in concerned if guesses.get(rule) is None)
        return Left(seconds / self._side_by_side(), unknown)

    def _guess(self, rule: str) -> float | None:
        """Return how long a job of a rule takes: as in this run, else as in earlier ones."""
        if seconds := self._seconds.get(rule):
            return sum(seconds) / len(seconds)
        return self.earlier.get(rule)

    def _side_by_side(self) -> float:
        """Return how many jobs ran at a time on average, at least one."""
        now = self.clock()
        busy = sum(sum(seconds) for seconds in self._seconds.values())
        busy += sum(now - began for began in self.begun.values())
        return max(busy / self.elapsed, 1.0) if self.elapsed > 0 else 1.0
