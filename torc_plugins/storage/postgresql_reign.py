"""Whose a PostgreSQL database is: one process has its advisory lock, and ``torc_owners`` says who that is and was.

The lock belongs to a connection. So that nothing depends on the lock alone, each owner also has a row of its own here,
its *reign*, which counts its commits: every transaction begins by raising the count, which fails when a newer owner has
ended the reign. The same count tells, after a connection broke during a commit, whether that was kept: the count is
final as soon as the lock is somebody else's or a new connection has it.
"""

from __future__ import annotations

import os
from typing import NamedTuple

import psycopg

from torc_core.errors import Unavailable
from torc_core.service.processes import this_machine
from torc_plugins.storage.postgresql_errors import LOST
from torc_plugins.storage.postgresql_session import Session

TABLE = """
CREATE TABLE torc_owners(
  reign bigint PRIMARY KEY, host text NOT NULL, process bigint NOT NULL, since timestamptz NOT NULL DEFAULT now(),
  backend bigint NOT NULL, commits bigint NOT NULL DEFAULT 0, ended timestamptz)
"""
_KEY = int.from_bytes(b"torc", "big")
"""The upper half of the lock's key; the lower is the number of the schema, so that each schema has an owner."""
_WAIT = "2s"
"""How long another owner is waited for: one that was killed is gone within a second or two, one that lives stays."""
_AGAIN = "200ms"
"""The same for a process that was the owner before: all who use its service wait with it."""
_ENDING = "20s"
"""How long a former connection of this process is waited for, once it was told to end."""
_KEPT_REIGNS = 100


class Reign(NamedTuple):
    """The time in which one process owns a database, over any number of connections."""

    number: int
    commits: int
    backend: int
    is_sure: bool = True
    """False when it is not known whether one commit more was kept."""

    def may_have(self, commits: int) -> bool:
        """Whether the database can have that many commits if nobody else has changed it."""
        return commits == self.commits or (not self.is_sure and commits == self.commits + 1)


class _Row(NamedTuple):
    number: int
    host: str
    process: int
    since: str
    backend: int
    commits: int
    is_over: bool


def begin_sql(reign: Reign) -> str:
    """Return what begins a transaction and changes one row, or none when the reign is over."""
    return (
        "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; "  # noqa: S608  (numbers only)
        f"UPDATE torc_owners SET commits = {reign.commits + 1} WHERE reign = {reign.number} AND ended IS NULL"
        f" AND commits = {reign.commits} AND backend = {reign.backend} AND backend = pg_backend_pid()"
    )


def take_lock(session: Session, mine: Reign | None) -> None:
    """Get the lock for this connection; ``mine`` is the reign that an earlier connection had.

    Raises Unavailable when another process has it.
    """
    key = (_KEY << 32) + session.schema_id
    [has_lock] = session.row("SELECT pg_try_advisory_lock(%s)", (key,))
    if has_lock:
        return
    wait = _WAIT if mine is None else _AGAIN
    if mine and _owner(session) == (mine.number, mine.backend):
        # The server has not noticed yet that our former connection is gone.
        session.run("SELECT pg_terminate_backend(%s::integer)", (mine.backend,))
        wait = _ENDING
    try:
        session.run(f"BEGIN; SET LOCAL lock_timeout = '{wait}'; SELECT pg_advisory_lock({key}); COMMIT")
    except psycopg.errors.LockNotAvailable as exc:
        session.run("ROLLBACK")
        raise _in_use(session) from exc


def take_reign(session: Session, mine: Reign | None) -> Reign:
    """Go on with ``mine``, if nobody else has owned the database since, or begin a new reign. Has the lock."""
    found = _newest(session)
    if mine and found and found.number == mine.number and not found.is_over and mine.may_have(found.commits):
        session.run("UPDATE torc_owners SET backend = %s WHERE reign = %s", (session.backend, mine.number))
        return Reign(mine.number, found.commits, session.backend)
    number = found.number + 1 if found else 1
    with session.driver.transaction():
        session.run("UPDATE torc_owners SET ended = now() WHERE ended IS NULL")
        session.run("DELETE FROM torc_owners WHERE reign < %s", (number - _KEPT_REIGNS,))
        session.run(
            "INSERT INTO torc_owners(reign, host, process, backend) VALUES (%s, %s, %s, %s)",
            (number, this_machine().host, os.getpid(), session.backend),
        )
    return Reign(number, 0, session.backend)


def end_reign(session: Session, mine: Reign) -> None:
    """Say that nobody owns the database now."""
    session.run("UPDATE torc_owners SET ended = now() WHERE reign = %s AND backend = %s", (mine.number, mine.backend))


def commits_of(session: Session, mine: Reign) -> int:
    """Return how many commits of a reign were kept; final when that reign's connection is known to be gone."""
    found = session.run("SELECT commits FROM torc_owners WHERE reign = %s", (mine.number,)).fetchall()
    return int(found[0][0]) if found else 0


def is_gone(session: Session, mine: Reign) -> bool:
    """Whether the connection that a reign had last is known to be gone, because it has the lock no longer."""
    return _holder(session)[0] != mine.backend


def ended(where: str) -> Unavailable:
    """Return the error for a process that thought it was the owner."""
    return Unavailable(
        f"another process has taken over {where}",
        hint="Run the command again; if it goes on, connect to the server itself: a connection pooler that shares"
        " connections between transactions (PgBouncer) cannot be used.",
        outcome=LOST,
    )


def _newest(session: Session) -> _Row | None:
    [exists] = session.row("SELECT to_regclass('torc_owners') IS NOT NULL")
    if not exists:
        return None
    rows = session.run(
        "SELECT reign, host, process, to_char(since AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), backend,"
        " commits, ended IS NOT NULL FROM torc_owners ORDER BY reign DESC LIMIT 1"
    ).fetchall()
    return _Row(*rows[0]) if rows else None


def _holder(session: Session) -> tuple[int, str]:
    """Return the server's process that has the lock and how its program calls itself; (0, "") when it is free."""
    found = session.run(
        "SELECT pid, coalesce(application_name, '') FROM pg_locks LEFT JOIN pg_stat_activity USING (pid)"
        " WHERE locktype = 'advisory' AND granted AND database = (SELECT oid FROM pg_database WHERE datname ="
        " current_database()) AND classid::bigint = %s AND objid::bigint = %s AND objsubid = 1",
        (_KEY, session.schema_id),
    ).fetchall()
    return found[0] if found else (0, "")


def _owner(session: Session) -> tuple[int, int]:
    """Return the number of the newest reign and the backend of the lock's holder, when it is that one's."""
    newest, (backend, _) = _newest(session), _holder(session)
    return (newest.number, backend) if newest and newest.backend == backend else (0, 0)


def _in_use(session: Session) -> Unavailable:
    newest, (backend, program) = _newest(session), _holder(session)
    if newest and newest.backend == backend and not newest.is_over:
        who = f"process {newest.process} on {newest.host} since {newest.since}"
    elif backend:
        who = f"{program or 'a program'} (process {backend} of the server), which is just starting"
    else:
        who = "a process that is just ending"
    return Unavailable(
        f"{session.where} is in use by {who}",
        hint="Send commands to the server that this process is, if it is one; or wait until it has ended.",
        outcome=LOST,
    )
