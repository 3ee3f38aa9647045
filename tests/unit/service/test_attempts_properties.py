"""Random lives of jobs on two runners that fall silent, come back, repeat themselves: one of them counts at a time.

The truth beside the service is a dictionary: who has which attempt. A report counts exactly when its runner has the
attempt; each attempt has one result; and whatever has happened, the workflow can be brought to its end.
"""

from __future__ import annotations

import os
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.records.answers import FailureResolution, FinishedJob, HeldJob, Resolution, StartedJob, TickAnswer
from torc_core.records.resources import ComputeNode, Job, Result
from torc_core.service import turn as turns
from torc_core.service import upkeep
from torc_core.service.local import LocalService
from torc_core.service.orphans import expire
from torc_core.service.turn import Caller
from torc_core.status import IS_COMPLETE, JobStatus
from torc_plugins.storage.memory_storage import MemoryStorage

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "100"))
LOST = -128
ENDS = ("good", "bad", "again", "later", "undecided")
Attempt = tuple[int, int]
"""Job and number."""


class Lives(RuleBasedStateMachine):
    @initialize(
        shape=st.lists(st.sets(st.integers(0, 4), max_size=2), min_size=1, max_size=4), flags=st.lists(st.booleans())
    )
    def begin(self, shape: list[set[int]], flags: list[bool]) -> None:
        self.now = 1_800_000_000_000
        self.clocks = turns.now_ms, upkeep.now_ms
        turns.now_ms = upkeep.now_ms = lambda: self.now  # type: ignore[assignment]
        self.desk = Desk(LocalService(MemoryStorage("")))
        needs = [tuple(sorted(n for n in numbers if n < place)) for place, numbers in enumerate(shape)]
        cancel = [flags[place] if place < len(flags) else True for place in range(len(needs))]
        self.desk.jobs(*needs, cancel_on_blocking_job_failure=cancel)
        self.desk.begin()
        self.runners = [self._runner(), self._runner()]
        self.hands: dict[int, set[Attempt]] = {runner: set() for runner in self.runners}  # what each believes to have
        self.truth: dict[int, tuple[int, int]] = {}  # job: runner and number
        self.running: set[int] = set()  # jobs whose start was reported
        self.taken: dict[Attempt, int] = {}  # codes that were recorded
        self.told: list[tuple[int, FinishedJob]] = []  # reports that were taken, by runner

    def _runner(self) -> int:
        node = self.desk.service.get(ComputeNode, self.desk.node())
        return self.desk.service.update(ComputeNode, node.id, {"lease_seconds": 1e6}).id

    def teardown(self) -> None:
        if not hasattr(self, "desk"):
            return
        try:
            self._bring_to_its_end()
        finally:
            self.desk.service.close()
            turns.now_ms, upkeep.now_ms = self.clocks

    def _tick(self, runner: int, **more: Any) -> TickAnswer:
        self.desk.node_id = runner
        answer = self.desk.tick(**more)
        for job in answer.jobs:
            assert job.id not in self.truth, "given to two"
            self.truth[job.id] = (runner, job.attempt_id)
            self.hands[runner].add((job.id, job.attempt_id))
        return answer

    @rule(which=st.integers(0, 1), limit=st.integers(0, 3), says=st.booleans())
    def claim(self, which: int, limit: int, says: bool) -> None:
        runner = self.runners[which]
        held = [HeldJob(job_id=job, attempt_id=number) for job, number in sorted(self.hands[runner])]
        answer = self._tick(runner, limit=limit, held=held if says else None)
        if says:
            lost = {a for a in self.hands[runner] if self.truth.get(a[0]) != (runner, a[1])}
            assert set(answer.lost) == {job for job, _ in lost}
            assert not (lost and answer.jobs)
            self.hands[runner] -= lost

    @precondition(lambda self: any(self.hands.values()))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        runner, job, _ = self._some(data)
        answer = self._tick(runner, started=[StartedJob(job_id=job, start_time=MOMENT)])
        mine = self.truth.get(job, (0, 0))[0] == runner
        assert (job in answer.lost) == (not mine)
        if mine:
            self.running.add(job)

    @precondition(lambda self: any(self.hands.values()))
    @rule(data=st.data(), how=st.sampled_from(ENDS))
    def report(self, data: st.DataObject, how: str) -> None:
        runner, job, number = self._some(data)
        found = end(job, 0 if how == "good" else 3, number)
        if how == "undecided":
            found.status = JobStatus.PENDING_FAILED
        if how in ("again", "later"):
            found.again, found.retry_delay_seconds = True, 60.0 if how == "later" else 0.0
        counts = self.truth.get(job) == (runner, number)
        answer = self._tick(runner, finished=[found])
        assert (not answer.refused) == counts
        self.hands[runner].discard((job, number))
        if counts:
            self.taken[job, number] = found.return_code
            self._let_go(job)
            self.told.append((runner, found))

    @precondition(lambda self: self.told)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """An answer was lost, so the same is told again."""
        runner, found = data.draw(st.sampled_from(self.told))
        answer = self._tick(runner, finished=[found])
        assert (answer.refused, answer.lost) == ([], [])

    @rule(which=st.integers(0, 1), dies=st.booleans())
    def fall_silent(self, which: int, dies: bool) -> None:
        runner = self.runners[which]
        if dies:
            self.hands[runner] = set()
        self.desk.service.owner.write(lambda turn: expire(turn, self.desk.workflow_id, [runner]), Caller())
        for job, (holder, number) in list(self.truth.items()):
            if holder == runner:
                if job in self.running:
                    self.taken[job, number] = LOST
                self._let_go(job)
                assert self.desk.service.get(Job, job).status is JobStatus.READY

    def _let_go(self, job: int) -> None:
        del self.truth[job]
        self.running.discard(job)

    @rule(seconds=st.sampled_from([1, 61]))
    def time_passes(self, seconds: int) -> None:
        self.now += seconds * 1000

    @rule(decision=st.sampled_from(list(Resolution)), delay=st.sampled_from([0.0, 60.0]))
    def decide(self, decision: Resolution, delay: float) -> None:
        undecided = [job.id for job in self._jobs() if job.status is JobStatus.PENDING_FAILED]
        choice = FailureResolution(job_ids=undecided, decision=decision, delay_seconds=delay)
        assert self.desk.service.resolve_failures(self.desk.workflow_id, choice).resolved == undecided

    def _some(self, data: st.DataObject) -> tuple[int, int, int]:
        return data.draw(st.sampled_from([(r, *attempt) for r, hand in self.hands.items() for attempt in sorted(hand)]))

    def _jobs(self) -> list[Job]:
        return self.desk.service.find(Job, self.desk.workflow_id).items

    @invariant()
    def each_attempt_that_counted_has_one_result_and_no_other_has(self) -> None:
        if not hasattr(self, "desk"):
            return
        found = self.desk.service.find(Result, self.desk.workflow_id, all_runs=True).items
        assert sorted((r.job_id, r.attempt_id, r.return_code) for r in found) == sorted(
            (job, number, code) for (job, number), code in self.taken.items()
        )

    @invariant()
    def jobs_agree_with_the_truth(self) -> None:
        if not hasattr(self, "desk"):
            return
        for job in self._jobs():
            holder = self.truth.get(job.id)
            assert (job.status in (JobStatus.PENDING, JobStatus.RUNNING)) == (holder is not None)
            numbers = sorted(number for id, number in self.taken if id == job.id)
            assert numbers == list(range(1, len(numbers) + 1))  # they rise by one
            if holder is not None:
                assert (job.compute_node_id, job.attempt_id) == holder
            is_judged = bool(IS_COMPLETE[job.status.number]) or job.status is JobStatus.PENDING_FAILED
            ended_here = is_judged and job.status is not JobStatus.CANCELED
            assert job.attempt_id == len(numbers) + (not ended_here)
            assert (job.retry_at is None) or job.status is JobStatus.BLOCKED

    def _bring_to_its_end(self) -> None:
        for runner in self.runners:
            self.hands[runner] = set()
            for job, (holder, number) in list(self.truth.items()):
                if holder == runner:
                    self._tick(runner, finished=[end(job, 0, number)])
                    del self.truth[job]
        for _ in range(4 * len(self._jobs()) + 4):
            self.now += 61_000
            undecided = [job.id for job in self._jobs() if job.status is JobStatus.PENDING_FAILED]
            choice = FailureResolution(job_ids=undecided, decision=Resolution.RETRY)
            self.desk.service.resolve_failures(self.desk.workflow_id, choice)
            answer = self._tick(self.runners[0], limit=99)
            for job in answer.jobs:
                self._tick(self.runners[0], finished=[end(job.id, 0, job.attempt_id)])
                del self.truth[job.id]
        assert self._tick(self.runners[0]).is_complete, self.desk.statuses()


TestLives = Lives.TestCase
TestLives.settings = settings(
    max_examples=SEQUENCES, stateful_step_count=30, deadline=None, suppress_health_check=list(HealthCheck)
)
