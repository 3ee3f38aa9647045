"""``torc watch --auto-schedule``: ask for nodes while jobs wait that nobody will run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click
from click.core import ParameterSource

from torc_core.cli.amounts import Amount
from torc_core.cli.choosing import Wanted, options_as, request_options
from torc_core.cli.verdicts import has_workers
from torc_core.engine.failures import LOST_CODE
from torc_core.errors import TorcError, UsageError
from torc_core.records.resources import Job, Result
from torc_core.status import JobStatus
from torc_core.units import counted

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.records.allocations import ScheduledComputeNode
    from torc_core.records.answers import StatusSummary
    from torc_core.service.api import Service

F = TypeVar("F", bound=Callable[..., Any])
Say = Callable[[str, str], None]
"""Takes a level and a text."""
_FIRST_DELAY_S = 60.0  # after a request that was refused; then twice as much each time, up to the cool-down
_LATEST = 100  # results that are looked at for one that is no loss
_OPTIONS = (
    click.option("--auto-schedule", is_flag=True,
        help="Ask for nodes when jobs wait to run again, or when jobs wait and nobody works on them."),
    click.option("--auto-schedule-threshold", type=click.IntRange(1), default=5, metavar="N",
        help="While somebody works: when so many wait to run again (5)."),
    click.option("--auto-schedule-cooldown", type=Amount(min=0), default=1800.0, metavar="SECONDS",
        help="Least time between requests (1800), unless jobs have ended since and nobody works any more."),
    click.option("--auto-schedule-stranded-timeout", type=Amount(min=0), default=7200.0, metavar="SECONDS",
        help="While somebody works: when one of them has waited for so long (7200); 0: never."),
)  # fmt: skip


class Rules(NamedTuple):
    """Whether to ask, and when; times in seconds."""

    auto_schedule: bool = True
    auto_schedule_threshold: int = 5
    auto_schedule_cooldown: float = 1800.0
    auto_schedule_stranded_timeout: float = 7200.0


def auto_schedule_options(function: F) -> F:
    """Add the options; the command gets them as ``rules`` and ``wanted``."""
    return request_options(options_as("rules", Rules, _OPTIONS, function))


def refuse_idle_options(rules: Rules) -> None:
    """Raise UsageError for options that mean nothing without --auto-schedule."""
    context = click.get_current_context()
    for name in () if rules.auto_schedule else (*Rules._fields, *Wanted._fields):
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise UsageError(f"--{name.replace('_', '-')} is about nodes to ask for", hint="Add --auto-schedule.")


class AutoSchedule:
    """Asks for nodes of one workflow when it is time to; times are monotonic."""

    def __init__(self, service: Service, workflow_id: int, rules: Rules, ask: Callable[[int], bool], say: Say) -> None:
        """``ask`` asks for nodes for so many jobs, and says whether it got some."""
        self._service, self._id, self._rules = service, workflow_id, rules
        self._ask, self._say = ask, say
        self._free_at = float("-inf")  # the next request may be made
        self._delay = _FIRST_DELAY_S
        self._result = 0  # the newest one, when nodes were asked for
        self._waiting: dict[int, float] = {}  # since when jobs wait to run again

    def look(self, summary: StatusSummary, now: float) -> bool:
        """Ask when it is time to; returns whether nodes were asked for and had."""
        if summary.is_complete or summary.is_canceled or summary.is_archived or not summary.jobs_by_status["ready"]:
            self._waiting.clear()
            return False
        is_staffed = has_workers(summary)
        jobs = self._ready(again=is_staffed)
        self._waiting = {id: self._waiting.get(id, now) for id in jobs} if is_staffed else {}
        if not jobs or not (self._is_time(now) if is_staffed else self._may_go_on(now)):
            return False
        verb = "waits" if len(jobs) == 1 else "wait"
        why = "to run again" if is_staffed else "for a runner, and there is none"
        self._say("INFO", f"{counted(len(jobs), 'job')} {verb} {why}")
        self._result = self._newest_result()
        return self._request(len(jobs), now)

    def patience(self, now: float) -> str:
        """Say when nodes may be asked for again, though nothing ends."""
        return f"in {max(0.0, self._free_at - now):.0f} s, or when a job has ended"

    def _request(self, jobs: int, now: float) -> bool:
        cooldown = self._rules.auto_schedule_cooldown
        if self._ask(jobs):
            self._free_at, self._delay = now + cooldown, _FIRST_DELAY_S
            self._waiting.clear()
            return True
        delay = min(self._delay, cooldown)
        self._free_at, self._delay = now + delay, self._delay * 2
        self._say("INFO", f"Asked again in {delay:.0f} s")
        return False

    def _ready(self, *, again: bool) -> list[int]:
        """Return the jobs that any runner could take; ``again``: only those that were tried or added meanwhile."""
        asked = {"origin_is_set": True} if again else {}
        return [j.id for j in self._service.each(Job, self._id, status=JobStatus.READY, **asked) if not j.labels]

    def _is_time(self, now: float) -> bool:
        """Whether to ask for more nodes than there are."""
        if now < self._free_at:
            return False
        timeout = self._rules.auto_schedule_stranded_timeout
        is_stranded = bool(timeout) and any(now - since >= timeout for since in self._waiting.values())
        return is_stranded or len(self._waiting) >= self._rules.auto_schedule_threshold

    def _may_go_on(self, now: float) -> bool:
        """Whether to ask when nobody works: not again and again for nodes on which nothing ends."""
        return now >= self._free_at or self._newest_result() > self._result

    def _newest_result(self) -> int:
        """Return the id of the newest result of an attempt that was not lost with its runner."""
        page = self._service.find(Result, self._id, limit=_LATEST, sort_by="id", reverse_sort=True, all_runs=True)
        return next((result.id for result in page.items if result.return_code != LOST_CODE), 0)


def auto_schedule(
    app: App, workflow_id: int, rules: Rules, wanted: Wanted, output_dir: str | None, say: Say
) -> AutoSchedule:
    """Return what asks for nodes as the options say; raises TorcError when nobody can be asked."""
    from torc_core.cli.asking import Asking

    service = app.service()
    request = wanted.request_like_before(service, workflow_id)
    asking = Asking(app, workflow_id, output_dir)
    asking.check(request)

    def ask(jobs: int) -> bool:
        made: list[ScheduledComputeNode] = []
        try:
            asking.ask({**request, "num_allocations": min(jobs, request["num_allocations"])}, made.append)
        except TorcError as exc:
            say("ERROR", f"No {'more ' if made else ''}nodes could be had: {exc}")
        if made:
            names = ", ".join(str(node.id) for node in made)
            say("INFO", f"Asked {request['scheduler_type']} for {counted(len(made), 'allocation')}: {names}")
        return bool(made)

    return AutoSchedule(service, workflow_id, rules, ask, say)
