"""What Snakemake prints in a terminal or to a file, instead of a block for every job.

Snakemake's own, complete log stays in `.snakemake/log/`. With `-n`, `--verbose` and commands
that run nothing, everything is printed as Snakemake prints it.
"""

from __future__ import annotations

import re
import shutil
import sys
import time
from collections.abc import Callable
from logging import INFO, LogRecord
from threading import Event, RLock, Thread
from typing import TextIO

from snakemake_interface_logger_plugins.base import LogHandlerBase
from snakemake_interface_logger_plugins.common import LogEvent

from mien.watch import words
from mien.watch.earlier import seconds_by_rule
from mien.watch.progress import Progress

LINE_SECONDS = 10.0  # at least, between two lines in a file
STILL_SECONDS = 600.0  # after so long without one, a line though no job has ended
CLEAR = "\r\x1b[K"
NO_JOBS = frozenset(("total", "all"))  # a sum, and a rule that runs nothing
# In our words, or of no use to who runs the workflow.
SAID = frozenset(
    (
        LogEvent.WORKFLOW_STARTED,
        LogEvent.RUN_INFO,
        LogEvent.RESOURCES_INFO,
        LogEvent.JOB_STARTED,
        LogEvent.JOB_INFO,
        LogEvent.JOB_FINISHED,
        LogEvent.JOB_ERROR,
        LogEvent.GROUP_ERROR,
        LogEvent.PROGRESS,
    )
)
RULE = re.compile(r"\(Rule: (\w+)\)")  # of a job that has finished
SEE_LOGS = "For further error details"  # whose ends are shown
INTERRUPTED = "Terminating processes on user request"
NOISE = (
    "Assuming unrestricted shared filesystem usage",
    "Building DAG of jobs",
    "Using shell:",
    "Select jobs to execute",
    "Group jobs: inactive",
    "Shutting down, this might take some time",
    "Exiting because a job execution failed",
    "RuleException:\nCalledProcessError",
    "WorkflowError:\nAt least one job did not complete successfully",
    "Complete log(s):",
    "Elapsed time:",
    "None",
)


class LogHandler(LogHandlerBase):
    """Prints progress, failures with the end of their log, and a summary with paths."""

    def __post_init__(self) -> None:
        settings = self.common_settings
        quiet = {str(getattr(item, "name", item)).lower() for item in settings.quiet or ()}
        self.watches = not (settings.dryrun or settings.verbose or "all" in quiet)
        self.shows_progress = self.watches and "progress" not in quiet
        self.stream: TextIO = sys.stdout if settings.stdout else sys.stderr
        self.is_terminal = self.stream.isatty()
        self.progress = Progress()
        self._alone = RLock()  # of the thread that handles and the one that ticks
        self._printed_at = 0.0
        self._ended = Event()
        self._closed = False
        self._interrupted = False

    def handle(self, record: LogRecord) -> bool:
        """Look at every record, then print it if that is Snakemake's to say."""
        event = getattr(record, "event", None)
        with self._alone:
            self._interrupted |= str(record.msg).startswith(INTERRUPTED)
            if self.watches and (see := self._seen().get(event)):
                see(record)
            return bool(super().handle(record))

    def emit(self, record: LogRecord) -> None:
        """Print what Snakemake says, unless it is said here in other words."""
        text = self.format(record)
        if self.watches:
            if getattr(record, "event", None) in SAID:
                return
            if record.levelno >= INFO and str(record.msg).startswith(NOISE):
                return
        if text and text != "None":
            self._say(text)

    def close(self) -> None:
        """Print how it ended."""
        self._ended.set()
        if self.progress.total and not self._closed:
            with self._alone:
                # Without progress Snakemake does not say which jobs have succeeded.
                counted = self.shows_progress
                if counted and not self._interrupted:
                    self.progress.give_up()
                if counted or self.progress.failed:
                    self._say(words.ended(self.progress, counted=counted), redraw=False)
        self._closed = True
        super().close()

    def _seen(self) -> dict[LogEvent | None, Callable[[LogRecord], None]]:
        return {
            LogEvent.RUN_INFO: self._planned,
            LogEvent.JOB_STARTED: self._submitted,
            LogEvent.JOB_INFO: self._begun,
            LogEvent.JOB_FINISHED: self._finished,
            LogEvent.JOB_ERROR: self._failed,
            LogEvent.GROUP_ERROR: self._group_failed,
            LogEvent.PROGRESS: self._advanced,
        }

    def _planned(self, record: LogRecord) -> None:
        stats: dict[str, int] = record.stats  # type: ignore[attr-defined]
        self.progress.plan(
            {r: n for r, n in stats.items() if r not in NO_JOBS}, seconds_by_rule()
        )
        if self.shows_progress and self.progress.total:
            self._say(words.begun(self.progress))
            self._printed_at = time.monotonic()
            Thread(target=self._tick, daemon=True).start()

    def _submitted(self, record: LogRecord) -> None:
        self.progress.submit(record.jobs)  # type: ignore[attr-defined]

    def _begun(self, record: LogRecord) -> None:
        job = record.__dict__
        if job["rule_name"] in NO_JOBS:
            return
        name = "/".join(str(value) for _, value in dict(job["wildcards"] or {}).items())
        label = f"{job['rule_name']} {name}".rstrip()
        outputs = [str(path) for path in job["output"] or ()]
        logs = [str(path) for path in job["log"] or ()]
        self.progress.start(job["jobid"], job["rule_name"], label, logs, outputs)

    def _finished(self, record: LogRecord) -> None:
        number: int = record.job_id  # type: ignore[attr-defined]
        if named := RULE.search(str(record.msg)):
            rule = named[1]
        elif number in self.progress.running:
            rule = self.progress.running[number].rule
        else:
            return
        if rule not in NO_JOBS:
            self.progress.finish(number, rule)

    def _advanced(self, _record: LogRecord) -> None:
        """A job has ended, or all jobs of a group."""
        self._show(LINE_SECONDS)

    def _failed(self, record: LogRecord) -> None:
        if self._interrupted:  # which is why it failed
            return
        error = record.__dict__
        job = self.progress.fail(error["jobid"], error["rule_name"], error["log"])
        if job:
            reason = str(error["rule_msg"] or "").partition(SEE_LOGS)[0].strip()
            self._say(words.failure(job, str(error["shellcmd"]), reason))

    def _group_failed(self, record: LogRecord) -> None:
        """Jobs that ran elsewhere as one have failed; then it is said of each, too."""
        if self._interrupted:
            return
        error = record.__dict__
        jobs = self.progress.fail_together(
            [(job["jobid"], job["rule_name"], job["log"]) for job in error["job_error_info"]]
        )
        self._say(words.group_failure(jobs, error["aux_logs"]))

    def _tick(self) -> None:
        """Keep the line in a terminal moving; elsewhere show now and then that it goes on."""
        while not self._ended.wait(1.0):
            with self._alone:
                self._show(STILL_SECONDS)

    def _show(self, seconds: float) -> None:
        """Draw the line, in a file if the last one is so many seconds old."""
        if not self.shows_progress or not self.progress.total or self._ended.is_set():
            return
        if self.is_terminal:
            self._draw()
        elif time.monotonic() - self._printed_at >= seconds:
            self._printed_at = time.monotonic()
            self._say(words.line(self.progress))

    def _say(self, text: str, *, redraw: bool = True) -> None:
        self.stream.write(f"{CLEAR if self.is_terminal else ''}{text}\n")
        if redraw and self.is_terminal and self.shows_progress and self.progress.total:
            self._draw()
        self.stream.flush()

    def _draw(self) -> None:
        width = shutil.get_terminal_size().columns - 1
        self.stream.write(CLEAR + words.line(self.progress)[:width])
        self.stream.flush()

    @property
    def writes_to_stream(self) -> bool:
        """It takes the place of Snakemake's own output."""
        return True

    @property
    def writes_to_file(self) -> bool:
        """Nothing of it goes to a file of its own."""
        return False

    @property
    def has_filter(self) -> bool:
        """Snakemake's filter holds for what Snakemake says."""
        return False

    @property
    def has_formatter(self) -> bool:
        """Snakemake's formatter, likewise."""
        return False

    @property
    def needs_rulegraph(self) -> bool:
        """Counts are enough."""
        return False
