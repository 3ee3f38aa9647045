"""Events as they happen: told by pieces of work, heard by whoever listens, kept nowhere.

An event is published after what it tells of was kept, in the order of the transactions. A listener that falls behind
loses events and hears how many, so that it can never hold up the work.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence

from torc_core.errors import Unavailable
from torc_core.records.answers import EventStream, StreamEvent

LEVELS = ("debug", "info", "warning", "error")
"""Severities in ascending order; a listener hears its level and those after it."""
DELETED = "workflow_deleted"
"""The last event of a workflow."""
QUEUE_LIMIT = 512
"""Events that one listener may be behind."""
_LONG_S = 3600.0


def level_number(level: str) -> int:
    """Return the place of a level; an unknown word counts as ``info``, as on the published wire."""
    return LEVELS.index(level) if level in LEVELS else LEVELS.index("info")


class Subscription(EventStream):
    """One listener's events in this process.

    ``notify`` is called, from whichever thread published and with the owner's lock held, when there is something to
    take after there was nothing: it must be quick and ask nothing of the service.
    """

    def __init__(self, bus: Bus, workflow_id: int, level: str, notify: Callable[[], None] | None, limit: int) -> None:
        self.workflow_id = workflow_id
        self.least = level_number(level)
        self._bus, self._notify, self._limit = bus, notify, limit
        self._queue: deque[StreamEvent] = deque()
        self._taken: deque[StreamEvent] = deque()
        self._dropped = 0
        self._is_closed = False
        self._moved = threading.Condition()
        self.may_hear: Callable[[], bool] | None = None
        """Asked before events are added, with the owner's lock held: whether the listener still may hear them."""

    @property
    def is_closed(self) -> bool:
        """Whether nothing will come any more."""
        return self._is_closed

    def put(self, events: Sequence[StreamEvent]) -> None:
        """Add events; those that do not fit are counted."""
        heard = [event for event in events if level_number(event.severity) >= self.least]
        if heard and self.may_hear is not None and not self.may_hear():
            self.finish()
            return
        with self._moved:
            if not heard or self.is_closed:
                return
            was_empty = not self._queue and not self._dropped
            room = self._limit - len(self._queue) if not self._dropped else 0
            self._queue.extend(heard[:room])
            self._dropped += len(heard) - len(heard[:room])
            self._moved.notify_all()
        if was_empty and self._notify is not None:
            self._notify()

    def take(self, seconds: float = 0.0) -> list[StreamEvent]:
        """Return what is there, waiting for it up to ``seconds``; empty when nothing came or it is closed."""
        deadline = time.monotonic() + seconds
        with self._moved:
            while not self._queue and not self._dropped and not self.is_closed:
                left = deadline - time.monotonic()
                if left <= 0:
                    break
                self._moved.wait(left)
            taken = list(self._queue)
            self._queue.clear()
            if self._dropped:
                taken.append(dropped(self.workflow_id, taken[-1].timestamp if taken else 0, self._dropped))
                self._dropped = 0
            return taken

    def __next__(self) -> StreamEvent:
        """Wait for the next event; ends when the subscription is closed."""
        while not self._taken:
            is_over = self.is_closed  # asked first: the last event comes before the end
            self._taken.extend(self.take(_LONG_S))
            if not self._taken and is_over:
                raise StopIteration
        return self._taken.popleft()

    def finish(self) -> None:
        """Hear nothing but what is there already."""
        self.close()
        if self._notify is not None:
            self._notify()

    def close(self) -> None:
        """Hear no more; whoever waits is woken. Twice is fine."""
        self._bus.remove(self)
        with self._moved:
            self._is_closed = True
            self._moved.notify_all()


def dropped(workflow_id: int, timestamp: int, count: int) -> StreamEvent:
    """Return the event that stands for ``count`` others that a listener was too slow for."""
    return StreamEvent(
        workflow_id=workflow_id, timestamp=timestamp, event_type="warning", severity="warning", data={"dropped": count}
    )


class Bus:
    """Brings events to the listeners of their workflow. For any number of threads."""

    def __init__(self) -> None:
        self._listeners: dict[int, tuple[Subscription, ...]] = {}  # tuples are replaced, so reading needs no lock
        self._least: dict[int, int] = {}  # the lowest level that anybody hears
        self._lock = threading.Lock()
        self._is_closed = False

    def is_heard(self, workflow_id: int, severity: str = "error") -> bool:
        """Whether anybody listens to events of a workflow of that severity."""
        least = self._least.get(workflow_id)
        return least is not None and least <= level_number(severity)

    def subscribe(
        self,
        workflow_id: int,
        level: str = "info",
        notify: Callable[[], None] | None = None,
        limit: int = QUEUE_LIMIT,
    ) -> Subscription:
        """Return a new listener of a workflow from now on."""
        subscription = Subscription(self, workflow_id, level, notify, limit)
        with self._lock:
            if self._is_closed:
                raise Unavailable("this service is closed", outcome="not sent")
            self._set(workflow_id, (*self._listeners.get(workflow_id, ()), subscription))
        return subscription

    def _set(self, workflow_id: int, listeners: tuple[Subscription, ...]) -> None:
        if listeners:
            self._listeners[workflow_id] = listeners
            self._least[workflow_id] = min(listener.least for listener in listeners)
        else:
            self._listeners.pop(workflow_id, None)
            self._least.pop(workflow_id, None)

    def remove(self, subscription: Subscription) -> None:
        """Forget a listener."""
        with self._lock:
            found = self._listeners.get(subscription.workflow_id, ())
            self._set(subscription.workflow_id, tuple(other for other in found if other is not subscription))

    def publish(self, events: Iterable[StreamEvent]) -> None:
        """Give events to those who listen, each listener once for all of its workflow."""
        by_workflow: dict[int, list[StreamEvent]] = {}
        for event in events:
            by_workflow.setdefault(event.workflow_id, []).append(event)
        for workflow_id, told in by_workflow.items():
            is_last = any(event.event_type == DELETED for event in told)
            for subscription in self._listeners.get(workflow_id, ()):
                subscription.put(told)
                if is_last:
                    subscription.finish()

    def close(self) -> None:
        """End all subscriptions."""
        with self._lock:
            self._is_closed = True
            left = [subscription for found in self._listeners.values() for subscription in found]
        for subscription in left:
            subscription.close()
