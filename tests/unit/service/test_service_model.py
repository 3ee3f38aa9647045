"""Random lives of a workflow, in the service and in the obvious model: runners vanish and come back, owners die.

The model knows statuses (as that of the engine does), who holds a job, numbers of attempts and results. Runners here
remember what they were given, also when it was taken from them meanwhile, and report it all the same.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from tests.unit.engine.model import COMPLETE, HELD, Model, ModelJob
from tests.unit.service.conftest import MOMENT
from torc_core.contracts.storage import Storage
from torc_core.errors import Invalid
from torc_core.records.answers import (
    FailureResolution,
    FileTimes,
    FinishedJob,
    HeldJob,
    JobReset,
    StartedJob,
    Tick,
    TickAnswer,
)
from torc_core.records.answers.spawning import SpawnRequest
from torc_core.records.resources import ComputeNode, Job, Result, Workflow
from torc_core.service import owner, turn, upkeep
from torc_core.service.leases import LOOK_SECONDS, Leases
from torc_core.service.local import LocalService
from torc_core.status import (
    BLOCKED,
    BY_NUMBER,
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
    JobStatus,
)
from torc_plugins.storage.memory_storage import MemoryStorage
from torc_plugins.storage.sqlite_storage import SqliteStorage

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "200"))
CODES = {COMPLETED: 0, FAILED: 3, TERMINATED: 143, CANCELED: 130, PENDING_FAILED: 9}
LOST_CODE = -128
LEASE_S = 12.0
DELAY_S = 3600.0
FAR = 1e9
"""Where the fake clock begins: no thread that looks at the real one finds anything due."""
MOST_JOBS = 12


class Runner:
    """What a runner knows: its run, and the attempts that it was given, by job."""

    def __init__(self, id: int, run_id: int) -> None:
        self.id = id
        self.run_id = run_id
        self.hands: dict[int, int] = {}
        self.last: list[FinishedJob] = []


class KeptMemory(MemoryStorage):
    """Outlives the service on it."""

    def close(self) -> None:
        pass


class ServiceAndModel(RuleBasedStateMachine):
    """Both sides, driven alike."""

    def __init__(self) -> None:
        super().__init__()
        self.now = FAR
        self.patch = pytest.MonkeyPatch()
        self.patch.setattr(owner, "Leases", partial(Leases, lambda: self.now))
        self.patch.setattr(turn, "now_ms", lambda: int(self.now * 1000))
        self.patch.setattr(upkeep, "now_ms", lambda: int(self.now * 1000))
        self.model = Model([])
        self.ids: list[int] = []  # by number in the model
        self.attempts: list[int] = []
        self.holders: dict[int, int] = {}  # runner by job id
        self.results: dict[tuple[int, int, int], tuple[JobStatus, int, int]] = {}
        self.runners: list[Runner] = []
        self.run_id = 0
        self.is_alive = False
        self.storage = self.open_storage()
        self.service = LocalService(self.storage)

    def open_storage(self) -> Storage:
        return KeptMemory("")

    def reopen_storage(self) -> Storage:
        return self.storage

    def teardown(self) -> None:
        self.service.abandon()
        self.patch.undo()

    @initialize(
        needs=st.lists(st.tuples(st.sets(st.integers(0, 6), max_size=3), st.booleans()), min_size=1, max_size=7)
    )
    def begin(self, needs: list[tuple[set[int], bool]]) -> None:
        self.workflow_id = self.service.create(Workflow(name="w", user="me")).id
        self.run_id = self.service.get(Workflow, self.workflow_id).run_id
        for number, (earlier, flag) in enumerate(needs):
            self._create({n for n in earlier if n < number}, flag)
        self.service.initialize_jobs(self.workflow_id)
        self.model.initialize(only_uninitialized=False)
        self.is_alive = True
        for _ in range(2):
            self.a_runner_comes()

    # short ways

    def _status(self, number: int) -> int:
        return self.model.jobs[number].status

    def _number(self, job_id: int) -> int:
        return self.ids.index(job_id)

    def _some(self, data: st.DataObject, numbers: list[int]) -> list[int]:
        return data.draw(st.lists(st.sampled_from(numbers), unique=True, min_size=1, max_size=4)) if numbers else []

    def _create(self, needs: set[int], flag: bool) -> None:
        made = self.service.create(
            Job(
                workflow_id=self.workflow_id, name=f"j{len(self.ids)}_{max(self.ids, default=0)}", command="true",
                cancel_on_blocking_job_failure=flag, depends_on_job_ids=[self.ids[n] for n in sorted(needs)] or None,
            )
        )  # fmt: skip
        self.model.jobs.append(ModelJob(needs, set(), set(), flag, 0))
        self._note(made.id)

    def _note(self, job_id: int) -> None:
        self.model.needs = self.model._needs()
        self.ids.append(job_id)
        self.attempts.append(1)

    def _last_attempt(self, job_id: int) -> int:
        return max((a for job, run, a in self.results if (job, run) == (job_id, self.run_id)), default=0)

    def _renumber(self) -> None:
        """What will run gets a number without a result in this run; what was reset counts on from those it has."""
        for number, job_id in enumerate(self.ids):
            if self._status(number) == UNINITIALIZED:
                self.attempts[number] = self._last_attempt(job_id) + 1
            elif self._status(number) in (BLOCKED, READY):
                self.attempts[number] = max(self.attempts[number], self._last_attempt(job_id) + 1)
        self.holders = {
            job: node for job, node in self.holders.items() if self._status(self._number(job)) in HELD | {CANCELED}
        }

    def _again(self, number: int, until: int | None = None) -> None:
        self.model.retry(number, until)
        self.attempts[number] += 1
        self.holders.pop(self.ids[number], None)

    def _tick(self, runner: Runner, **more: Any) -> TickAnswer:
        answer = self.service.tick(
            self.workflow_id, Tick(compute_node_id=runner.id, run_id=runner.run_id, **more)
        )  # fmt: skip
        for job_id in answer.lost:
            runner.hands.pop(job_id, None)
        return answer

    def _present(self) -> list[Runner]:
        return [runner for runner in self.runners if runner.run_id == self.run_id]

    # runners

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

    # people

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

    # what always holds

    @precondition(lambda self: self.is_alive)
    @invariant()
    def agree(self) -> None:
        jobs = self.service.find(Job, self.workflow_id, include_relationships=True).items
        assert [job.id for job in jobs] == self.ids  # none is lost
        assert [job.status.number for job in jobs] == self.model.statuses()
        assert [job.attempt_id for job in jobs] == self.attempts
        assert {job.id: job.compute_node_id for job in jobs if job.compute_node_id is not None} == self.holders
        kept = self.service.find(Result, self.workflow_id, all_runs=True).items
        keys = [(r.job_id, r.run_id, r.attempt_id) for r in kept]
        assert len(set(keys)) == len(keys)
        assert {
            key: (r.status, r.return_code, r.compute_node_id) for key, r in zip(keys, kept, strict=True)
        } == self.results
        self._check_rules(jobs, kept)

    def _check_rules(self, jobs: list[Job], kept: list[Result]) -> None:
        """Whatever the model says."""
        by_id = {job.id: job for job in jobs}
        for job in jobs:
            ends = [by_id[id].status.number for id in job.depends_on_job_ids or ()]
            is_stopped = self.model.is_canceled  # then what waits stays as it is, up to the next run
            if job.status is JobStatus.BLOCKED and job.retry_at is None and not is_stopped:
                assert any(end not in COMPLETE for end in ends), "blocked, and all it waits for has ended"
            has_result = (job.id, self.run_id, job.attempt_id) in self.results
            if job.status in (JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.TERMINATED, JobStatus.PENDING_FAILED):
                mine = [r for r in kept if r.job_id == job.id]
                assert max(mine, key=lambda r: (r.run_id, r.attempt_id)).status is job.status, "it ran without a result"
            if job.status in (JobStatus.READY, JobStatus.PENDING, JobStatus.RUNNING):
                assert not has_result, "it would run an attempt again that has ended"
        latest = Counter(r.job_id for r in self.service.find(Result, self.workflow_id).items)
        assert set(latest.values()) <= {1}


class OnSqlite(ServiceAndModel):
    """The same on a file."""

    def open_storage(self) -> Storage:
        self.folder = tempfile.TemporaryDirectory(prefix="torc-model-")
        self.place = Path(self.folder.name, "0")
        self.place.mkdir()
        return SqliteStorage(str(self.place / "torc.db"))

    def reopen_storage(self) -> Storage:
        """Open what a killed process leaves: the file and its log; this process keeps the lock on the others."""
        before, self.place = self.place, self.place.with_name(str(int(self.place.name) + 1))
        shutil.copytree(before, self.place)
        return SqliteStorage(str(self.place / "torc.db"))

    def teardown(self) -> None:
        super().teardown()
        self.folder.cleanup()


def _settings(sequences: int) -> settings:
    return settings(
        max_examples=max(5, sequences), stateful_step_count=30, deadline=None,
        suppress_health_check=list(HealthCheck), print_blob=True,
    )  # fmt: skip


TestServiceAndModel = ServiceAndModel.TestCase
TestServiceAndModel.settings = _settings(SEQUENCES // 5)
TestOnSqlite = OnSqlite.TestCase
TestOnSqlite.settings = _settings(SEQUENCES // 40)
