"""PostgreSQL's errors as errors that say which database, what is wrong and what to do."""

from __future__ import annotations

import re
from typing import Any

from psycopg import Error

from torc_core.contracts.storage import StorageError
from torc_core.errors import Invalid, TorcError, Unavailable
from torc_core.records.record import Record
from torc_plugins.storage import refusals

LOST = "not sent"
"""The outcome, in details of Unavailable, of a write whose connection was lost: nothing of it was kept."""
UNKNOWN = "unknown"
_BY_STATE = {
    "25006": ("{where} cannot be written: it is a standby or read-only", "Name the primary server."),
    "28": ("the server refuses the user of {where}", "Check user and password (in ~/.pgpass, for instance)."),
    "3D000": ("there is no database {where}", "Make it: createdb --encoding=UTF8 NAME; or check the name."),
    "42501": (
        "the user of {where} may not do this",
        "Tables are made in the first schema of the search path: GRANT CREATE, USAGE ON SCHEMA ... TO the user there.",
    ),
    "53100": ("the server has no space left to write {where}", "Free some space there; what was kept before is safe."),
    "53300": ("the server has no connection left for {where}", "Raise max_connections there, or close other programs."),
    "55P03": (
        "another program holds locks in {where}",
        "Look for an open transaction there (select * from pg_stat_activity); then run the command again.",
    ),
    "57014": ("the server gave up on a statement in {where}", "Raise statement_timeout for this user."),
    "XX001": ("{where} is damaged", "Look at the log of the server; restore a backup."),
}
"""What is wrong and what to do, by SQLSTATE or its class (the first two characters)."""
_TOO_LONG = "54000"


def explained(exc: Exception, where: str) -> TorcError:
    """Return the error for a failure of the server, not of what was asked."""
    state = (exc.sqlstate if isinstance(exc, Error) else None) or ""
    known = _BY_STATE.get(state) or _BY_STATE.get(state[:2])
    if known is None:
        return StorageError(f"{where}: {_line(exc)}", where=where)
    return StorageError(f"{known[0].format(where=where)} ({_line(exc)})", hint=known[1], where=where)


def unreachable(exc: Exception, where: str) -> TorcError:
    """Return the error for a connection that could not be made."""
    state = (exc.sqlstate if isinstance(exc, Error) else None) or ""
    text = str(exc)
    if not state and re.search(r'database "[^"]*" does not exist', text):
        state = "3D000"  # the C library tells the state of no error that ends a connection attempt
    if not state and re.search(
        r"authentication failed|no password supplied|no pg_hba\.conf entry|role .* not exist", text
    ):
        state = "28"
    if known := _BY_STATE.get(state) or _BY_STATE.get(state[:2]):
        return StorageError(f"{known[0].format(where=where)} ({_line(exc)})", hint=known[1], where=where)
    return Unavailable(
        f"cannot reach {where}: {_line(exc)}",
        hint="Check host and port, and that the server runs; then run the command again.",
        outcome=LOST,
    )


def lost(exc: Exception, where: str) -> Unavailable:
    """Return the error for a connection that broke in the middle; the server has undone what was not committed."""
    return Unavailable(
        f"the connection to {where} was lost: {_line(exc)}; nothing was kept of what was being written",
        hint="Run the command again: a new connection will be made.",
        outcome=LOST,
    )


def unknown_outcome(where: str) -> Unavailable:
    """Return the error for a commit of which the server cannot be asked."""
    return Unavailable(
        f"the connection to {where} was lost while a change was being committed, and the server cannot be asked: it is"
        " not known whether it was kept",
        hint="See what is there when the server is back, then run the command again.",
        outcome=UNKNOWN,
    )


def refused(exc: Error, kind: type[Record], row: dict[str, Any]) -> TorcError | None:
    """Return the error for a row that cannot be as it is; None when the row is not to blame.

    The server names the columns at fault in a sentence of its own language: ``Key (workflow_id, name)=(1, a) ...``.
    """
    named = re.search(r"\(([^()]*)\)=\(", exc.diag.message_detail or "")
    columns = [name.strip('"') for name in named[1].split(", ")] if named else []
    if exc.sqlstate == "23505":
        values = {name: row[name] for name in columns if name in row}
        return refusals.taken(kind, values or {name: row.get(name) for name in kind.UNIQUE})
    if exc.sqlstate == "23503":
        referring = [name for name, f in kind.FIELDS.items() if f.refers and row.get(name) is not None]
        for name in [name for name in columns if name in referring] or referring:
            return refusals.dangling(kind, name, row[name])
    return unkeepable(exc)


def unkeepable(exc: Exception) -> TorcError | None:
    """Return the error for a value that no column can hold; None when that is not what went wrong."""
    if isinstance(exc, UnicodeError):
        return Invalid(f"Unicode text only is kept: {exc}")
    if isinstance(exc, OverflowError):
        return Invalid(f"numbers of 64 bits only are kept: {exc}")
    if isinstance(exc, TypeError | ValueError | AttributeError):
        return Invalid(f"a value is of another type than its column: {exc}")
    state = (exc.sqlstate if isinstance(exc, Error) else None) or ""
    if state == _TOO_LONG:
        return Invalid(f"a value is too long to be found by: {_line(exc)}", hint="Give a shorter name.")
    if state.startswith("22") or (not state and "NUL" in str(exc)):
        return Invalid(f"a value cannot be kept: {_line(exc)}", hint="Text must not hold the character U+0000.")
    return None


def _line(exc: Exception) -> str:
    return " ".join(str(exc).split())
