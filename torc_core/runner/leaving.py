"""When a runner without work leaves, and what it says about what is left."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from torc_core.errors import StorageError, Unavailable
from torc_core.records.resources import Workflow
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.runner.capacity import Capacity
    from torc_core.runner.limits import RunnerTime
    from torc_core.runner.options import RunnerOptions
    from torc_core.runner.turns import Turns
    from torc_core.runner.voice import Voice
    from torc_core.service.api import Service


class Leaving:
    """Watches how long there has been nothing to do; times are monotonic."""

    def __init__(
        self,
        service: Service,
        workflow: Workflow,
        options: RunnerOptions,
        turns: Turns,
        capacity: Capacity,
        time: RunnerTime | None,
        voice: Voice,
        recover: Callable[[], None],
    ) -> None:
        """``recover`` takes over from runners that died here: what they held may be work for this one."""
        self._service = service
        self._workflow = workflow
        self._options = options
        self._turns = turns
        self._capacity = capacity
        self._time = time
        self._voice = voice
        self._recover = recover
        self._seconds = options.idle_seconds
        if self._seconds is None:
            self._seconds = workflow.compute_node_wait_for_new_jobs_seconds
        self._since: float | None = None
        self._has_looked = False
        self.stuck: str | None = None
        """Why ready jobs cannot run here."""

    def has_work(self) -> None:
        """Begin to count anew when there is nothing to do."""
        self._since = None

    def next_at(self) -> float | None:
        """Return when the time without work is over."""
        return None if self._since is None or not self._seconds else self._since + self._seconds

    def is_due(self, now: float) -> bool:
        """Say whether to leave, there being nothing to do."""
        if self._since is None:
            self._since = now
            self._has_looked = False
            self._recover()
            self._turns.has_news = True
            return False
        if not self._has_looked:
            try:
                if self._has_nobody_to_wait_for(now):
                    return True
            except (Unavailable, StorageError):
                self._turns.has_news = True  # the next turn finds out, and deals with it
                return False
            self._has_looked = True
        if not self._seconds or now - self._since < self._seconds:
            return False
        if self._options.persistent and self._turns.unfinished:
            return False
        if not self._turns.is_complete:
            self._voice.tell(f"leaving after {self._seconds:g} s without work; {self._left()}")
        return True

    def _has_nobody_to_wait_for(self, now: float) -> bool:
        self._look_whether_stuck(now)
        if not self._is_alone():
            return False
        self.stuck = self.stuck or self._why_blocked()
        self._voice.tell(f"leaving: nothing more can run here, and nobody else is at work; {self._left()}")
        return True

    def _look_whether_stuck(self, now: float) -> None:
        """Find out why ready jobs are not given to a runner on which nothing runs."""
        self.stuck = None
        if self._turns.ready:
            left = None if self._time is None else self._time.end_at - now
            from torc_core.runner.stuck import explain

            self.stuck = explain(self._service, self._workflow.id, self._capacity, self._options, left)
        if self.stuck:
            self._voice.say(f"{counted(self._turns.ready, 'ready job')}, but none can run here: {self.stuck}", "WARN")

    def _is_alone(self) -> bool:
        """Whether no other runner could free jobs for this one; who says how long to wait is waited for anyway."""
        options, workflow = self._options, self._workflow
        usual = Workflow.FIELDS["compute_node_wait_for_new_jobs_seconds"].default
        if options.persistent or options.idle_seconds is not None or self._turns.is_complete:
            return False
        if workflow.compute_node_wait_for_new_jobs_seconds != usual:
            return False
        self._recover()  # a runner that has just died is none, and its jobs can be run here
        summary = self._service.get_workflow_status(workflow.id)
        if summary.is_complete or summary.jobs_by_status["ready"] > self._turns.ready:
            self._turns.has_news = True  # others have ended their jobs since the last turn
            return False
        return summary.active_compute_nodes <= 1

    def _why_blocked(self) -> str | None:
        """Say what the jobs that are left wait for when none of them is ready."""
        counts = self._service.get_workflow_status(self._workflow.id).jobs_by_status
        behind = [f"{counts[name]} {name.replace('_', ' ')}" for name in ("disabled", "pending_failed") if counts[name]]
        if self._turns.ready or not counts["blocked"] or not behind:
            return None
        return f"{counts['blocked']} blocked behind jobs that do not end ({', '.join(behind)})"

    def _left(self) -> str:
        count = self._turns.unfinished
        return f"{counted(count, 'job')} {'has' if count == 1 else 'have'} not ended"
