"""Random lives of a workflow, in the service and in the obvious model: runners vanish and come back, owners die.

The model knows statuses (as that of the engine does), who holds a job, numbers of attempts and results. Runners here
remember what they were given, also when it was taken from them meanwhile, and report it all the same.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition

from tests.unit.engine.model import COMPLETE
from tests.unit.service.model_people import People
from torc_core.contracts.storage import Storage
from torc_core.records.resources import Job, Result, Workflow
from torc_core.status import (
    JobStatus,
)
from torc_plugins.storage.sqlite_storage import SqliteStorage

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "200"))


class ServiceAndModel(People):
    """Both sides, driven alike."""

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
