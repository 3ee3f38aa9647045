"""What a run shows on standard error: a line that is kept up to date on a terminal, plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import threading
import time
from types import TracebackType
from typing import TYPE_CHECKING, NamedTuple, Self

from torc_core.cli.app import LEVELS
from torc_core.cli.output import harmless, is_terminal, write
from torc_core.units import counted, human_duration

if TYPE_CHECKING:
    from torc_core.records.answers import FinishedJob, JobLaunch, StatusSummary
    from torc_core.runner.options import Counts
    from torc_core.runner.progress import Progress

_REDRAW_SECONDS = 0.1
_CLOCK_SECONDS = 1.0  # the time left is counted down at least so often
_LINE_SECONDS = 30.0
_WIDTH = 30
_ERASE = "\r\x1b[K"
_UNENDED = ("uninitialized", "blocked", "ready", "pending", "running", "pending_failed")


class Standing(NamedTuple):
    """How far a workflow is, and how fast; ``seconds`` since this runner began."""

    total: int
    before: int  # had ended when this runner began
    done: int
    running: int
    failed: int  # here
    seconds: float

    def text(self) -> str:
        """Write it for people: ``3/7 done, 2 running, 1 failed, 2.0/s, 2.0s left``."""
        rate = (self.done - self.before) / self.seconds if self.seconds > 0 else 0.0
        parts = [f"{self.done}/{self.total} done", f"{self.running} running"]
        if self.failed:
            parts.append(f"{self.failed} failed")
        if rate:
            parts.append(f"{rate:.1f}/s" if rate >= 0.1 else f"{rate * 60:.1f}/min")
            if self.done < self.total:
                parts.append(f"{human_duration((self.total - self.done) / rate)} left")
        return ", ".join(parts)

    def bar(self) -> str:
        """Draw it."""
        share = self.done / self.total if self.total else 1.0
        return f"[{'#' * int(share * _WIDTH):{_WIDTH}}]"


class Failure(NamedTuple):
    """The last end of a job that did not succeed here."""

    job: JobLaunch
    end: FinishedJob


class Display:
    """Shows the progress of one runner and remembers which of its jobs did not succeed.

    Lines come from the runner's thread; the line that moves is drawn by a thread of its own, so that no job waits for
    a terminal. ``level`` is that of the log.
    """

    def __init__(self, level: str, before: StatusSummary) -> None:
        counts = before.jobs_by_status
        self._total = sum(counts.values()) - counts["disabled"]
        self._before = self._total - sum(counts[name] for name in _UNENDED)
        self._level = LEVELS.index(level)
        self._is_live = self._says("info") and is_terminal(sys.stderr) and os.environ.get("TERM") != "dumb"
        self._began = time.monotonic()
        self._counts: Counts | None = None
        self._is_complete = False
        self._lock = threading.Lock()
        self._drawn = ""
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.failures: dict[int, Failure] = {}

    def _says(self, level: str) -> bool:
        return self._level >= LEVELS.index(level)

    def __enter__(self) -> Self:
        """Say what begins."""
        done = f"; {self._before:,} ended before" if self._before else ""
        self._lines("info", f"Running {self._total - self._before:,} of {counted(self._total, 'job')}{done}")
        if self._says("info"):
            self._thread = threading.Thread(target=self._keep_up, name="display", daemon=True)
            self._thread.start()
        return self

    def show(self, progress: Progress) -> None:
        """Take the news of one wake-up."""
        self._counts = progress.counts
        for job, end in progress.finished:
            self._note_end(job, end)
        if self._says("debug"):
            for job in progress.started:
                self._lines("debug", f"job_id={job.id} name={job.name} started attempt={job.attempt_id}")
        if progress.message:
            self._lines("info", progress.message)

    def _note_end(self, job: JobLaunch, end: FinishedJob) -> None:
        has_failed = end.return_code != 0 or end.status.value != "completed"
        if has_failed:
            self.failures[job.id] = Failure(job, end)
        else:
            self.failures.pop(job.id, None)
        if has_failed or self._says("debug"):
            from torc_core.runner.progress import is_retried

            why = f" ({end.reason})" if end.reason else ""
            text = f"job_id={job.id} name={job.name} {end.status} return_code={end.return_code}{why}"
            if is_retried(end):
                delay = end.retry_delay_seconds
                text += f"; tried again{f' in {human_duration(delay)}' if delay else ''}"
            self._lines("warn" if has_failed else "debug", text)

    def end(self, *, is_complete: bool) -> None:
        """Be told how the run ended, so that the last line shows it."""
        self._is_complete = is_complete

    def _lines(self, level: str, text: str) -> None:
        """Print a line above the one that moves."""
        if self._says(level):
            with self._lock:
                erase = _ERASE if self._drawn else ""
                write(f"{erase}{harmless(text)}\n{self._drawn}", err=True)

    def _keep_up(self) -> None:
        told_at, told = self._began, None
        while not self._ended.wait(_REDRAW_SECONDS if self._is_live else _CLOCK_SECONDS):
            counts, now = self._counts, time.monotonic()
            if counts is None:
                continue
            if self._is_live:
                if counts is not told or now - told_at >= _CLOCK_SECONDS:
                    told_at, told = now, counts
                    self._draw(now)
            elif now - told_at >= _LINE_SECONDS:
                told_at = now
                if counts is not told:
                    told = counts
                    self._lines("info", self._standing(counts, now).text())

    def _draw(self, now: float) -> None:
        """Draw the line anew, in one piece and over the old one, so that nothing flickers."""
        if self._counts is None:
            return
        standing = self._standing(self._counts, now)
        text = f"{standing.bar()} {standing.text()}"[: _columns() - 1]
        with self._lock:
            if text != self._drawn:
                self._drawn = text
                write(f"\r{text}\x1b[K", err=True)

    def _standing(self, counts: Counts, now: float) -> Standing:
        here = counts.completed + counts.failed + counts.terminated + counts.canceled
        done = min(self._before + here, self._total)
        if self._is_complete:
            done = self._total
        elif counts.unfinished:  # what the service knows of other runners' jobs; 0 until it was asked
            done = max(done, self._total - counts.unfinished)
        failed = counts.failed + counts.terminated
        return Standing(self._total, self._before, done, counts.running, failed, now - self._began)

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Leave the terminal as it was, below the last line."""
        self._ended.set()
        if self._thread is not None:
            self._thread.join()
        if self._is_live:
            self._draw(time.monotonic())
            if self._drawn:
                write("\n", err=True)
                self._drawn = ""


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
