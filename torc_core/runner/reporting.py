"""Turns with the service: what has to be told, kept until it is taken; the service may be away for a while."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from torc_core.errors import StorageError, TorcError, Unavailable
from torc_core.records.answers import FinishedJob, HeldJob, StartedJob, Tick, TickAnswer
from torc_core.runner.action_mail import ActionMail

if TYPE_CHECKING:
    from collections.abc import Callable

    from torc_core.records.resources import NodeResources
    from torc_core.service.api import Service

_FIRST_RETRY_SECONDS = 0.25
_LAST_RETRY_SECONDS = 3.0  # a service that is there again is noticed soon
_JITTER = 1 / 3  # of these, either way, so that many runners do not come back all at once
_HELD_SECONDS = 10.0  # between turns that say what is held: others may take single jobs away
_CHUNK = 5000  # finished jobs in one turn, after a long outage


class Reporter:
    """Collects what happened and tells it, together with the wish for more jobs."""

    def __init__(
        self,
        service: Service,
        workflow_id: int,
        run_id: int,
        compute_node_id: int,
        strict: bool = False,
        lease_seconds: float | None = None,
    ) -> None:
        self._service = service
        self._workflow_id = workflow_id
        self._always = {"compute_node_id": compute_node_id, "run_id": run_id, "strict_scheduler_match": strict}
        self.started: list[StartedJob] = []
        self.finished: list[FinishedJob] = []
        self.released: list[int] = []
        self.actions = ActionMail()
        self.away_since: float | None = None  # monotonic, as all times here
        self.retry_at = 0.0
        self.trouble: TorcError | None = None
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._version = 0  # of the workflow, as of the last answer
        self._held_told_at = float("-inf")
        self._held_seconds = _HELD_SECONDS if lease_seconds is None else min(_HELD_SECONDS, lease_seconds / 2)

    @property
    def has_news(self) -> bool:
        """Whether anything is untold."""
        return bool(self.finished or self.started or self.released or self.actions.is_urgent)

    def turn(
        self, now: float, limit: int, room: NodeResources | None, held: Callable[[], list[tuple[int, int]]]
    ) -> TickAnswer | None:
        """Tell everything and ask for jobs; None when the service is away, with ``retry_at`` set.

        After that the next turn asks for what may have been given in an answer that did not arrive. Now and then, and
        always after a silence, a turn says what is ``held`` (job, attempt): the service may have given that to others.
        """
        started, finished, released = self.started, self.finished[:_CHUNK], self.released
        values: dict[str, Any] = {**self._always, "limit": limit, "room": room}
        if started:
            values["started"] = started
        if finished:
            values["finished"] = finished
        if released:
            values["released"] = released
        if self.away_since is not None:
            values["resend"] = True
        tells_held = self.away_since is not None or now - self._held_told_at >= self._held_seconds
        if tells_held:
            values["held"] = [HeldJob(job_id=job_id, attempt_id=attempt) for job_id, attempt in held()]
        told = self.actions.fill(values)
        try:
            answer = self._service.tick(self._workflow_id, Tick.of(values))
        except (Unavailable, StorageError) as exc:
            self.trouble = exc
            if self.away_since is None:
                self.away_since = now
            self.retry_at = now + self._retry_seconds * _spread()
            self._retry_seconds = min(2 * self._retry_seconds, _LAST_RETRY_SECONDS)
            return None
        if self.away_since is not None:
            self.away_since, self.retry_at, self._retry_seconds = None, 0.0, _FIRST_RETRY_SECONDS
        self.started, self.finished, self.released = [], self.finished[len(finished) :], []
        if tells_held:
            self._held_told_at = now
        self._version = answer.version
        self.actions.take(answer, told)
        return answer

    def has_moved_on(self) -> bool:
        """Say whether the workflow has changed since the last answer by anybody's doing but ours."""
        try:
            return self._service.wait_for_change(self._workflow_id, self._version, 0.0).version != self._version
        except (Unavailable, StorageError):
            return True  # the next turn finds out


def _spread() -> float:
    """Return a random factor near 1; the module random takes long to import."""
    return 1 + _JITTER * (os.urandom(1)[0] / 127.5 - 1)
