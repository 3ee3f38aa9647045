"""A local service on each storage, and the short ways to say what tests of it say often."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from torc_core.records.answers import FileTimes, FinishedJob, NewWorkflow, StartedJob, Tick, TickAnswer
from torc_core.records.resources import ComputeNode, Job
from torc_core.service.local import LocalService
from torc_core.status import JobStatus

MOMENT = "2026-01-31T08:00:00.000Z"


class Desk:
    """A service with one workflow and one runner at a time."""

    def __init__(self, service: LocalService) -> None:
        self.service = service
        self.workflow_id = 0
        self.node_id = 0

    def create(self, **parts: Any) -> int:
        """Store a workflow of columns of jobs and lists of other parts; returns its id."""
        jobs = parts.pop("jobs", None)
        made = self.service.create_whole_workflow(NewWorkflow(workflow={"name": "w"}, jobs=jobs, **parts))
        self.workflow_id = made.workflow_id
        return made.workflow_id

    def jobs(self, *needs: tuple[int, ...], **columns: list[Any]) -> int:
        """Store a workflow of jobs a, b, c ... that wait for those at the positions named."""
        names = [chr(ord("a") + place) for place in range(len(needs))]
        return self.create(
            jobs={"name": names, "command": ["true"] * len(needs), "depends_on_job_ids": list(needs), **columns}
        )

    def begin(self, again: bool = False, **times: float | None) -> Any:
        """Begin a run; ``times`` are those of files by ``f<id>``."""
        found = FileTimes(st_mtimes={int(name[1:]): time for name, time in times.items()})
        return self.service.begin_run(self.workflow_id, found, again)

    def node(self) -> int:
        """Register a runner."""
        node = ComputeNode(
            workflow_id=self.workflow_id, hostname="h", pid=1, start_time=MOMENT, num_cpus=4, memory_gb=8.0, num_gpus=0,
            is_active=True,
        )  # fmt: skip
        self.node_id = self.service.create(node).id
        return self.node_id

    def tick(self, limit: int = 0, **more: Any) -> TickAnswer:
        """Take a turn as the latest runner, in the present run."""
        run = self.service.get_workflow_status(self.workflow_id).run_id
        fields = {"compute_node_id": self.node_id or self.node(), "run_id": run, "limit": limit, **more}
        return self.service.tick(self.workflow_id, Tick(**fields))

    def started(self, *ids: int) -> TickAnswer:
        """Say that jobs run."""
        return self.tick(started=[StartedJob(job_id=id, start_time=MOMENT) for id in ids])

    def finished(self, ends: dict[int, int], attempt: int = 1) -> TickAnswer:
        """Report return codes by job id."""
        return self.tick(finished=[end(id, code, attempt) for id, code in ends.items()])

    def statuses(self) -> str:
        """Return the statuses of all jobs, like ``a=ready b=blocked``."""
        return " ".join(f"{job.name}={job.status}" for job in self.service.find(Job, self.workflow_id).items)


def end(job_id: int, code: int = 0, attempt: int = 1) -> FinishedJob:
    """Return the report of an attempt that took six seconds."""
    status = JobStatus.FAILED if code else JobStatus.COMPLETED
    return FinishedJob(
        job_id=job_id,
        attempt_id=attempt,
        status=status,
        return_code=code,
        exec_time_minutes=0.1,
        completion_time=MOMENT,
    )


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[LocalService]:
    """A service on a new storage of each kind."""
    if request.param == "memory":
        from torc_plugins.storage.memory_storage import MemoryStorage

        made = LocalService(MemoryStorage(""))
    elif request.param == "postgresql":
        url = request.getfixturevalue("emptied_postgres_url")
        from torc_plugins.storage.postgresql_storage import PostgresqlStorage

        made = LocalService(PostgresqlStorage(url.partition(":")[2]))
    else:
        from torc_plugins.storage.sqlite_storage import SqliteStorage

        made = LocalService(SqliteStorage(str(tmp_path / "torc.db")))
    yield made
    made.close()


@pytest.fixture
def desk(service: LocalService) -> Desk:
    """That service with short ways to use it."""
    return Desk(service)
