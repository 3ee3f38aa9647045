"""``torc watch --auto-schedule``: ask for nodes while jobs wait that nobody will run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

from torc_core.cli.amounts import Amount
from torc_core.cli.asking import Asking, Wanted, request_options
from torc_core.records.resources import Job
from torc_core.status import IS_COMPLETE, JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.records.answers import StatusSummary
    from torc_core.service.api import Service

F = TypeVar("F", bound=Callable[..., Any])
_OPTIONS = (
    click.option("--auto-schedule", is_flag=True,
        help="Ask for nodes when jobs wait to run again, or when jobs wait and nobody works on them."),
    click.option("--auto-schedule-threshold", type=click.IntRange(1), default=5, metavar="N",
        help="While somebody works: when so many wait to run again (5)."),
    click.option("--auto-schedule-cooldown", type=Amount(min=0), default=1800.0, metavar="SECONDS",
        help="Least time between requests (1800); shorter when jobs have ended since and nobody works any more."),
    click.option("--auto-schedule-stranded-timeout", type=Amount(min=0), default=7200.0, metavar="SECONDS",
        help="While somebody works: when fewer have waited for so long (7200); 0: never."),
)  # fmt: skip


def auto_schedule_options(function: F) -> F:
    """Add the options; the command hands them all to ``AutoSchedule.of``."""
    function = request_options(function)
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


class Rules(NamedTuple):
    """When to ask; times in seconds."""

    threshold: int = 5
    cooldown: float = 1800.0
    stranded_timeout: float = 7200.0


class AutoSchedule:
    """Asks for nodes of one workflow when it is time to; times are monotonic."""

    def __init__(
        self, service: Service, workflow_id: int, rules: Rules, ask: Callable[[int], bool], say: Callable[[str], None]
    ) -> None:
        """``ask`` asks for nodes for so many jobs, and says whether it got some."""
        self._service, self._id, self._rules = service, workflow_id, rules
        self._ask, self._say = ask, say
        self._asked_at: float | None = None
        self._ended = 0  # jobs, when nodes were asked for
        self._since: float | None = None  # when jobs began to wait to run again

    @classmethod
    def of(
        cls, app: App, workflow_id: int, given: dict[str, Any], output_dir: str | None, say: Callable[[str, str], None]
    ) -> AutoSchedule | None:
        """Read the options, taking them out of ``given``; None without --auto-schedule.

        Raises NotFound or Invalid when it cannot be told what to ask for, or nobody can be asked.
        """
        wanted = Wanted(**{name: given.pop(name) for name in Wanted._fields})
        is_wanted = given.pop("auto_schedule")
        rules = Rules(**{name: given.pop(f"auto_schedule_{name}") for name in Rules._fields})
        if not is_wanted:
            return None
        service = app.service()
        request = wanted.request_like_before(service, workflow_id)
        asking = Asking(app, workflow_id, output_dir)
        asking.check(request)

        def ask(jobs: int) -> bool:
            made, trouble = asking.ask({**request, "num_allocations": min(jobs, request["num_allocations"])})
            if made:
                say("INFO", f"Asked {request['scheduler_type']} for {counted(len(made), 'allocation')}")
            if trouble is not None:
                say("ERROR", f"No nodes could be had: {trouble}")
            return bool(made)

        return cls(service, workflow_id, rules, ask, lambda text: say("INFO", text))

    def look(self, summary: StatusSummary, now: float) -> bool:
        """Ask when it is time to; returns whether nodes were asked for."""
        if summary.is_complete or summary.is_canceled or not summary.jobs_by_status["ready"]:
            self._since = None
            return False
        has_workers = summary.active_compute_nodes or summary.active_scheduled_nodes or summary.pending_scheduled_nodes
        count = self._waiting(again=bool(has_workers))
        self._since = None if not count else self._since if self._since is not None else now
        if not count or not (self._is_time(count, now) if has_workers else self._may_go_on(summary, now)):
            return False
        verb = "waits" if count == 1 else "wait"
        why = "to run again" if has_workers else "for a runner, and there is none"
        self._say(f"{counted(count, 'job')} {verb} {why}")
        self._asked_at, self._since, self._ended = now, now, _ended(summary)
        return self._ask(count)

    def _waiting(self, *, again: bool) -> int:
        """Count the jobs that any runner could take; ``again``: only those that were tried or added meanwhile."""
        asked = {"origin_is_set": True} if again else {}
        return sum(not job.labels for job in self._service.each(Job, self._id, status=JobStatus.READY, **asked))

    def _has_cooled_down(self, now: float) -> bool:
        return self._asked_at is None or now - self._asked_at >= self._rules.cooldown

    def _is_time(self, count: int, now: float) -> bool:
        """Whether to ask for more nodes than there are."""
        if not self._has_cooled_down(now):
            return False
        timeout, since = self._rules.stranded_timeout, self._since
        return count >= self._rules.threshold or (bool(timeout) and since is not None and now - since >= timeout)

    def _may_go_on(self, summary: StatusSummary, now: float) -> bool:
        """Whether to ask when nobody works: not again and again for nodes on which nothing ends."""
        return self._has_cooled_down(now) or _ended(summary) > self._ended


def _ended(summary: StatusSummary) -> int:
    return sum(count for name, count in summary.jobs_by_status.items() if IS_COMPLETE[JobStatus(name).number])
