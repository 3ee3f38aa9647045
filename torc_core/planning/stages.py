"""The execution plan: what starts at once, and what becomes ready when which jobs end. No clock, no machine."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from torc_core.planning.groups import common_name, group_names
from torc_core.planning.links import Links
from torc_core.planning.needs import needs_of
from torc_core.planning.schedule import Step
from torc_core.spec.plan import Plan
from torc_core.units import HOUR, counted, human_duration

EVENT_COLUMNS = ("Level", "Times", "After", "Becomes ready", "Jobs", "Then")
_SHOWN = 3
_LEAST_PREFIX = 3  # shorter common beginnings of names say nothing


class Allocation(NamedTuple):
    """Nodes that are asked for at an event, and the names of the jobs that they are meant for."""

    scheduler: str
    scheduler_type: str
    num_allocations: int
    job_names: list[str]


class Event:
    """Jobs that become ready together. Jobs are positions in the plan, events are positions in ``Stages.events``."""

    __slots__ = ("after", "allocations", "commands", "depends_on", "id", "jobs", "level", "unlocks")

    def __init__(self, level: int, after: tuple[int, ...], jobs: list[int]) -> None:
        self.id = ""
        self.level = level
        self.after = after  # the jobs that must have ended; empty: the workflow starts
        self.jobs = jobs
        self.depends_on: list[int] = []
        self.unlocks: list[int] = []
        self.allocations: list[Allocation] = []
        self.commands: list[str] = []


class Stages:
    """The execution plan of a workflow; events are in an order in which they can happen."""

    def __init__(self, plan: Plan) -> None:
        links = Links(plan.jobs)
        needs = needs_of(plan)
        self.workflow_name: str = plan.workflow.get("name", "")
        self.names = [job.name for job in plan.jobs]
        self.groups = group_names(plan.jobs)
        self.events, self.other_actions = _events(plan, links, self.names)
        self.widths = _widths(links)
        self.independent_parts = _count_parts(links, len(plan.jobs))
        self.cpu_seconds = sum(needs[job.requirements].cpus * needs[job.requirements].runtime_s for job in plan.jobs)
        seconds = [float(needs[job.requirements].runtime_s) for job in plan.jobs]
        self.longest_chain = [Step(self.names[job], seconds[job]) for job in links.longest_chain(seconds)]

    @property
    def longest_seconds(self) -> float:
        """The declared run time of the longest chain."""
        return sum(step.seconds for step in self.longest_chain)

    def as_json(self, source: str = "spec_file", workflow_id: int | None = None) -> dict[str, Any]:
        """Return the plan as the command line prints it; ``source`` is ``spec_file`` or ``database``."""
        events, ids = self.events, [event.id for event in self.events]
        return {
            "status": "success",
            "source": source,
            **({} if workflow_id is None else {"workflow_id": workflow_id}),
            "workflow_name": self.workflow_name,
            "total_events": len(events),
            "total_jobs": len(self.names),
            "root_events": [event.id for event in events if not event.depends_on],
            "leaf_events": [event.id for event in events if not event.unlocks],
            "independent_parts": self.independent_parts,
            "level_widths": self.widths,
            "cpu_hours": round(self.cpu_seconds / HOUR, 6),
            "longest_chain": {
                "seconds": self.longest_seconds, "jobs": [step._asdict() for step in self.longest_chain],
            },
            "events": [self._event_json(event, ids) for event in events],
            "other_actions": self.other_actions,
        }  # fmt: skip

    def _event_json(self, event: Event, ids: list[str]) -> dict[str, Any]:
        names = self.names
        trigger: dict[str, Any] = {"type": "WorkflowStart"}
        if event.after:
            trigger = {"type": "JobsComplete", "data": {"jobs": [names[job] for job in event.after]}}
        return {
            "id": event.id,
            "trigger": trigger,
            "trigger_description": self._description(event),
            "level": event.level,
            "scheduler_allocations": [allocation._asdict() for allocation in event.allocations],
            "commands": event.commands,
            "jobs_becoming_ready": [names[job] for job in event.jobs],
            "depends_on_events": [ids[other] for other in event.depends_on],
            "unlocks_events": [ids[other] for other in event.unlocks],
        }

    def _description(self, event: Event) -> str:
        if not event.after:
            return "the workflow starts"
        return f"{self._shown(event.after)} {'completes' if len(event.after) == 1 else 'complete'}"

    def rows(self) -> list[tuple[Any, ...]]:
        """Return rows under ``EVENT_COLUMNS``; events alike but for the numbers in their names are one row."""
        alike: dict[tuple[Any, ...], list[Event]] = {}
        for event in self.events:
            what = (self._kinds(event.after), self._kinds(event.jobs))
            key = (*what, event.id) if event.allocations or event.commands else what
            alike.setdefault(key, []).append(event)
        return [self._row(events) for events in alike.values()]

    def _kinds(self, jobs: Sequence[int]) -> frozenset[str]:
        return frozenset(self.groups[job] for job in jobs)

    def _row(self, events: list[Event]) -> tuple[Any, ...]:
        first = events[0]
        jobs = [job for event in events for job in event.jobs]
        if len(events) == 1:
            after = self._shown(first.after) if first.after else "(start)"
            ready = self._shown(first.jobs)
        else:
            after, ready = (self._each(lists) for lists in ([e.after for e in events], [e.jobs for e in events]))
        levels = f"{first.level} to {events[-1].level}" if events[-1].level > first.level else first.level
        return levels, len(events), after, ready or None, len(jobs), _then(first) or None

    def _shown(self, jobs: Sequence[int]) -> str:
        """Write a few names out; of more, write the groups with their sizes."""
        if len(jobs) <= _SHOWN:
            return ", ".join(self.names[job] for job in jobs)
        sizes: dict[str, int] = {}
        for job in jobs:
            sizes[self.groups[job]] = sizes.get(self.groups[job], 0) + 1
        texts = [f"{group} ({size:,} jobs)" if size > 1 else group for group, size in sizes.items()]
        if len(texts) > _SHOWN:
            texts = [*texts[:_SHOWN], counted(len(texts) - _SHOWN, "more group")]
        return ", ".join(texts)

    def _each(self, lists: Sequence[Sequence[int]]) -> str:
        """Write what each of several events has, by groups."""
        kinds = list(dict.fromkeys(self.groups[job] for jobs in lists for job in jobs))
        text = ", ".join(kinds[:_SHOWN]) + (
            f", {counted(len(kinds) - _SHOWN, 'more group')}" if len(kinds) > _SHOWN else ""
        )
        sizes = sorted({len(jobs) for jobs in lists})
        count = counted(sizes[0], "job") if len(sizes) == 1 else f"{sizes[0]:,} to {sizes[-1]:,} jobs"
        return f"{text} ({count} each)"

    def summary(self) -> list[tuple[str, str]]:
        """Return what matters about the whole as pairs of a label and a text."""
        lines = [
            ("Jobs", f"{len(self.names):,}"),
            ("Events", f"{len(self.events):,}"),
            ("Levels", f"{len(self.widths):,}"),
            ("Widest level", counted(max(self.widths, default=0), "job")),
            ("CPU time", f"{self.cpu_seconds / HOUR:,.2f} CPU hours declared"),
            ("Longest chain", f"{human_duration(self.longest_seconds)} in {counted(len(self.longest_chain), 'job')}"),
        ]
        if self.independent_parts > 1:
            lines.insert(1, ("Independent parts", f"{self.independent_parts:,}"))
        return lines


def _then(event: Event) -> str:
    parts = [f"{counted(a.num_allocations, 'allocation')} of {a.scheduler}" for a in event.allocations]
    parts += [f"run: {command}" for command in event.commands]
    return "; ".join(parts)


def _events(plan: Plan, links: Links, names: list[str]) -> tuple[list[Event], list[dict[str, Any]]]:
    """Return the events in order, with what actions add, and the actions that belong to no event."""
    events = [
        Event(level, after, jobs)
        for level, after, jobs in zip(links.levels, links.waits_for, links.members, strict=True)
    ]
    others = _add_actions(plan, links, events)
    events.sort(key=lambda event: event.level)  # stable, so that only what actions added moves
    _connect(events, len(names))
    _name(events, names)
    return events, others


def _add_actions(plan: Plan, links: Links, events: list[Event]) -> list[dict[str, Any]]:
    others = []
    by_after = {event.after: event for event in events}
    for action in plan.actions:
        trigger, jobs = action["trigger_type"], action.get("jobs") or []
        event = None
        if trigger == "on_workflow_start":
            event = by_after.get(())
        elif trigger == "on_jobs_ready" and jobs:  # due when the last of them is
            event = events[max(links.group_of[job] for job in jobs)]
        elif trigger == "on_jobs_complete" and jobs:
            after = tuple(sorted(jobs))
            event = by_after.get(after)
            if event is None:
                level = 1 + max(links.levels[links.group_of[job]] for job in jobs)
                event = by_after[after] = Event(level, after, [])
                events.append(event)
        if event is None:
            others.append(_action_json(plan, action))
        elif action["action_type"] == "run_commands":
            event.commands += action.get("commands") or []
        else:
            event.allocations.append(_allocation(plan, action, jobs or event.jobs))
    return others


def _allocation(plan: Plan, action: dict[str, Any], jobs: Sequence[int]) -> Allocation:
    scheduler = action.get("scheduler")
    mine = [job.name for job in plan.jobs if job.scheduler == scheduler] if scheduler is not None else []
    return Allocation(
        _scheduler_name(plan, scheduler),
        action.get("scheduler_type") or "",
        action.get("num_allocations", 1),
        [plan.jobs[job].name for job in jobs] if action.get("jobs") or not mine else mine,
    )


def _scheduler_name(plan: Plan, scheduler: int | None) -> str:
    return "" if scheduler is None else plan.schedulers[scheduler].get("name") or ""


def _action_json(plan: Plan, action: dict[str, Any]) -> dict[str, Any]:
    shown = {"trigger_type": action["trigger_type"], "action_type": action["action_type"]}
    if action["action_type"] == "run_commands":
        return {**shown, "commands": action.get("commands") or []}
    allocation = _allocation(plan, action, ())
    return {**shown, "scheduler": allocation.scheduler, "num_allocations": allocation.num_allocations}


def _connect(events: list[Event], job_count: int) -> None:
    event_of = [0] * job_count
    for number, event in enumerate(events):
        for job in event.jobs:
            event_of[job] = number
    for number, event in enumerate(events):
        event.depends_on = sorted({event_of[job] for job in event.after})
        for other in event.depends_on:
            events[other].unlocks.append(number)


def _name(events: list[Event], names: list[str]) -> None:
    """Name events by what they wait for; a name that was given before gets a number."""
    taken: set[str] = set()
    next_number: dict[str, int] = {}
    for event in events:
        name = wanted = _event_name([names[job] for job in event.after])
        while name in taken:
            next_number[wanted] = next_number.get(wanted, 1) + 1
            name = f"{wanted}_{next_number[wanted]}"
        taken.add(name)
        event.id = name


def _event_name(after: list[str]) -> str:
    if not after:
        return "start"
    if len(after) == 1:
        return f"after_{after[0]}"
    prefix = common_name(after)
    return f"after_{prefix}_jobs" if len(prefix) >= _LEAST_PREFIX else f"after_{after[0]}_and_{len(after) - 1}_more"


def _widths(links: Links) -> list[int]:
    widths = [0] * (max(links.levels, default=-1) + 1)
    for level, members in zip(links.levels, links.members, strict=True):
        widths[level] += len(members)
    return widths


def _count_parts(links: Links, job_count: int) -> int:
    """Count the parts of the workflow that have nothing to do with each other."""
    above = list(range(job_count))

    def top(job: int) -> int:
        while above[job] != job:
            above[job] = above[above[job]]
            job = above[job]
        return job

    for waits_for, members in zip(links.waits_for, links.members, strict=True):
        if waits_for:
            first = top(members[0])
            for job in (*waits_for, *members):
                above[top(job)] = first
    return sum(above[job] == job for job in range(job_count))
