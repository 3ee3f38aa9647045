"""Copies of the database of a running server: made between two pieces of its work, sent as a file."""

from __future__ import annotations

import logging
import mmap
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import bottle

from torc_core.errors import Conflict, StorageError, TorcError
from torc_server.app import PREFIX, refusal, written
from torc_server.callers import Identify, dialect_of
from torc_server.copies import BACKUP, copy_of
from torc_server.metrics import Metrics
from torc_server.replies import Answer, span_id

if TYPE_CHECKING:
    from torc_core.service.local import LocalService
    from torc_core.service.turn import Caller, Turn

LOG = logging.getLogger("torc.server")
_KIND = "application/vnd.sqlite3"


class Backups:
    """Makes copies for those who may have them, one at a time."""

    def __init__(self, service: LocalService, place: Path | None) -> None:
        """``place`` is a folder with room for a copy; None: that of the system."""
        self._service, self._place = service, place
        self._lock = threading.Lock()

    def copy(self, caller: Caller, as_sqlite: bool) -> mmap.mmap:
        """Return the bytes of a copy that has no name any more; raises TorcError."""
        owner = self._service.owner
        owner.read(_check, caller)
        if not self._lock.acquire(blocking=False):
            raise Conflict("another copy of the database is being made", hint="Try again in a moment.")
        try:
            began = time.perf_counter()
            with _folder(self._place) as folder:
                path = folder / "copy.db"
                owner.read(lambda turn: copy_of(turn.storage, path, as_sqlite), caller)
                with path.open("rb") as file:
                    data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        finally:
            self._lock.release()
        seconds = time.perf_counter() - began
        LOG.info("copied the database user=%s bytes=%d seconds=%.3f", caller.user, len(data), seconds)
        return data


def _check(turn: Turn) -> None:
    turn.access.check(turn, BACKUP, {})


@contextmanager
def _folder(place: Path | None) -> Iterator[Path]:
    try:
        made = Path(tempfile.mkdtemp(prefix=".torc-backup-", dir=place))
    except OSError as exc:
        raise StorageError(f"the server cannot write a copy: {exc.strerror}: {exc.filename}") from exc
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def add_backup_route(app: bottle.Bottle, backups: Backups, metrics: Metrics, identify: Identify) -> None:
    """Answer requests for copies."""

    def answer(environ: dict[str, Any]) -> bottle.HTTPResponse | bytes:
        caller = identify(environ, dialect_of(environ.get("HTTP_USER_AGENT", ""), False))
        as_sqlite = bottle.request.query.get("as_sqlite") == "true"
        reply = Answer(200, backups.copy(caller, as_sqlite), content_type=_KIND)
        conn = environ.get("torc.connection")
        if conn is None:
            return written(reply._replace(body=bytes(reply.body)))
        conn.answer(reply, span_id(environ.get("HTTP_X_SPAN_ID")))
        return b""

    app.route(PREFIX + BACKUP.path, BACKUP.method, _observed(answer, metrics))


def _observed(
    answer: Callable[[dict[str, Any]], bottle.HTTPResponse | bytes], metrics: Metrics
) -> Callable[[], bottle.HTTPResponse | bytes]:
    def handle() -> bottle.HTTPResponse | bytes:
        began, status = time.perf_counter(), 200
        try:
            return answer(bottle.request.environ)
        except Exception as exc:  # noqa: BLE001  (every request has an answer)
            status = exc.code if isinstance(exc, TorcError) else 500
            return refusal(exc)
        finally:
            metrics.observe(BACKUP.name, status, time.perf_counter() - began)

    return handle
