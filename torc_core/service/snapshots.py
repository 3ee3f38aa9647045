"""A database in memory, written to its file in snapshots: at the beginning, when asked, every so often, at the end."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from torc_core.contracts.storage import Storage
from torc_core.errors import StorageError, TorcError, Unavailable
from torc_core.records.record import Record
from torc_core.records.resources import ComputeNode
from torc_core.service.local import LocalService
from torc_core.service.turn import Turn

R = TypeVar("R", bound=Record)
_AGAIN_S = 2.0  # after a snapshot that could not be written
_GIVE_UP_S = 60.0  # for the last one, after which its process ends
_NOW, _QUIETLY, _END = "now", "quietly", "end"


class Snapshots:
    """When snapshots of one database are written, by a thread of its own. For any number of threads."""

    def __init__(self, every_s: float | None, tell: Callable[[str], None]) -> None:
        """``every_s``: seconds from one snapshot to the next, None for none between beginning and end."""
        self._every_s, self._tell = every_s, tell
        # Signal handlers put things in: these queues, unlike locks, allow that at any moment.
        self._asked: SimpleQueue[str] = SimpleQueue()
        self._given_up: SimpleQueue[None] = SimpleQueue()
        self._service: InMemoryService | None = None
        self._still_mine: Callable[[], bool] = lambda: True
        self._thread: threading.Thread | None = None
        self._failure: TorcError | None = None
        self._written_at = ""

    @property
    def has_database(self) -> bool:
        """Whether this process has the database."""
        return self._service is not None

    def check_unused(self) -> None:
        """Raise Unavailable when there was a database before: what another process has by now is an older one."""
        if self.has_database:
            raise Unavailable(
                "another process took this database over while this one was paused; what came after the last snapshot"
                f" ({self._written_at or 'none was written'}) is lost",
                hint="See where it stands with: torc status",
            )

    def begin(self, service: InMemoryService, still_mine: Callable[[], bool]) -> None:
        """Write the first snapshot, so that others find the file, and see to those that follow."""
        self._service, self._still_mine = service, still_mine
        self._attempt()
        self._thread = threading.Thread(target=self._work, name="snapshots", daemon=True)
        self._thread.start()

    def ask(self, *, quietly: bool = False) -> None:
        """Have one written soon; also for signal handlers. That it is written is told, unless ``quietly``."""
        self._asked.put(_QUIETLY if quietly else _NOW)

    def give_up(self) -> None:
        """Have the last one not be tried again; also for signal handlers."""
        self._given_up.put(None)

    def stop(self) -> None:
        """Write no more."""
        self._asked.put(_END)
        if self._thread is not None:
            self._thread.join()

    def close(self) -> None:
        """Write the last one; raises StorageError when that cannot be done in time."""
        self.stop()
        deadline = time.monotonic() + _GIVE_UP_S
        while not self._attempt():
            left = min(_AGAIN_S, deadline - time.monotonic())
            if left <= 0 or self._is_given_up(left):
                raise StorageError(
                    f"the last snapshot was not written ({self._failure}); what came after the one before"
                    f" ({self._written_at or 'none was written'}) is lost",
                    hint=(self._failure and self._failure.hint) or "",
                )

    def _is_given_up(self, seconds: float) -> bool:
        try:
            self._given_up.get(timeout=seconds)
        except Empty:
            return False
        return True

    def _work(self) -> None:
        while True:
            try:
                word = self._asked.get(timeout=self._every_s if self._failure is None else _AGAIN_S)
                if word == _END:
                    return
            except Empty:
                word = ""
            if self._attempt() and word == _NOW:
                self._tell("Snapshot written")

    def _attempt(self) -> bool:
        """Write a snapshot; a failure is told once and returned as False."""
        before = self._failure
        try:
            assert self._service is not None
            write = self._service.freeze()
            if not self._still_mine():
                raise Unavailable("the database is another process's by now, or its folder cannot be read")
            write()
        except Exception as exc:  # noqa: BLE001  (out of memory, say: the workflow goes on, and so do attempts)
            self._failure = exc if isinstance(exc, TorcError) else StorageError(f"{type(exc).__name__}: {exc}")
            if before is None or str(before) != str(self._failure):
                hint = f" {self._failure.hint}" if self._failure.hint else ""
                self._tell(f"No snapshot can be written: {self._failure}.{hint} Trying again")
            return False
        self._failure, self._written_at = None, time.strftime("%Y-%m-%d %H:%M:%S")
        if before is not None:
            self._tell("Snapshots can be written again")
        return True


class InMemoryService(LocalService):
    """Serves a database in memory; closing it writes the last snapshot."""

    def __init__(self, storage: Storage, snapshots: Snapshots, still_mine: Callable[[], bool], **options: Any) -> None:
        super().__init__(storage, still_mine=still_mine, **options)
        self._snapshots = snapshots
        snapshots.begin(self, still_mine)

    def create(self, record: R, **extra: Any) -> R:
        """Store a new record; that of the runner has a snapshot follow, so that what it runs can be resumed."""
        made = super().create(record, **extra)
        if isinstance(record, ComputeNode):
            self._snapshots.ask(quietly=True)
        return made

    def freeze(self) -> Callable[[], None]:
        """Return what writes a snapshot of this moment."""

        def freeze(turn: Turn) -> Callable[[], None]:
            return turn.storage.snapshot()

        write: Callable[[], None] = self._owner.read(freeze, self._caller)
        return write

    def close(self) -> None:
        """Let tasks end, write what there is and close the storage; raises StorageError when it is not written."""
        self._background.close()
        try:
            self._snapshots.close()
        finally:
            self._owner.close()

    def abandon(self) -> None:
        """Let go without a snapshot: the file is another process's by now."""
        self._snapshots.stop()
        super().abandon()
