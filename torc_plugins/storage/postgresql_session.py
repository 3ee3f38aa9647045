"""One connection to a PostgreSQL server, made by dataset; it holds the lock and carries every statement.

Lock and transaction live and die together: whoever has lost the connection has lost the lock, and the server has undone
what was not committed before it gave the lock to anybody else.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from typing import Any

import dataset
import psycopg
import sqlalchemy
from psycopg import Connection
from psycopg.types.numeric import Int8BinaryDumper
from sqlalchemy.engine import URL
from sqlalchemy.pool import NullPool

from torc_core.contracts.storage import StorageError
from torc_core.service.processes import FORK_GUARD
from torc_plugins.storage import postgresql_errors as errors

_CONNECT_S = 10
_OLDEST = 120000
"""The oldest server that is known to do all that is asked of it: 12."""
_SETTINGS = {
    "lock_timeout": "30s",  # for rows that some other program has locked
    "tcp_keepalives_idle": "10",  # so that the lock of a machine that went away is free after half a minute
    "tcp_keepalives_interval": "5",
    "tcp_keepalives_count": "4",
    "standard_conforming_strings": "on",
}
_KEEPALIVE = {"keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 4, "tcp_user_timeout": 30_000}


def parsed(location: str) -> URL:
    """Return the URL whose part after ``postgresql:`` is ``location``; raises StorageError."""
    try:
        url = sqlalchemy.make_url(f"postgresql:{location}")
    except (sqlalchemy.exc.ArgumentError, ValueError) as exc:
        raise StorageError(
            "the address of the PostgreSQL database cannot be read",
            hint="Write postgresql://USER@HOST:PORT/DATABASE, with %40 for @ and the like in names.",
        ) from exc
    return url.set(drivername="postgresql+psycopg")


class _Database(dataset.Database):
    """A database of dataset's with one connection for all threads, which come one at a time."""

    _only: sqlalchemy.Connection | None = None

    @property
    def executable(self) -> sqlalchemy.Connection:
        if self._only is None:
            assert self.engine is not None
            self._only = self.engine.connect()
        return self._only

    def close(self) -> None:
        if self._only is not None:
            self._only.invalidate()  # without a last word to a server that may be gone
            self._only.close()
        super().close()


class Session:
    """A connection as long as it lasts."""

    def __init__(self, url: URL, where: str, name: str, durable: bool) -> None:
        """Connect. ``where`` and ``name`` say to people which database and which program. Raises TorcError."""
        self.where = where
        arguments = {**_KEEPALIVE, "connect_timeout": _CONNECT_S, "application_name": name, "client_encoding": "utf8"}
        self.database = _Database(
            url.render_as_string(hide_password=False),
            ensure_schema=False,
            engine_kwargs={
                "poolclass": NullPool,
                "isolation_level": "AUTOCOMMIT",
                "connect_args": {key: value for key, value in arguments.items() if key not in url.query},
            },
        )
        try:
            connection = self.database.executable.connection.driver_connection
        except sqlalchemy.exc.DBAPIError as exc:
            raise errors.unreachable(exc.orig or exc, where) from exc
        except psycopg.Error as exc:
            raise errors.unreachable(exc, where) from exc
        assert isinstance(connection, Connection)
        self.driver: Connection[tuple[Any, ...]] = connection
        connection.prepared_max = 256
        self.cursor = connection.cursor()
        """For all statements; each has its answer taken before the next."""
        for kind in (int, bool):
            self.cursor.adapters.register_dumper(kind, Int8BinaryDumper)  # one type, or each size is another statement
        self._poll = select.poll()
        self._poll.register(connection.fileno(), select.POLLIN)
        FORK_GUARD.add(self, self.forget)
        try:
            self._prepare(durable)
        except BaseException:
            self.close()
            raise

    def _prepare(self, durable: bool) -> None:
        try:
            if self.driver.info.server_version < _OLDEST:
                raise StorageError(f"the server of {self.where} is too old", hint="PostgreSQL 12 or newer is needed.")
            encoding, schema, self.schema_id, self.backend = self.row(
                "SELECT current_setting('server_encoding'), current_schema(),"
                " (SELECT oid::bigint FROM pg_namespace WHERE nspname = current_schema()), pg_backend_pid()"
            )
            if encoding != "UTF8":
                raise StorageError(
                    f"{self.where} keeps text as {encoding}, which cannot hold all of it",
                    hint="Make the database with: createdb --encoding=UTF8 --template=template0 NAME",
                )
            if schema is None:
                raise StorageError(
                    f"{self.where}: no schema of the search path exists", hint="Make one with: CREATE SCHEMA NAME"
                )
            [has_icu] = self.row("SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'und-x-icu')")
            self.collation = f'COLLATE "{"und-x-icu" if has_icu else "default"}"'
            self._set(_SETTINGS)
            if durable and self.row("SHOW synchronous_commit")[0] in ("off", "local"):
                self._set({"synchronous_commit": "on"})
            with suppress(psycopg.errors.InvalidParameterValue):  # not every system can tell
                self._set({"client_connection_check_interval": "1s"})  # a statement ends when this process is gone
            self.run("SELECT set_config('search_path', quote_ident(%s), false)", (schema,))
        except psycopg.Error as exc:
            raise (errors.unreachable if self.ends_by(exc) else errors.explained)(exc, self.where) from exc

    def _set(self, settings: dict[str, str]) -> None:
        """Change settings of the session; those that the server's version does not know are passed over."""
        names = "SELECT set_config(name, value, false) FROM unnest(%s::text[], %s::text[]) AS s(name, value)"
        known = "JOIN pg_settings USING (name)"
        self.run(f"{names} {known}", (list(settings), list(settings.values())))

    @property
    def is_lost(self) -> bool:
        """Whether the connection is known to be broken."""
        return self.driver.closed

    def ends_by(self, exc: BaseException) -> bool:
        """Whether an error is the end of the connection, also if the server's last word was heard before the end."""
        is_last_word = isinstance(exc, psycopg.Error) and exc.diag.severity_nonlocalized in ("FATAL", "PANIC")
        if is_last_word:
            self.driver.close()
        return is_last_word or self.driver.closed

    def is_alive(self) -> bool:
        """Whether the connection still stands, as far as the server has told; costs next to nothing when it does."""
        if self.driver.closed:
            return False
        if not self._poll.poll(0):
            return True
        try:  # the server said something unasked: farewell, or a notice
            self.run("SELECT 1")
        except psycopg.Error as exc:
            return not self.ends_by(exc)
        return True

    def run(self, text: str, values: Any = None) -> psycopg.Cursor[tuple[Any, ...]]:
        """Carry out a statement (several, when there are no values); raises psycopg's errors."""
        return self.cursor.execute(text, values)  # type: ignore[arg-type]  # psycopg wants literals; ours are derived

    def last(self, text: str) -> psycopg.Cursor[tuple[Any, ...]]:
        """Carry out several statements as one message and return what the last of them said."""
        cursor = self.run(text)
        while cursor.nextset():
            pass
        return cursor

    def row(self, text: str, values: Any = None) -> tuple[Any, ...]:
        """Return the only row of an answer."""
        [found] = self.run(text, values).fetchall()
        return found

    def close(self) -> None:
        """End the connection; the server then undoes what is open and frees the lock. Twice is fine."""
        FORK_GUARD.remove(self)
        self.database.close()
        self.driver.close()

    def forget(self) -> None:
        """Let a forked child have no part in the connection, without a word to the server."""
        os.close(self.driver.fileno())
