"""Requests that wait for something to happen, without a thread each.

A poll is asked at once, by the thread that has its request. When there is nothing to answer yet it is parked with its
deadline, and asked again after its workflow changed. Runners that wait for jobs are asked in the order in which they
came, only as many as there are ready jobs, and few at a time, so that a thousand of them keep nobody else waiting.
"""

from __future__ import annotations

import heapq
import itertools
import time
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from torc_core.service.owner import Pulse
    from torc_server.connection import Connection

_FIRST_PAUSE_S = 0.02
_LAST_PAUSE_S = 1.0
"""Between two attempts of one runner for which the ready jobs are none."""
_SELDOM_S = 1.0
"""After so long everybody is asked again when anything changed: there is more to hear of than ready jobs."""


class Workflows(Protocol):
    """What is asked of the service; neither call waits for anything."""

    def pulse(self, workflow_id: int) -> Pulse:
        """Return where a workflow stands."""

    def listen(self, workflow_id: int, notify: Callable[[], None]) -> Callable[[], None]:
        """Have ``notify`` called after every change."""


class Poll:
    """One request that may wait. ``ask`` returns the whole answer, or None while there is nothing and time is left."""

    def __init__(
        self,
        conn: Connection,
        workflow_id: int,
        seconds: float,
        ask: Callable[[bool], bytes | None],
        *,
        for_jobs: bool,
    ) -> None:
        """``ask`` is told whether it is the last time; ``for_jobs`` says that only ready jobs are worth asking for."""
        self.conn, self.workflow_id, self.for_jobs = conn, workflow_id, for_jobs
        self.deadline = time.monotonic() + seconds
        self.version = 0
        self.is_last = self.is_ended = False
        self.again_at = self.kept_at = 0.0
        self.pause_s = _FIRST_PAUSE_S
        self.waiting: Waiting | None = None
        self._ask = ask

    def attempt(self) -> None:
        """Ask, in a thread that answers requests; the answer is left on the connection, which then waits no more."""
        assert self.waiting is not None
        self.version = self.waiting.version(self.workflow_id)  # first, so that no later change is missed
        answer = self._ask(self.is_last)
        if answer is not None:
            self.conn.poll = None
            self.conn.wfile.write(answer)
        self.waiting.note_attempt(self)

    def end(self) -> None:
        """Nobody waits for the answer any more."""
        self.is_ended = True


class _Group:
    """The polls of one workflow, in the order in which they came."""

    def __init__(self, unlisten: Callable[[], None]) -> None:
        self.polls: dict[Poll, None] = {}
        self.unlisten = unlisten
        self.look_at = float("inf")


class Waiting:
    """All parked polls. Everything but ``park``, ``version`` and ``note_attempt`` belongs to the hub's thread."""

    def __init__(
        self, service: Workflows, dispatch: Callable[[Connection], None], wake: Callable[[], None], share: int
    ) -> None:
        """``dispatch`` gives a connection to the threads, ``share`` of which parked polls may use at a time."""
        self._service, self._dispatch, self._wake, self._share = service, dispatch, wake, share
        self._arrivals: deque[Poll] = deque()
        self._changed: deque[int] = deque()
        self._attempted: deque[Poll] = deque()
        self._groups: dict[int, _Group] = {}
        self._deadlines: list[tuple[float, int, Poll]] = []
        self._order = itertools.count()
        self._due: deque[Poll] = deque()
        self._asking: set[Poll] = set()
        self.is_closing = False

    def __len__(self) -> int:
        return sum(len(group.polls) for group in self._groups.values())

    # from any thread

    def version(self, workflow_id: int) -> int:
        """Return the version of a workflow."""
        return self._service.pulse(workflow_id).version

    def park(self, poll: Poll) -> None:
        """Keep a poll that was asked in vain."""
        self._arrivals.append(poll)
        self._wake()

    def note_attempt(self, poll: Poll) -> None:
        """An attempt is over."""
        self._attempted.append(poll)
        self._wake()

    def _notify(self, workflow_id: int) -> None:
        self._changed.append(workflow_id)
        self._wake()

    # in the hub's thread

    def work(self, now: float) -> float:
        """Do what is to be done and return when to come again (monotonic)."""
        while self._attempted:
            self._asking.discard(self._attempted.popleft())
        look = set()
        while self._arrivals:
            poll = self._arrivals.popleft()
            if not poll.is_ended:
                self._keep(poll, now)
                if self.is_closing or poll.version != self.version(poll.workflow_id):
                    look.add(poll.workflow_id)
        while self._changed:
            look.add(self._changed.popleft())
        look |= {id for id, group in self._groups.items() if group.look_at <= now}
        for workflow_id in look:
            self._look(workflow_id, now)
        while self._deadlines and self._deadlines[0][0] <= now:
            _, _, poll = heapq.heappop(self._deadlines)
            if not poll.is_ended and poll.conn.poll is poll:
                poll.is_last = True
                self._make_due(poll)
        self._send_off()
        later = [group.look_at for group in self._groups.values()]
        return min([*later, self._deadlines[0][0]] if self._deadlines else later, default=float("inf"))

    def _keep(self, poll: Poll, now: float) -> None:
        group = self._groups.get(poll.workflow_id)
        if group is None:
            id = poll.workflow_id
            group = self._groups[id] = _Group(self._service.listen(id, lambda: self._notify(id)))
        if poll.again_at:  # it was asked before: among those for whom there was nothing it comes last
            poll.pause_s = min(2 * poll.pause_s, _LAST_PAUSE_S)
        else:
            heapq.heappush(self._deadlines, (poll.deadline, next(self._order), poll))
        poll.kept_at, poll.again_at = now, now + poll.pause_s
        group.polls[poll] = None
        if poll.is_last or poll.deadline <= now:
            poll.is_last = True
            self._make_due(poll)

    def _look(self, workflow_id: int, now: float) -> None:
        """See who is to be asked now that a workflow has changed."""
        group = self._groups.get(workflow_id)
        if group is None:
            return
        pulse = self._service.pulse(workflow_id)
        group.look_at = float("inf")
        left = pulse.ready
        for poll in list(group.polls):
            if self.is_closing:
                poll.is_last = True
            elif poll.version == pulse.version:
                continue
            elif poll.for_jobs and not pulse.is_over:
                again_at = poll.again_at if left > 0 else poll.kept_at + _SELDOM_S
                if again_at > now:
                    group.look_at = min(group.look_at, again_at)
                    continue
                left -= 1
            self._make_due(poll)

    def _make_due(self, poll: Poll) -> None:
        self.forget(poll)
        self._due.append(poll)

    def _send_off(self) -> None:
        while self._due and len(self._asking) < self._share:
            poll = self._due.popleft()
            if not poll.is_ended:
                self._asking.add(poll)
                self._dispatch(poll.conn)

    def forget(self, poll: Poll) -> None:
        """Take a poll out of its group."""
        group = self._groups.get(poll.workflow_id)
        if group is not None:
            group.polls.pop(poll, None)
            if not group.polls:
                group.unlisten()
                del self._groups[poll.workflow_id]

    def close(self) -> None:
        """Have everybody answered with what there is."""
        self.is_closing = True
        for workflow_id in list(self._groups):
            self._changed.append(workflow_id)

    @property
    def is_idle(self) -> bool:
        """Whether nothing waits or is being asked."""
        return not (self._groups or self._due or self._asking or self._arrivals)
