"""What the owner of a database does by itself: it ends leases of silent runners and wakes jobs whose moment has come.

In a thread that is there only once somebody has a lease or waits for a moment. Runners of torc would do without it, as
they ask often enough; people, listeners and runners of other programs would not.
"""

from __future__ import annotations

import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from torc_core.errors import NotFound, TorcError
from torc_core.service.clock import now_ms
from torc_core.service.leases import LOOK_SECONDS
from torc_core.service.orphans import expire, load_leases
from torc_core.service.retrying import wake_due
from torc_core.service.turn import Caller, Turn

if TYPE_CHECKING:
    from torc_core.service.leases import Runner
    from torc_core.service.owner import Owner

_CALLER = Caller("torc")
_FINISH_S = 10.0


class Upkeep:
    """Belongs to one owner, which closes it. For any number of threads."""

    def __init__(self, owner: Owner) -> None:
        self._owner = owner
        self._lock = threading.Lock()  # nobody asks the owner while having it
        self._wakes: dict[int, float] = {}  # by workflow, monotonic
        self._moved = threading.Event()
        self._thread: threading.Thread | None = None
        self._is_closed = self._is_new = False
        self._pause_until = 0.0

    def wake_at(self, workflow_id: int, moment: int) -> None:
        """Wake jobs of a workflow at a moment (ms since 1970)."""
        at = time.monotonic() + max(0, moment - now_ms()) / 1000
        with self._lock:
            if at >= self._wakes.get(workflow_id, float("inf")):
                return
            self._wakes[workflow_id] = at
        self.look_soon()

    def look_soon(self) -> None:
        """There may be more to wait for."""
        with self._lock:
            if self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)
                self._thread.start()
        self._moved.set()

    def begin_anew(self) -> None:
        """Somebody else may have changed what is known of runners."""
        self._is_new = True
        self.look_soon()

    def close(self) -> None:
        """Do nothing more; what is being done is waited for."""
        with self._lock:
            self._is_closed = True
            thread = self._thread
        self._moved.set()
        if thread is not None and thread is not threading.current_thread():
            thread.join(_FINISH_S)

    def _work(self) -> None:
        while self._wait():
            if self._is_new:
                self._is_new = not self._try("runners are not known", load_leases)
            if time.monotonic() >= self._pause_until:
                self._end_leases()
            self._wake()

    def _wait(self) -> bool:
        """Wait until something is due; returns whether to go on."""
        while not self._is_closed:
            self._moved.clear()
            with self._lock:
                times = list(self._wakes.values())
            look_at = self._owner.next_look()
            if look_at is not None:
                times.append(max(look_at, self._pause_until))
            if self._is_new:
                times.append(self._pause_until)
            left = min(times, default=float("inf")) - time.monotonic()
            if left <= 0:
                return not self._is_closed
            self._moved.wait(left if times else None)
        return False

    def _end_leases(self) -> None:
        by_workflow: dict[int, list[Runner]] = {}
        for runner in self._owner.silent_runners():
            by_workflow.setdefault(runner.workflow_id, []).append(runner)
        for workflow_id, runners in by_workflow.items():
            ids = [runner.compute_node_id for runner in runners]
            self._try(f"workflow_id={workflow_id} leases are not ended", partial(_end, workflow_id, ids))

    def _wake(self) -> None:
        now = time.monotonic()
        with self._lock:
            due = [id for id, at in self._wakes.items() if at <= now]
            for id in due:
                del self._wakes[id]
        for workflow_id in due:
            self._try(
                f"workflow_id={workflow_id} jobs are not woken", lambda turn, id=workflow_id: _wake_jobs(turn, id)
            )

    def _try(self, trouble: str, work: object) -> bool:
        """Do something in a turn; returns whether there is nothing left of it to do."""
        try:
            self._owner.write(work, _CALLER)  # type: ignore[arg-type]
        except NotFound:
            pass  # the workflow is gone
        except Exception as exc:  # noqa: BLE001  (the thread is for all workflows)
            self._complain(trouble, exc)
            self._pause_until = time.monotonic() + LOOK_SECONDS
            return False
        return True

    def _complain(self, trouble: str, exc: Exception) -> None:
        import logging  # here: hardly any owner has something to say

        log = logging.getLogger(__name__)
        if not isinstance(exc, TorcError):
            log.error("%s", trouble, exc_info=exc)
        elif not self._is_closed:
            log.warning("%s: %s", trouble, exc)


def _end(workflow_id: int, compute_node_ids: list[int], turn: Turn) -> None:
    silent = [id for id in compute_node_ids if turn.is_silent(id)]
    if not silent:
        return  # they have been heard of meanwhile
    try:
        expire(turn, workflow_id, silent)
    except NotFound:
        turn.end_leases(silent)
        raise


def _wake_jobs(turn: Turn, workflow_id: int) -> None:
    state = turn.state(workflow_id)
    wake_due(turn, state)
    turn.wake_later(state)
