"""Random sequences of operations on the graph and on the obvious model: both must always agree."""

from __future__ import annotations

import os

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


class EngineAndModel(RuleBasedStateMachine):
    """Both sides, driven alike."""

    @initialize(made=jobs(), shortest=st.sampled_from([2, 3, 8]))
    def begin(self, made: list[ModelJob], shortest: int) -> None:
        build._LONG = shortest  # so that small workflows have gates too
        self.model = Model(made)
        self.graph = graph_of(self.model, bytes(len(made)))

    def teardown(self) -> None:
        build._LONG = 8

    @rule(only=st.booleans())
    def initialize_jobs(self, only: bool) -> None:
        self.model.initialize(only)
        transitions.initialize(self.graph, only)

    @rule(limit=st.integers(0, 4))
    def claim(self, limit: int) -> None:
        assert transitions.claim(self.graph, limit).claimed == self.model.claim(limit)

    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        self.model.start(chosen)
        transitions.start(self.graph, chosen)

    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        self.model.release(chosen)
        transitions.release(self.graph, chosen)

    @rule(data=st.data())
    def complete(self, data: st.DataObject) -> None:
        reports = [(number, data.draw(st.sampled_from(ENDS))) for number in self._some(data)]
        self.model.complete(reports)
        transitions.complete(self.graph, reports)

    @rule(data=st.data())
    def complete_what_is_held(self, data: st.DataObject) -> None:
        held = self.model.having(PENDING, RUNNING)
        reports = [(number, data.draw(st.sampled_from(ENDS))) for number in held]
        self.model.complete(reports)
        transitions.complete(self.graph, reports)

    @rule()
    def cancel_all(self) -> None:
        self.model.cancel_all()
        transitions.cancel_all(self.graph)

    @precondition(lambda self: self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED)))
        self.model.retry(number)
        transitions.retry(self.graph, number)

    @rule(data=st.data(), status=st.sampled_from([UNINITIALIZED, BLOCKED, READY, PENDING, RUNNING, DISABLED]))
    def set_status(self, data: st.DataObject, status: int) -> None:
        number = data.draw(st.integers(0, len(self.model.jobs) - 1))
        if self.model.jobs[number].status != status:
            self.model.set_status(number, status)
            transitions.set_status(self.graph, number, status)

    @precondition(lambda self: self.model.having(READY))
    @rule()
    def leave_and_come_back(self) -> None:
        for number in self.model.having(READY):
            for status in (BLOCKED, READY):
                self.model.set_status(number, status)
                transitions.set_status(self.graph, number, status)

    @rule(data=st.data())
    def reset(self, data: st.DataObject) -> None:
        chosen = self._some(data)
        assert transitions.downstream(self.graph, chosen) == sorted(self.model.downstream(chosen))
        self.model.reset(chosen)
        transitions.reset(self.graph, chosen)

    @rule()
    def reset_failed(self) -> None:
        self.model.reset_failed()
        transitions.reset_failed(self.graph)

    @rule()
    def reload(self) -> None:
        canceled = self.graph.canceled
        self.graph = graph_of(self.model, bytes(self.graph.status[: len(self.graph)]))
        self.graph.canceled = canceled

    def _some(self, data: st.DataObject) -> list[int]:
        numbers = st.integers(0, len(self.model.jobs) - 1)
        return data.draw(st.lists(numbers, unique=True, max_size=4))

    @invariant()
    def agree(self) -> None:
        if not hasattr(self, "model"):
            return
        graph, model = self.graph, self.model
        assert list(graph.status[: len(graph)]) == model.statuses()
        assert graph.unfinished == model.unfinished
        assert graph.canceled == model.is_canceled
        assert graph.ready_count == len(model.having(READY))
        assert graph.counts() == [len(model.having(status)) for status in range(11)]
        assert [set(graph.dependencies(node)) for node in range(len(graph))] == model.needs

    @invariant()
    def counts_follow_from_statuses(self) -> None:
        if not hasattr(self, "model"):
            return
        graph = self.graph
        fresh = graph_of(self.model, bytes(graph.status[: len(graph)]))
        assert list(graph.remaining) == list(fresh.remaining)
        assert list(graph.bad) == list(fresh.bad)
        assert graph.status == fresh.status


TestEngineAndModel = EngineAndModel.TestCase
TestEngineAndModel.settings = settings(
    max_examples=SEQUENCES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
