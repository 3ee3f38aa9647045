"""Play a plan against a virtual clock, with the decisions of a real run: what is claimed when, and what it frees."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple, Protocol

from torc_core.contracts.executor import Handle, LaunchRequest, Observation, SubmitError, command_of
from torc_core.engine import transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.lanes import Lane
from torc_core.errors import Invalid
from torc_core.planning.groups import group_names
from torc_core.planning.links import Links
from torc_core.planning.machine import Machine
from torc_core.planning.needs import Capacity, lane_of, needs_of
from torc_core.planning.schedule import Entry, Schedule, Step
from torc_core.planning.unstarted import why_unstarted
from torc_core.spec.plan import Plan, PlannedJob
from torc_core.status import COMPLETED, FAILED


class VirtualExecutor(Protocol):
    """An executor whose ``ended`` moves the clock to the next end."""

    @property
    def now(self) -> float:
        """The virtual time, in seconds."""

    def submit(self, requests: Sequence[LaunchRequest]) -> list[Handle | SubmitError]:
        """Note starts at the present time."""

    def ended(self) -> list[tuple[Handle, Observation]]:
        """Move the clock to the next end and return what ends then; nothing when nothing runs."""


class _Start(NamedTuple):
    position: int
    number: int  # in the order of starts, once it is accepted
    at_s: float
    row: int
    gpu_ids: tuple[str, ...]


def play(plan: Plan, capacity: Capacity, executor: VirtualExecutor) -> Schedule:
    """Return what a run of ``plan`` by one runner with ``capacity`` would look like; jobs take their declared time.

    Raises Invalid for a runner that could not start anything.
    """
    if capacity.max_parallel_jobs is not None and capacity.max_parallel_jobs < 1:
        raise Invalid(f"a runner needs at least one slot, found {capacity.max_parallel_jobs}")
    if capacity.max_parallel_jobs is None and capacity.cpus < 1:
        raise Invalid(f"a runner needs at least one CPU, found {capacity.cpus}")
    run = _Run(plan, capacity, executor)
    run.play()
    return run.schedule()


def launch_requests(plan: Plan) -> Iterator[LaunchRequest]:
    """Return what would be started for each job, in the order of the plan.

    Of the environment only what the plan says is there; streams and directory are chosen when a run begins.
    """
    needs = needs_of(plan)
    shared: dict[str, str] = plan.workflow.get("env") or {}
    for position, job in enumerate(plan.jobs):
        wanted = needs[job.requirements]
        yield LaunchRequest(
            key=f"{position + 1}-1",
            name=job.name,
            command=command_of(job.command, job.invocation_script),
            env={**shared, **job.env} if job.env else shared,
            stdout=None,
            stderr=None,
            cpus=wanted.cpus,
            memory_bytes=wanted.memory_bytes,
            nodes=wanted.nodes,
            walltime_seconds=float(wanted.runtime_s),
            supports_termination=job.supports_termination,
        )


class _Run:
    """One run on the virtual clock."""

    def __init__(self, plan: Plan, capacity: Capacity, executor: VirtualExecutor) -> None:
        self._plan = plan
        self._capacity = capacity
        self._executor = executor
        needs = needs_of(plan)
        self._needs = [needs[job.requirements] for job in plan.jobs]
        self._lanes = _lanes(plan)
        self._graph = build_graph(_columns(plan.jobs, self._lanes))
        self._machine = Machine(capacity)
        self._requests = list(launch_requests(plan))
        self._running: dict[Handle, _Start] = {}
        self._starts: list[_Start] = []
        self._ends: list[float] = []
        self._troubles: dict[int, str] = {}

    def play(self) -> None:
        """Go on until nothing moves."""
        transitions.initialize(self._graph)
        while True:
            if not self._start_what_fits() and not self._end_next():
                return

    def _start_what_fits(self) -> bool:
        """Claim and submit; return whether another claim may give more at once."""
        machine = self._machine
        if machine.is_full():
            return False
        limit, room = machine.claim()
        nodes = transitions.claim(self._graph, limit, room).claimed
        if not nodes:
            return False
        transitions.start(self._graph, nodes)
        now = self._executor.now
        starts: list[_Start] = []
        requests = []
        for job_id in self._graph.job_ids(nodes):
            position = job_id - 1
            row, gpu_ids = machine.take(self._needs[position])
            starts.append(_Start(position, -1, now, row, gpu_ids))
            request = self._requests[position]
            requests.append(request._replace(gpu_ids=gpu_ids) if gpu_ids else request)
        refused = []
        for start, answer in zip(starts, self._executor.submit(requests), strict=True):
            if isinstance(answer, SubmitError):
                machine.give(self._needs[start.position], start.row, start.gpu_ids)
                self._troubles[start.position] = f"cannot be started: {answer.message}"
                refused.append((start.position, FAILED))
            else:
                start = start._replace(number=len(self._starts))
                self._starts.append(start)
                self._running[answer] = start
        self._ends += [now] * (len(self._starts) - len(self._ends))
        machine.note(now)
        self._complete(refused)
        return bool(refused) or len(nodes) == limit

    def _end_next(self) -> bool:
        """Move the clock; return whether anything has ended."""
        ended = self._executor.ended()
        over = []
        for handle, seen in ended:
            start = self._running.pop(handle)
            position = start.position
            self._ends[start.number] = self._executor.now
            self._machine.give(self._needs[position], start.row, start.gpu_ids)
            if seen.exit_code == 0:
                over.append((position, COMPLETED))
            else:
                self._troubles[position] = f"fails with exit code {seen.exit_code}"
                over.append((position, FAILED))
        self._complete(over)
        return bool(ended)

    def _complete(self, over: Sequence[tuple[int, int]]) -> None:
        if not over:
            return
        node = self._graph.node
        transitions.complete(self._graph, [(node(position + 1), status) for position, status in over])

    def schedule(self) -> Schedule:
        """Return what was noted."""
        jobs = self._plan.jobs
        names = [job.name for job in jobs]
        groups = group_names(jobs)
        entries = [
            Entry(at, names[at], groups[at], start_s, end_s, row, gpu_ids, self._needs[at])
            for (at, _, start_s, row, gpu_ids), end_s in zip(self._starts, self._ends, strict=True)
        ]
        took = [0.0] * len(jobs)
        started = bytearray(len(jobs))
        for entry in entries:
            started[entry.position] = 1
            took[entry.position] = entry.end_s - entry.start_s
        links = Links(jobs)
        path = [Step(names[job], took[job]) for job in links.longest_chain(took) if started[job]]
        unstarted = why_unstarted(names, self._lanes, self._capacity, links, started, self._troubles)
        return Schedule(self._capacity, entries, self._machine.peaks(), path, unstarted)


def _lanes(plan: Plan) -> list[Lane]:
    """Return the lane of each job; equal ones are one object."""
    needs = needs_of(plan)
    known: dict[tuple[int, int, int, tuple[str, ...]], Lane] = {}
    lanes = []
    for job in plan.jobs:
        key = (job.requirements, job.priority, job.scheduler, job.labels)
        lane = known.get(key)
        if lane is None:
            lane = known[key] = lane_of(job, needs[job.requirements])
        lanes.append(lane)
    return lanes


def _columns(jobs: Sequence[PlannedJob], lanes: list[Lane]) -> JobColumns:
    """Return the graph's input: ids are positions + 1, so that none is 0."""
    return JobColumns(
        list(range(1, len(jobs) + 1)),
        bytes(len(jobs)),
        lanes,
        bytes(job.cancel_on_failure for job in jobs),
        _ids([job.depends_on for job in jobs]),
        [job.inputs for job in jobs],
        [job.outputs for job in jobs],
        [job.data_inputs for job in jobs],
        [job.data_outputs for job in jobs],
    )


def _ids(lists: list[tuple[int, ...]]) -> list[tuple[int, ...]]:
    """Turn positions into ids; lists that are one object stay one, which the graph makes use of."""
    made: dict[int, tuple[int, ...]] = {}
    found = []
    for positions in lists:
        ids = made.get(id(positions))
        if ids is None:
            ids = made[id(positions)] = tuple([position + 1 for position in positions])
        found.append(ids)
    return found
