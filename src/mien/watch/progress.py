"""How far a workflow is, and how long the rest takes, from how long jobs of a rule took."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Job:
    """One job that was begun.

    Attributes:
        rule: Its rule's name.
        label: Rule and wildcards, such as `finetune joint/q3`.
        logs: The files it logs to.
        outputs: The files it writes.
        began: On the clock of the progress, seconds.
    """

    rule: str
    label: str
    logs: Sequence[str]
    outputs: Sequence[str]
    began: float


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

    Attributes:
        earlier: How long a job of each rule took in earlier runs, seconds.
        clock: In seconds.
    """

    earlier: Mapping[str, float] = field(default_factory=dict)
    clock: Callable[[], float] = time.monotonic
    planned: Counter[str] = field(default_factory=Counter)
    running: dict[int, Job] = field(default_factory=dict)
    finished: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    _seconds: dict[str, list[float]] = field(default_factory=dict)  # of finished jobs, by rule
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

    def start(
        self, number: int, rule: str, label: str, logs: Sequence[str], outputs: Sequence[str]
    ) -> None:
        """A job was begun."""
        self.running[number] = Job(rule, label, logs, outputs, self.clock())

    def finish(self, number: int) -> None:
        """A job has succeeded."""
        if job := self.running.pop(number, None):
            self.finished.append(job)
            self._seconds.setdefault(job.rule, []).append(self.clock() - job.began)

    def fail(self, number: int) -> Job | None:
        """A job has failed; return it, or None if that is known already."""
        job = self.running.pop(number, None)
        if job:
            self.failed.append(job)
        return job

    def left(self) -> Left:
        """Return how long the rest takes if as many jobs run side by side as up to now."""
        waiting = self.planned - Counter(
            job.rule for job in [*self.running.values(), *self.finished, *self.failed]
        )
        guesses = {rule: self._guess(rule) for rule in self.planned}
        seconds = sum(n * (guesses[rule] or 0.0) for rule, n in waiting.items())
        now = self.clock()
        for job in self.running.values():
            seconds += max((guesses.get(job.rule) or 0.0) - (now - job.began), 0.0)
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
        busy += sum(now - job.began for job in self.running.values())
        return max(busy / self.elapsed, 1.0) if self.elapsed > 0 else 1.0
