"""What limits jobs and the runner itself: settings of the execution configuration, the end of a runner's time."""

from __future__ import annotations

import signal
from typing import Any, NamedTuple

from torc_core.errors import Invalid

GRACE_AT_CLAIM_SECONDS = 120  # jobs that are at most so much longer than the time left are still taken
_USUAL_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1, signal.SIGUSR2)
_SHARE = 0.1  # of a short time limit, lead and headroom take no more


class Limits(NamedTuple):
    """How strict to be; defaults and names are those of ``execution_config``."""

    limit_resources: bool = True
    sigterm_lead_seconds: float = 30.0
    sigkill_headroom_seconds: float = 60.0
    timeout_exit_code: int = 152
    oom_exit_code: int = 137
    termination_signal: str = "SIGTERM"

    @classmethod
    def of(cls, execution_config: Any) -> Limits:
        """Read the limits; what is missing has its default. Raises Invalid for a signal that there is not."""
        config = execution_config or {}
        found = cls(**{name: config[name] for name in cls._fields if config.get(name) is not None})
        name = found.termination_signal
        if name not in signal.Signals.__members__:
            known = ", ".join(each.name for each in _USUAL_SIGNALS)
            raise Invalid(
                f"execution_config.termination_signal: there is no signal {name!r}", hint=f"Usual ones are {known}."
            )
        return found

    def walltime(self, requirements_name: str, runtime_seconds: int) -> float | None:
        """Return how long a job may run; jobs that named no requirements may run for ever."""
        if not self.limit_resources or requirements_name == "default" or runtime_seconds <= 0:
            return None
        return float(runtime_seconds)

    def memory(self, requirements_name: str, memory_bytes: int) -> int:
        """Return how much memory a job may use, 0 for as much as it likes: jobs that named no requirements."""
        return memory_bytes if self.limit_resources and requirements_name != "default" else 0


class RunnerTime(NamedTuple):
    """The end of a runner's time, on the monotonic clock: SIGTERM at ``stop_at``, SIGKILL ``grace_seconds`` later."""

    end_at: float
    stop_at: float
    grace_seconds: float

    @classmethod
    def of(cls, now: float, time_limit_seconds: float, limits: Limits) -> RunnerTime:
        """Plan the end so that everything is over ``sigkill_headroom_seconds`` before the time is."""
        share = time_limit_seconds * _SHARE
        headroom, lead = min(limits.sigkill_headroom_seconds, share), min(limits.sigterm_lead_seconds, share)
        end_at = now + time_limit_seconds
        return cls(end_at, end_at - headroom - lead, lead)

    def claimable(self, now: float) -> str:
        """Return, as an ISO 8601 duration in whole minutes, how long jobs may be that are claimed now."""
        return f"PT{max(1, int((self.end_at - now + GRACE_AT_CLAIM_SECONDS) // 60))}M"
