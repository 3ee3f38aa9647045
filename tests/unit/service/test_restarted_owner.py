"""What another owner knows of a workflow that the one before it decided about, and resets of dense graphs."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.service.conftest import Desk
from torc_core.records.answers import JobReset
from torc_core.records.resources import Job
from torc_core.service.local import LocalService
from torc_plugins.storage.sqlite_storage import SqliteStorage


class Restarts:
    """A desk whose service is ended and begun again on the same file."""

    def __init__(self, path: Path) -> None:
        self._path = str(path)
        self.desk = Desk(LocalService(SqliteStorage(self._path)))

    def restart(self) -> None:
        self.desk.service.close()
        self.desk.service = LocalService(SqliteStorage(self._path))


@pytest.fixture
def restarts(tmp_path: Path) -> Restarts:
    return Restarts(tmp_path / "torc.db")


def test_a_restarted_owner_remembers_failures_of_jobs_that_others_wait_for(restarts: Restarts) -> None:
    """The original keeps in memory that a workflow had failures, so a restart makes dependents of failed jobs ready."""
    desk = restarts.desk
    desk.jobs((), (), (0, 1), (2,))
    desk.begin()
    a, b = (job.id for job in desk.tick(limit=2).jobs)
    desk.started(a, b)
    desk.finished({a: 1})
    assert desk.statuses() == "a=failed b=running c=blocked d=blocked"
    restarts.restart()
    answer = desk.finished({b: 0})
    assert desk.statuses() == "a=failed b=completed c=canceled d=canceled"
    assert (answer.is_complete, answer.ready_count) == (True, 0)


def test_a_restarted_owner_lets_jobs_that_go_on_all_the_same_go_on(restarts: Restarts) -> None:
    desk = restarts.desk
    desk.jobs((), (), (0, 1), cancel_on_blocking_job_failure=[True, True, False])
    desk.begin()
    a, b = (job.id for job in desk.tick(limit=2).jobs)
    desk.finished({a: 1})
    restarts.restart()
    desk.finished({b: 0})
    assert desk.statuses() == "a=failed b=completed c=ready"


def test_attempts_go_on_after_a_restart(restarts: Restarts) -> None:
    desk = restarts.desk
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    desk.service.retry_job(job.id, 1, 5)
    restarts.restart()
    assert [again.attempt_id for again in desk.tick(limit=1).jobs] == [2]


def test_a_reset_looks_at_each_job_once_however_many_paths_lead_to_it(desk: Desk) -> None:
    """The original walks every path: a million for seven full layers of ten. Here there are 10 ** 29 of them."""
    depth, width = 30, 10
    needs = [tuple(range((layer - 1) * width, layer * width)) if layer else () for layer in range(depth)]
    names = [f"j{number}" for number in range(depth * width)]
    columns = {
        "name": names,
        "command": ["true"] * len(names),
        "depends_on_job_ids": [n for n in needs for _ in range(width)],
    }
    desk.create(jobs=columns)
    desk.begin()
    while jobs := desk.tick(limit=width).jobs:
        desk.finished({job.id: 0 for job in jobs})
    first, *others = (job.id for job in desk.service.find(Job, desk.workflow_id).items)
    answer = desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[first]))
    assert answer.downstream == others[width - 1 :]
