"""What is decided about an attempt that failed."""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, NamedTuple, Self

if TYPE_CHECKING:
    from torc_core.records.answers import FinishedJob, JobLaunch

Classify = Callable[["JobLaunch", "FinishedJob", int, Mapping[str, str]], "Decision | None"]
"""Takes job, result, attempt and log files by stream, and returns a decision or None; raises PluginError."""
LONGEST_DELAY_SECONDS = 30 * 86_400.0
"""No retry waits longer, whatever a rule or a plugin says."""


class Verdict(enum.StrEnum):
    """What becomes of the job."""

    RETRY = "retry"  # it runs again, with the next attempt number
    FAIL = "fail"  # it has failed
    ASK = "ask"  # it waits, as pending_failed, until somebody decides


class Decision(NamedTuple):
    """A verdict with its reason; delay and script belong to a retry."""

    verdict: Verdict
    reason: str = ""  # for people
    delay_seconds: float = 0.0  # before the job may run again
    recovery_script: str | None = None  # a shell command that runs before that

    def check(self) -> Self:
        """Return itself; raises ValueError for what cannot be done."""
        delay, script = self.delay_seconds, self.recovery_script
        if not isinstance(self.verdict, Verdict):
            raise ValueError(f"the verdict is {self.verdict!r}, expected one of {', '.join(map(str, Verdict))}")
        if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= LONGEST_DELAY_SECONDS:
            raise ValueError(f"delay_seconds is {delay!r}, expected 0 to {LONGEST_DELAY_SECONDS:.0f}")
        if not isinstance(self.reason, str) or not (script is None or isinstance(script, str)):
            raise ValueError(f"reason and recovery_script are text, not {self.reason!r} and {script!r}")
        return self

    @classmethod
    def retry(cls, reason: str = "", *, delay_seconds: float = 0.0, recovery_script: str | None = None) -> Self:
        """Run the job again, after the script has ended and the delay is over."""
        return cls(Verdict.RETRY, reason, delay_seconds, recovery_script)

    @classmethod
    def fail(cls, reason: str = "") -> Self:
        """Let it have failed: what waits for it moves on or is canceled."""
        return cls(Verdict.FAIL, reason)

    @classmethod
    def ask(cls, reason: str = "") -> Self:
        """Leave it to a person or a program: see ``torc jobs resolve``."""
        return cls(Verdict.ASK, reason)
