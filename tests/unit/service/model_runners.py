"""What runners do in random lives of workflows: they claim, report, vanish and come back."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.unit.engine.model import HELD
from tests.unit.service.conftest import MOMENT
from tests.unit.service.model_machine import (
    CODES,
    LEASE_S,
    LOST_CODE,
    Machine,
    Runner,
)
from torc_core.errors import Invalid
from torc_core.records.answers import (
    FinishedJob,
    HeldJob,
    StartedJob,
)
from torc_core.records.resources import ComputeNode
from torc_core.service.leases import LOOK_SECONDS
from torc_core.status import (
    BY_NUMBER,
    CANCELED,
    FAILED,
    PENDING,
    TERMINATED,
    JobStatus,
)


class Runners(Machine):
    """Runners come, work and go."""

    @precondition(lambda self: len(self._present()) < 3)
    @rule()
    def a_runner_comes(self) -> None:
        node = ComputeNode(
            workflow_id=self.workflow_id, hostname="h", pid=1, start_time=MOMENT, num_cpus=4, memory_gb=8.0, num_gpus=0,
            is_active=True, lease_seconds=LEASE_S,
        )  # fmt: skip
        self.runners.append(Runner(self.service.create(node).id, self.run_id))

    @precondition(lambda self: self._present())
    @rule(data=st.data(), limit=st.integers(1, 4), also_start=st.sampled_from([True, True, False]))
    def claim(self, data: st.DataObject, limit: int, also_start: bool) -> None:
        runner = data.draw(st.sampled_from(self._present()))
        given = self._tick(runner, limit=limit).jobs
        wanted = self.model.claim(limit)
        assert [job.id for job in given] == [self.ids[n] for n in wanted]
        assert [job.attempt_id for job in given] == [self.attempts[n] for n in wanted]
        for job in given:
            assert job.id not in self.holders  # nothing is given twice
            self.holders[job.id] = runner.id
            runner.hands[job.id] = job.attempt_id
        if also_start:
            self._start(runner, [job.id for job in given])

    @precondition(lambda self: any(runner.hands for runner in self._present()))
    @rule(data=st.data())
    def start(self, data: st.DataObject) -> None:
        runner = data.draw(st.sampled_from([r for r in self._present() if r.hands]))
        self._start(runner, self._some(data, sorted(runner.hands)))

    def _start(self, runner: Runner, job_ids: list[int]) -> None:
        lost = {job for job in job_ids if self.holders.get(job) != runner.id}
        answer = self._tick(runner, started=[StartedJob(job_id=job, start_time=MOMENT) for job in job_ids])
        assert set(answer.lost) == lost
        self.model.start([self._number(job) for job in job_ids if job not in lost])

    @precondition(lambda self: any(runner.hands for runner in self._present()))
    @rule(data=st.data())
    def report(self, data: st.DataObject) -> None:
        """How attempts ended that a runner believes to be its own; then the same again, as after a lost answer."""
        runner = data.draw(st.sampled_from([r for r in self._present() if r.hands]))
        reports = []
        for job_id in self._some(data, sorted(runner.hands)):
            status = data.draw(st.sampled_from(sorted(CODES)))
            again = status in (FAILED, TERMINATED) and data.draw(st.booleans())
            reports.append(
                FinishedJob(
                    job_id=job_id, attempt_id=runner.hands.pop(job_id), status=BY_NUMBER[status], again=again,
                    return_code=CODES[status], exec_time_minutes=0.1, completion_time=MOMENT,
                )
            )  # fmt: skip
        answer = self._tick(runner, finished=reports)
        refused = {entry["job_id"] for entry in answer.refused}
        assert refused == {r.job_id for r in reports if not self._is_its_own(runner, r)}
        self._take(runner, [r for r in reports if r.job_id not in refused])
        runner.last = [r for r in reports if r.job_id not in refused]
        self._tick(runner, finished=reports)

    def _is_its_own(self, runner: Runner, report: FinishedJob) -> bool:
        if report.job_id not in self.ids or self.holders.get(report.job_id) != runner.id:
            return False
        number = self._number(report.job_id)
        return self.attempts[number] == report.attempt_id and self._status(number) in HELD | {CANCELED}

    def _take(self, runner: Runner, reports: list[FinishedJob]) -> None:
        ended, again = [], []
        for report in reports:
            number = self._number(report.job_id)
            key = (report.job_id, self.run_id, report.attempt_id)
            assert key not in self.results
            is_canceled = self._status(number) == CANCELED
            kept = JobStatus.CANCELED if is_canceled else report.status
            self.results[key] = (kept, report.return_code, runner.id)
            self.holders.pop(report.job_id)
            if is_canceled:
                continue
            if report.again and not self.model.is_canceled:
                again.append(number)
            else:
                ended.append((number, report.status.number))
        self.model.complete(ended)
        for number in again:
            self._again(number)

    @precondition(lambda self: any(runner.last for runner in self.runners))
    @rule(data=st.data())
    def report_what_was_kept_long_ago(self, data: st.DataObject) -> None:
        """A journal that is replayed much later changes nothing."""
        runner = data.draw(st.sampled_from([r for r in self.runners if r.last]))
        if runner.run_id == self.run_id:
            self._tick(runner, finished=runner.last)
        else:
            with pytest.raises(Invalid, match="run id"):
                self._tick(runner, finished=runner.last)

    @precondition(lambda self: any(runner.hands for runner in self._present()))
    @rule(data=st.data())
    def give_back(self, data: st.DataObject) -> None:
        runner = data.draw(st.sampled_from([r for r in self._present() if r.hands]))
        chosen = self._some(data, sorted(runner.hands))
        self._tick(runner, released=chosen)
        for job_id in chosen:
            del runner.hands[job_id]
            if self.holders.get(job_id) == runner.id and self._status(self._number(job_id)) in HELD:
                self.model.release([self._number(job_id)])
                del self.holders[job_id]

    @precondition(lambda self: self._present())
    @rule(data=st.data())
    def come_back(self, data: st.DataObject) -> None:
        """A runner says all it has and hears what is not its own any more."""
        runner = data.draw(st.sampled_from(self._present()))
        gone = {
            job for job, attempt in runner.hands.items()
            if self.holders.get(job) != runner.id or self.attempts[self._number(job)] != attempt
        }  # fmt: skip
        held = [HeldJob(job_id=job, attempt_id=attempt) for job, attempt in runner.hands.items()]
        assert set(self._tick(runner, held=held).lost) == gone

    @precondition(lambda self: self.runners)
    @rule(data=st.data())
    def fall_silent(self, data: st.DataObject) -> None:
        """One runner is not heard of for longer than its lease, also where nobody looked before; all others are."""
        silent = data.draw(st.sampled_from(self.runners))
        for _ in range(5):
            self.now += LOOK_SECONDS
            for runner in self._present():
                if runner is not silent:
                    self._tick(runner)
            self.service.owner.upkeep._end_leases()  # type: ignore[union-attr]  (what its thread does)
        self._wake()
        others = {runner.id for runner in self._present()} - {silent.id}
        self._lose({runner.id for runner in self.runners} - others)

    @precondition(lambda self: self.runners)
    @rule(data=st.data())
    def adopt(self, data: st.DataObject) -> None:
        gone = {runner.id for runner in self._some_runners(data)}
        taken = self.service.adopt_orphans(self.workflow_id, sorted(gone)).job_ids
        assert taken == sorted(
            job for job, node in self.holders.items() if node in gone and self._status(self._number(job)) in HELD
        )
        self._lose(gone)

    def _some_runners(self, data: st.DataObject) -> list[Runner]:
        return data.draw(st.lists(st.sampled_from(self.runners), max_size=2, unique=True))

    def _lose(self, gone: set[int]) -> None:
        for job_id, node in sorted(self.holders.items()):
            number = self._number(job_id)
            if node not in gone or self._status(number) not in HELD:
                continue
            if self._status(number) == PENDING:
                self.model.release([number])
                del self.holders[job_id]
                continue
            self.results[job_id, self.run_id, self.attempts[number]] = (JobStatus.FAILED, LOST_CODE, node)
            self._again(number)
