"""The live display of a run on a terminal, and plain lines elsewhere."""

from __future__ import annotations

import os
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Self

from torc_core.cli.output import echo
from torc_core.units import human_duration

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.runner.options import Counts
    from torc_core.runner.progress import Progress
    from torc_core.service.api import Service

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 30.0
_WIDTH = 30
_QUIET_LEVELS = ("error", "warn")


class Display:
    """Shows jobs done, running and failed, the rate and the time left; gives what it shows on standard error."""

    def __init__(self, app: App, service: Service, workflow_id: int) -> None:
        counts = service.get_workflow_status(workflow_id).jobs_by_status
        self._total = sum(counts.values()) - counts["disabled"]
        self._before = self._total - sum(
            counts[name] for name in ("uninitialized", "blocked", "ready", "pending", "running", "pending_failed")
        )
        self._is_live = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        level = app.options.get("log_level") or app.config["client.log_level"]
        self._is_quiet = level in _QUIET_LEVELS
        self._is_verbose = level in ("debug", "trace")
        self._began = time.monotonic()
        self._drawn = 0.0
        self._line = self._began
        self._counts: Counts | None = None
        self._is_dirty = False

    def __enter__(self) -> Self:
        """Say what begins."""
        if not self._is_quiet:
            left = self._total - self._before
            done = f"; {self._before} have ended before" if self._before else ""
            echo(f"Running {left} of {self._total} jobs{done}", err=True)
        return self

    def show(self, progress: Progress) -> None:
        """Take the news of one wake-up."""
        self._counts = progress.counts
        for job, end in progress.finished:
            if end.return_code != 0 or self._is_verbose:
                why = f" ({end.reason})" if end.reason else ""
                self._say(f"job_id={job.id} name={job.name} {end.status} return_code={end.return_code}{why}")
        if self._is_verbose:
            for job in progress.started:
                self._say(f"job_id={job.id} name={job.name} started attempt={job.attempt_id}")
        if progress.message:
            self._say(progress.message)
        now = time.monotonic()
        if self._is_live:
            if now - self._drawn >= _REDRAW_SECONDS:
                self._draw(now)
        elif now - self._line >= _LINE_SECONDS:
            self._line = now
            self._say(self._text(now))

    def _say(self, text: str) -> None:
        if not self._is_quiet:
            self._clear()
            echo(text, err=True)

    def _draw(self, now: float) -> None:
        if self._is_quiet:
            return
        self._drawn = now
        columns = _columns()
        sys.stderr.write(f"\r\x1b[2K{self._text(now)[: columns - 1]}")
        sys.stderr.flush()
        self._is_dirty = True

    def _clear(self) -> None:
        if self._is_dirty:
            sys.stderr.write("\r\x1b[2K")
            self._is_dirty = False

    def _text(self, now: float) -> str:
        counts = self._counts
        if counts is None:
            return ""
        here = counts.completed + counts.failed + counts.terminated + counts.canceled
        done = max(self._total - counts.unfinished, here + self._before)
        share = done / self._total if self._total else 1.0
        bar = "#" * int(share * _WIDTH)
        spent = now - self._began
        rate = here / spent if spent > 0 else 0.0
        bad = counts.failed + counts.terminated
        left = f", {human_duration((self._total - done) / rate)} left" if rate and done < self._total else ""
        failed = f", {bad} failed" if bad else ""
        return f"[{bar:{_WIDTH}}] {done}/{self._total} done, {counts.running} running{failed}, {rate:.1f}/s{left}"

    def __exit__(self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None) -> None:
        """Leave the terminal as it was."""
        if self._is_live and self._counts is not None:
            self._draw(time.monotonic())
        if self._is_dirty:
            sys.stderr.write("\n")
            self._is_dirty = False


def _columns() -> int:
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns or 80
    except OSError:
        return 80
