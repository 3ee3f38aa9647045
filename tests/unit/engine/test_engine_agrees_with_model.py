"""Random sequences of operations on the graph and on the obvious model: both must always agree."""

from __future__ import annotations

import os
from collections.abc import Iterable

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.engine.model import Model, ModelJob
from torc_core.engine import build, transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.graph import WorkflowGraph
from torc_core.engine.lanes import Lane
from torc_core.status import (
    BLOCKED,
    CANCELED,
    COMPLETED,
    DISABLED,
    FAILED,
    PENDING,
    PENDING_FAILED,
    READY,
    RUNNING,
    TERMINATED,
    UNINITIALIZED,
)

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "200"))
ENDS = (COMPLETED, COMPLETED, FAILED, CANCELED, TERMINATED, PENDING_FAILED)
FIRST_ID = 101


@st.composite
def jobs(draw: st.DrawFn) -> list[ModelJob]:
    """Up to nine jobs without cycles: each depends on and reads from earlier ones only."""
    count = draw(st.integers(1, 9))
    made = []
    for number in range(count):
        earlier = st.sets(st.integers(0, number - 1), max_size=4) if number else st.just(set())
        made.append(
            ModelJob(
                set(draw(earlier)),
                {thing for thing in draw(st.sets(st.integers(0, 5), max_size=3)) if thing < number},
                draw(st.sets(st.integers(number, number + 2), max_size=2)),
                draw(st.booleans()),
                draw(st.integers(0, 2)),
            )
        )
    for number, job in enumerate(made):  # a file is read only after all its writers, so that there are no cycles
        job.reads = {thing for thing in job.reads if all(thing not in other.writes for other in made[number:])}
    return made


def graph_of(model: Model, statuses: bytes) -> WorkflowGraph:
    """The engine's form of the model's jobs; equal lists are one object, as when they are read from a storage."""
    shared: dict[tuple[int, ...], tuple[int, ...]] = {}
    lists = [tuple(FIRST_ID + other for other in sorted(job.depends_on)) for job in model.jobs]
    return build_graph(
        JobColumns(
            range(FIRST_ID, FIRST_ID + len(model.jobs)),
            statuses,
            [Lane(priority=job.priority) for job in model.jobs],
            bytes(job.flag for job in model.jobs),
            [shared.setdefault(ids, ids) for ids in lists],
            [sorted(job.reads) for job in model.jobs],
            [sorted(job.writes) for job in model.jobs],
        )
    )


def _settled(graph: WorkflowGraph, node: int) -> tuple[bool, bool]:
    """Return whether all dependencies have ended, and then whether one of them badly; gates do not change that."""
    is_free = not graph.remaining[node]
    return is_free, is_free and graph.bad[node] > 0


class EngineAndModel(RuleBasedStateMachine):
    """Both sides, driven alike."""

    @initialize(made=jobs(), shortest=st.sampled_from([2, 3, 8]))
    def begin(self, made: list[ModelJob], shortest: int) -> None:
        build._LONG = shortest  # so that small workflows have gates too
        self.model = Model(made)
        self._load(bytes(len(made)))

    def _load(self, statuses: bytes) -> None:
        self.graph = self._fresh(statuses)
        self.graph.log = []
        self.before = list(statuses)
        self.has_grown = False

    def _fresh(self, statuses: bytes) -> WorkflowGraph:
        fresh = graph_of(self.model, statuses)
        for number, job in enumerate(self.model.jobs):
            if job.until is not None:
                fresh.hold(number, job.until)
        return fresh

    def _nodes(self, numbers: Iterable[int]) -> list[int]:
        """Return the nodes of jobs; those of jobs that were added come after the gates."""
        return [self.graph.node(FIRST_ID + number) for number in numbers]

    def _numbers(self, nodes: Iterable[int]) -> list[int]:
        return [job_id - FIRST_ID for job_id in self.graph.job_ids(nodes)]

    def _statuses(self) -> list[int]:
        return [self.graph.status[node] for node in self._nodes(range(len(self.model.jobs)))]

    def teardown(self) -> None:
        build._LONG = 8

    @rule(only=st.booleans())
    def initialize_jobs(self, only: bool) -> None:
        self.model.initialize(only)
        transitions.initialize(self.graph, only)

    @rule(limit=st.integers(0, 4))
    def claim(self, limit: int) -> None:
        assert self._numbers(transitions.claim(self.graph, limit).claimed) == self.model.claim(limit)

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        self.model.start(chosen)
        transitions.start(self.graph, self._nodes(chosen))

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        self.model.release(chosen)
        transitions.release(self.graph, self._nodes(chosen))

    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        reports = [(number, data.draw(st.sampled_from(ENDS))) for number in self._some(data)]
        self.model.complete(reports)
        self._complete(reports)

    @rule(data=st.data())
    def complete_what_is_held(self, data: st.DataObject) -> None:
        held = self.model.having(PENDING, RUNNING)
        reports = [(number, data.draw(st.sampled_from(ENDS))) for number in held]
        self.model.complete(reports)
        self._complete(reports)

    def _complete(self, reports: list[tuple[int, int]]) -> None:
        transitions.complete(self.graph, [(self.graph.node(FIRST_ID + number), end) for number, end in reports])

    @rule()
    def cancel_all(self) -> None:
        self.model.cancel_all()
        transitions.cancel_all(self.graph)

    @precondition(lambda self: self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED)))
        self._retry(number, data)

    @precondition(lambda self: self.model.having(BLOCKED, READY))
    @rule(data=st.data())
    def retry_what_waits(self, data: st.DataObject) -> None:
        self._retry(data.draw(st.sampled_from(self.model.having(BLOCKED, READY))), data)

    def _retry(self, number: int, data: st.DataObject) -> None:
        until = data.draw(st.none() | st.integers(1, 3))
        self.model.retry(number, until)
        transitions.retry(self.graph, *self._nodes([number]), until)

    @rule(now=st.integers(0, 3))
    def wake(self, now: int) -> None:
        self.model.wake(now)
        transitions.wake(self.graph, now)

    @rule(data=st.data(), status=st.sampled_from([UNINITIALIZED, BLOCKED, READY, PENDING, RUNNING, DISABLED]))
    def set_status(self, data: st.DataObject, status: int) -> None:
        number = data.draw(st.integers(0, len(self.model.jobs) - 1))
        if self.model.jobs[number].status != status:
            self.model.set_status(number, status)
            transitions.set_status(self.graph, *self._nodes([number]), status)

    @precondition(lambda self: self.model.having(READY))
    @rule()
    def leave_and_come_back(self) -> None:
        for number in self.model.having(READY):
            for status in (BLOCKED, READY):
                self.model.set_status(number, status)
                transitions.set_status(self.graph, *self._nodes([number]), status)

    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        below = self.model.downstream(chosen)
        assert self._numbers(transitions.downstream(self.graph, self._nodes(chosen))) == sorted(below)
        causes = transitions.causes(self.graph, self._nodes(chosen))
        assert sorted(self._numbers(causes)) == sorted(below)
        for number, cause in zip(self._numbers(causes), self._numbers(causes.values()), strict=True):
            assert cause in self.model.needs[number] & (below | set(chosen))
        self.model.reset(chosen)
        transitions.reset(self.graph, self._nodes(chosen))

    @rule()
    def reset_failed(self) -> None:
        self.model.reset_failed()
        transitions.reset_failed(self.graph)

    @rule()
    def reload(self) -> None:
        canceled = self.graph.canceled
        self._load(bytes(self._statuses()))
        self.graph.canceled = canceled

    @precondition(lambda self: len(self.model.jobs) < 14)
    @rule(data=st.data(), flag=st.booleans())
    def add(self, data: st.DataObject, flag: bool) -> None:
        """A job appears while the workflow runs; it may write what jobs read that have not started."""
        model, number = self.model, len(self.model.jobs)
        needs = set(self._some(data))
        reads = data.draw(st.sets(st.integers(0, 5), max_size=2))
        waits_for = needs | {other for other, job in enumerate(model.jobs) if job.writes & reads}
        above = model.upstream(waits_for)
        waiting = model.having(UNINITIALIZED, BLOCKED)
        writes = {
            thing
            for thing in data.draw(st.sets(st.integers(0, 5), max_size=2)) - reads
            if all(o in waiting and o not in above for o, job in enumerate(model.jobs) if thing in job.reads)
        }
        model.add(ModelJob(needs, reads, writes, flag, 1))
        edges = [(FIRST_ID + other, FIRST_ID + number) for other in model.needs[number]]
        edges += [(FIRST_ID + number, FIRST_ID + other) for other in model.followers(number)]
        transitions.add(self.graph, [FIRST_ID + number], bytes([flag]), [Lane(priority=1)], edges)
        self.before.append(BLOCKED)
        self.has_grown = True

    def _some(self, data: st.DataObject) -> list[int]:
        numbers = st.integers(0, len(self.model.jobs) - 1)
        return data.draw(st.lists(numbers, unique=True, max_size=4))

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "model"):
            return
        graph, model = self.graph, self.model
        assert self._statuses() == model.statuses()
        assert graph.unfinished == model.unfinished
        assert graph.canceled == model.is_canceled
        assert graph.ready_count == len(model.having(READY))
        held = {number: job.until for number, job in enumerate(model.jobs) if job.until is not None}
        assert dict(zip(self._numbers(graph.held), graph.held.values(), strict=True)) == held
        assert graph.next_moment == min(held.values(), default=None)
        assert graph.counts() == [len(model.having(status)) for status in range(11)]
        nodes = self._nodes(range(len(model.jobs)))
        assert list(graph.jobs()) == nodes
        assert [set(self._numbers(graph.dependencies(node))) for node in nodes] == model.needs

    @invariant()
    def counts_follow_from_statuses(self) -> None:
        if not hasattr(self, "model"):
            return
        graph, nodes = self.graph, self._nodes(range(len(self.model.jobs)))
        fresh = self._fresh(bytes(self._statuses()))
        assert [_settled(graph, node) for node in nodes] == [_settled(fresh, node) for node in fresh.jobs()]
        if not self.has_grown:  # the gates are the same
            assert (list(graph.remaining), list(graph.bad)) == (list(fresh.remaining), list(fresh.bad))
            assert graph.status == fresh.status

    @invariant()
    def every_change_is_logged(self) -> None:
        if not hasattr(self, "model"):
            return
        now = self._statuses()
        changed = {number for number, status in enumerate(now) if status != self.before[number]}
        assert self.graph.log is not None
        assert changed <= {number for changes in self.graph.log for number in self._numbers(changes.nodes())}
        self.graph.log.clear()
        self.before = now


TestEngineAndModel = EngineAndModel.TestCase
TestEngineAndModel.settings = settings(
    max_examples=SEQUENCES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
