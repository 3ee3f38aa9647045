"""What people do in random lives of workflows: they add, delete, decide, reset and begin again; owners die."""

from __future__ import annotations

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule

from tests.unit.engine.model import HELD, ModelJob
from tests.unit.service.model_machine import (
    DELAY_S,
    MOST_JOBS,
)
from tests.unit.service.model_runners import Runners
from torc_core.errors import Invalid
from torc_core.records.answers import (
    FailureResolution,
    FileTimes,
    JobReset,
)
from torc_core.records.answers.spawning import SpawnRequest
from torc_core.records.resources import Job
from torc_core.service.local import LocalService
from torc_core.status import (
    BLOCKED,
    CANCELED,
    DISABLED,
    FAILED,
    PENDING_FAILED,
    RUNNING,
    TERMINATED,
    UNINITIALIZED,
    JobStatus,
)


class People(Runners):
    """People act at any time."""

    @precondition(lambda self: len(self.ids) < MOST_JOBS)
    @rule(data=st.data(), flag=st.booleans())
    def create_a_job(self, data: st.DataObject, flag: bool) -> None:
        self._create(set(self._some(data, list(range(len(self.ids))))), flag)

    @precondition(lambda self: self.model.having(RUNNING) and len(self.ids) < MOST_JOBS)
    @rule(data=st.data(), flag=st.booleans())
    def spawn(self, data: st.DataObject, flag: bool) -> None:
        caller = data.draw(st.sampled_from(self.model.having(RUNNING)))
        needs = {caller, *self._some(data, list(range(len(self.ids))))}
        names = {job.id: job.name for job in self.service.find(Job, self.workflow_id).items}
        name = f"spawned{max(self.ids)}"
        job = {
            "name": name, "command": "true", "cancel_on_blocking_job_failure": flag,
            "depends_on": [names[self.ids[n]] for n in sorted(needs)],
        }  # fmt: skip
        request = SpawnRequest.read({"jobs": [job]})
        made = self.service.spawn_jobs(self.ids[caller], request)
        assert self.service.spawn_jobs(self.ids[caller], request).spawned_job_ids == made.spawned_job_ids
        self.model.add(ModelJob(needs, set(), set(), flag, 0))
        self._note(made.spawned_job_ids[0])

    @precondition(lambda self: len(self.ids) > 1)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        gone = data.draw(st.integers(0, len(self.ids) - 1))
        job_id = self.ids[gone]
        if self._status(gone) in HELD:
            with pytest.raises(Invalid, match="cannot be deleted"):
                self.service.delete(Job, job_id)
            return
        self.service.delete(Job, job_id)
        del self.model.jobs[gone], self.ids[gone], self.attempts[gone]
        for job in self.model.jobs:
            job.depends_on = {n - (n > gone) for n in job.depends_on if n != gone}
        self.model.needs = self.model._needs()
        while any(self.model._decide(number) for number in self.model.having(BLOCKED)):
            pass  # until no further job is canceled
        self.holders.pop(job_id, None)
        self.results = {key: value for key, value in self.results.items() if key[0] != job_id}
        for runner in self.runners:
            runner.hands.pop(job_id, None)
            runner.last = [report for report in runner.last if report.job_id != job_id]

    @precondition(lambda self: self.model.having(PENDING_FAILED))
    @rule(data=st.data(), decision=st.sampled_from(["retry", "fail"]), delay=st.sampled_from([0.0, DELAY_S]))
    def resolve(self, data: st.DataObject, decision: str, delay: float) -> None:
        chosen = self._some(data, self.model.having(PENDING_FAILED))
        request = {"job_ids": [self.ids[n] for n in chosen], "decision": decision, "delay_seconds": delay}
        answer = self.service.resolve_failures(self.workflow_id, FailureResolution.read(request))
        assert answer.resolved == request["job_ids"]
        if decision == "retry":
            for number in chosen:
                self._again(number, int((self.now + delay) * 1000) if delay else None)
            return
        self.model.complete([(number, FAILED) for number in chosen])
        for number in chosen:
            key = (self.ids[number], self.run_id, self.attempts[number])
            if key in self.results:
                self.results[key] = (JobStatus.FAILED, *self.results[key][1:])

    @precondition(lambda self: self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED))
    @rule(data=st.data())
    def retry(self, data: st.DataObject) -> None:
        number = data.draw(st.sampled_from(self.model.having(RUNNING, FAILED, TERMINATED, PENDING_FAILED)))
        self.service.retry_job(self.ids[number], self.run_id, 99)
        self._again(number)

    @rule()
    def an_hour_passes(self) -> None:
        """Everybody is heard of at the end of it."""
        self.now += DELAY_S
        for runner in self._present():
            self._tick(runner)
        self._wake()

    def _wake(self) -> None:
        if self._present():  # who asks for jobs learns of those whose moment has come
            self.model.wake(int(self.now * 1000))

    @rule(data=st.data(), what=st.sampled_from(["reset", "reset failed", "initialize", "begin", "cancel", "begin"]))
    def start_over(self, data: st.DataObject, what: str) -> None:
        """One rule for all that ends what goes on, so that most of a life is spent otherwise."""
        if what == "reset":
            self.reset_jobs(data)
        elif what == "reset failed":
            self.reset_failed()
        elif what == "initialize":
            self.initialize_jobs(data.draw(st.booleans()))
        elif what == "begin":
            self.begin_a_run(data.draw(st.booleans()))
        else:
            self.cancel()

    def cancel(self) -> None:
        self.service.cancel_workflow(self.workflow_id)
        self.model.cancel_all()

    def reset_jobs(self, data: st.DataObject) -> None:
        chosen = self._some(data, [n for n in range(len(self.ids)) if self._status(n) not in HELD])
        if not chosen:
            return
        answer = self.service.reset_jobs(self.workflow_id, JobReset(job_ids=[self.ids[n] for n in chosen]))
        assert answer.downstream == [self.ids[n] for n in sorted(self.model.downstream(chosen) - set(chosen))]
        self.model.reset(chosen)
        self._renumber()

    def reset_failed(self) -> None:
        self.service.reset_job_status(self.workflow_id, failed_only=True)
        self.model.reset_failed()
        self._renumber()

    def initialize_jobs(self, only: bool) -> None:
        self.service.initialize_jobs(self.workflow_id, only)
        self.model.initialize(only)
        self._renumber()

    def begin_a_run(self, again: bool) -> None:
        if self.model.having(*HELD):
            with pytest.raises(Invalid, match="running or about to"):
                self.service.begin_run(self.workflow_id, FileTimes(), again)
            return
        begun = self.service.begin_run(self.workflow_id, FileTimes(), again)
        self.run_id += 1
        self.a_runner_comes()
        assert begun.run_id == self.run_id
        self.model.is_canceled = False
        if again:
            self.model.reset(
                self.model.having(FAILED, CANCELED, TERMINATED, PENDING_FAILED, UNINITIALIZED)
            )  # nothing else has changed
        else:
            for job in self.model.jobs:
                job.become(UNINITIALIZED if job.status != DISABLED else DISABLED)
        self._renumber()
        self.model.initialize(only_uninitialized=again)
        self._renumber()

    @rule()
    def the_owner_is_killed(self) -> None:
        """Another begins with what the storage has; every runner gets its whole lease again."""
        self.service.abandon()
        self.storage = self.reopen_storage()
        self.service = LocalService(self.storage)
