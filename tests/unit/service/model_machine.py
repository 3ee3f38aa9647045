"""A service and the obvious model of it, side by side, and the short ways to speak of both."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine

from tests.unit.engine.model import HELD, Model, ModelJob
from torc_core.contracts.storage import Storage
from torc_core.records.answers import (
    FinishedJob,
    Tick,
    TickAnswer,
)
from torc_core.records.resources import Job
from torc_core.service import owner, turn, upkeep
from torc_core.service.leases import Leases
from torc_core.service.local import LocalService
from torc_core.status import (
    BLOCKED,
    CANCELED,
    COMPLETED,
    FAILED,
    PENDING_FAILED,
    READY,
    TERMINATED,
    UNINITIALIZED,
    JobStatus,
)
from torc_plugins.storage.memory_storage import MemoryStorage

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


class Machine(RuleBasedStateMachine):
    """Both sides, before anything happens."""

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
