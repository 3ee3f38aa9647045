"""The hold that one process has on a PostgreSQL database: connection, lock, reign and the open transaction.

The connection may break at any time; a new one is then made at the next use. In the middle of a transaction that is an
error, and nothing of the transaction is kept. During a commit it is found out whether that was kept.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import Enum

import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from torc_core.contracts.storage import StorageError
from torc_core.errors import TorcError, Unavailable
from torc_core.service.processes import this_machine
from torc_plugins.storage import postgresql_errors as errors
from torc_plugins.storage import postgresql_reign as reigns
from torc_plugins.storage import postgresql_schema as schema
from torc_plugins.storage import refusals
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.postgresql_queries import dialect
from torc_plugins.storage.postgresql_reign import Reign
from torc_plugins.storage.postgresql_session import Session, parsed

_ASK_S = 30.0
"""How long a server is asked again after a connection broke during a commit: it may be starting anew."""
_PAUSE_S = 0.1


class State(Enum):
    """Where a transaction stands."""

    OUTSIDE = "outside"
    BEGUN = "begun"  # here; the server does not know yet
    OPEN = "open"
    UNDONE = "undone"  # and not left yet
    SNAPSHOT = "snapshot"  # only reads, all of one moment


_ONE_CONNECTION = (State.OPEN, State.UNDONE, State.SNAPSHOT)
"""In these a new connection would not go on with what the former one began."""


class Hold:
    """Opens one schema of a database for this process alone; for one thread at a time."""

    dialect: Dialect

    def __init__(self, location: str, durable: bool) -> None:
        """``location`` is the rest of a URL, ``//user@host:port/database``. Raises TorcError."""
        url = self._url = parsed(location)
        self.where = str(URL.create("postgresql", url.username, None, url.host, url.port, url.database))
        """The database, for messages."""
        parts = (url.username, None, url.host, url.port, url.database)
        self.place = str(URL.create("postgresql", *parts, url.query).difference_update_query(["password"]))
        """The same with everything but passwords, for other programs."""
        self.last_ids: dict[str, int] = {}
        """The highest id of each kind that was ever given or used."""
        self.finished: list[str] = []
        """Cursors on the server that nobody reads any more."""
        self.state = State.OUTSIDE
        self._durable = durable
        self._pid = os.getpid()
        self._closed = False
        self._reign: Reign | None = None
        self._is_outdated = False
        self._kept_ids: dict[str, int] = {}
        self._session: Session | None = self._connected()

    # the connection

    def _connected(self) -> Session:
        """Return a new connection that has the lock. Raises TorcError."""
        session = Session(self._url, self.where, f"torc {this_machine().host} {os.getpid()}", self._durable)
        try:
            reigns.take_lock(session, self._reign)
            self.dialect = dialect(session.collation)
            schema.upgrade(session, self.dialect)
            reign = reigns.take_reign(session, self._reign)
            self.last_ids = dict(session.run("SELECT kind, last FROM torc_ids").fetchall())
        except BaseException as exc:
            cause = exc.orig if isinstance(exc, DBAPIError) else exc
            was_lost = cause is not None and session.ends_by(cause)
            session.close()
            if not isinstance(cause, psycopg.Error):
                raise
            raise (errors.unreachable if was_lost else errors.explained)(cause, self.where) from exc
        self._is_outdated |= self._reign is not None and reign.number != self._reign.number
        self._reign = reign
        return session

    def ready(self) -> Session:
        """Return the connection, a new one if need be; raises Unavailable if others may have changed rows meanwhile."""
        session, is_new = self._current()
        if is_new and self._is_outdated:
            raise Unavailable(
                f"{self.where} was another process's for a while",
                hint="Run the command again: it will see what that process did.",
                outcome=errors.LOST,
            )
        return session

    def _current(self) -> tuple[Session, bool]:
        """Return the connection and whether it was made just now."""
        if self._closed:
            raise StorageError(f"{self.where} is closed")
        if self._pid != os.getpid():  # forked: connection and reign are the parent's
            self._session, self._reign, self._pid = None, None, os.getpid()
        session = self._session
        if self.state in _ONE_CONNECTION:
            if session is None:
                raise errors.lost(psycopg.OperationalError("it ended earlier in this transaction"), self.where)
            return session, False
        if session is not None and session.is_alive():
            if self.finished:
                self._close_finished(session)
            return session, False
        self._drop()
        self._session = self._connected()
        return self._session, True

    def _drop(self) -> None:
        session, self._session = self._session, None
        self.finished.clear()
        if session is not None:
            session.close()

    def _close_finished(self, session: Session) -> None:
        while self.finished:
            with suppress(psycopg.Error):  # gone with a transaction that was undone, perhaps
                session.run(f"CLOSE {self.finished.pop()}")

    def renew(self) -> bool:
        """Make a new connection if the last one was lost; True when another process was the owner meanwhile."""
        self._current()
        was_outdated, self._is_outdated = self._is_outdated, False
        return was_outdated

    # transactions

    def begin(self) -> None:
        """Begin to take writes."""
        if self.state is not State.OUTSIDE:
            raise refusals.nested_transaction()
        self.ready()
        self.state = State.BEGUN

    def end(self, *, keep: bool) -> None:
        """Have all that was written kept or undone."""
        state = self.state
        try:
            if state is State.OPEN:
                if keep:
                    self._commit()
                else:
                    self._undo()
            elif state is State.UNDONE and keep:
                raise refusals.undone_transaction()
        finally:
            self.state = State.OUTSIDE

    def begun(self) -> Session:
        """Return the connection with an open transaction; raises Unavailable when another process is the owner."""
        if self.state in (State.OUTSIDE, State.UNDONE):
            raise refusals.outside_transaction()
        if self.state is State.BEGUN:
            session = self.ready()
            assert self._reign is not None
            self._kept_ids = dict(self.last_ids)
            self.state = State.OPEN
            try:
                is_mine = session.last(reigns.begin_sql(self._reign)).rowcount == 1
            except psycopg.Error as exc:
                raise self._failed(exc) from exc
            if not is_mine:
                self._undo()
                self._drop()
                raise reigns.ended(self.where)
        assert self._session is not None
        return self._session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """Give the connection for a write; whatever fails undoes the transaction."""
        session = self.begun()
        try:
            yield session
        except psycopg.Error as exc:
            raise self._failed(exc) from exc
        except BaseException:
            self._undo()
            raise

    def _failed(self, exc: psycopg.Error) -> TorcError:
        """Undo the transaction, if there is one, and return the error for a statement that failed."""
        was_lost = self._session is None or self._session.ends_by(exc)
        if self.state is State.OPEN:
            self._undo()
        if was_lost:
            self._drop()
            return errors.lost(exc, self.where)
        return errors.unkeepable(exc) or errors.explained(exc, self.where)

    def _undo(self) -> None:
        if self.state is not State.OPEN:
            return
        self.state = State.UNDONE
        self.last_ids = self._kept_ids
        session = self._session
        if session is not None:
            with suppress(psycopg.Error):
                session.run("ROLLBACK")
            if session.driver.info.transaction_status is not TransactionStatus.IDLE:
                self._drop()  # the server undoes it, now or when it hears of this

    def _commit(self) -> None:
        session, reign = self._session, self._reign
        assert session is not None
        assert reign is not None
        raised = [(kind, last) for kind, last in self.last_ids.items() if self._kept_ids.get(kind) != last]
        try:
            said = session.last(f"{_ids_sql(raised)}COMMIT").statusmessage
        except psycopg.Error as exc:
            if not session.ends_by(exc):
                raise self._failed(exc) from exc
            self._find_out(reign, exc)
            return
        except BaseException:  # interrupted, with or without the server having heard of it
            self._undo()
            self._drop()
            self._reign = reign._replace(is_sure=False)
            raise
        if said != "COMMIT":  # the server had undone it, as after a statement that was interrupted
            self.last_ids = self._kept_ids
            raise refusals.undone_transaction()
        self._reign = reign._replace(commits=reign.commits + 1)

    def _find_out(self, reign: Reign, exc: psycopg.Error) -> None:
        """Return if the commit that ``exc`` interrupted was kept; raises Unavailable if it was not, or nobody knows."""
        self._drop()
        self.state = State.OUTSIDE
        self._reign = reign._replace(is_sure=False)
        deadline = time.monotonic() + _ASK_S
        commits: int | None = None
        while commits is None and time.monotonic() < deadline:
            try:
                self._session = self._connected()
                commits = reigns.commits_of(self._session, reign)
            except Unavailable:
                commits = self._asked_as_a_stranger(reign)
            except TorcError:
                break
            except psycopg.Error:
                self._drop()
            if commits is None:
                time.sleep(_PAUSE_S)
        if commits is None:
            raise errors.unknown_outcome(self.where) from exc
        if commits <= reign.commits:
            raise errors.lost(exc, self.where) from exc

    def _asked_as_a_stranger(self, reign: Reign) -> int | None:
        """Return the commits of a reign that another process has ended; None when the server cannot tell now."""
        with suppress(TorcError, psycopg.Error):
            session = Session(self._url, self.where, "torc", durable=False)
            try:
                return reigns.commits_of(session, reign) if reigns.is_gone(session, reign) else None
            finally:
                session.close()
        return None

    @contextmanager
    def reading(self, known: Session | None = None) -> Iterator[Session]:
        """Give the connection, which must be the ``known`` one if that is given, for a read."""
        session = self.ready()
        if known is not None and known is not session:
            raise errors.lost(psycopg.OperationalError("rows were still being read"), self.where)
        try:
            yield session
        except psycopg.Error as exc:
            raise self._failed(exc) from exc
        except (UnicodeError, OverflowError) as exc:
            raise errors.unkeepable(exc) or exc from exc

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Have all reads inside see the same moment."""
        if self.state is not State.OUTSIDE:
            raise refusals.nested_transaction()
        session = self.ready()
        self.state = State.SNAPSHOT
        try:
            session.run("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
            yield
        except psycopg.Error as exc:
            raise self._failed(exc) from exc
        finally:
            self.state = State.OUTSIDE
            with suppress(psycopg.Error):
                session.run("ROLLBACK")

    def close(self) -> None:
        """Let others own the database."""
        session, reign = self._session, self._reign
        if session is not None and reign is not None and self._pid == os.getpid():
            if self.state is State.OUTSIDE and not session.is_lost:
                with suppress(psycopg.Error):
                    reigns.end_reign(session, reign)
            session.close()
        self._session, self._closed = None, True

    def abandon(self) -> None:
        """Let go without writing anything."""
        self._reign = None
        if self._session is not None and self._pid == os.getpid():
            self._session.close()
        self.close()


def _ids_sql(raised: list[tuple[str, int]]) -> str:
    """Return the statement that keeps the highest ids, or nothing; kinds are declared names, ids whole numbers."""
    if not raised:
        return ""
    values = ", ".join(f"('{kind}', {last:d})" for kind, last in raised)
    return f"INSERT INTO torc_ids VALUES {values} ON CONFLICT (kind) DO UPDATE SET last = excluded.last; "  # noqa: S608
