"""A server from its start to its end: the database, the web server, the record by which commands find it."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import resource
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.errors import TorcError, Unavailable, UsageError
from torc_core.service import server_record
from torc_core.service.databases import Database, database_of, opener
from torc_core.service.processes import start_of, this_machine
from torc_core.service.server_address import BASE
from torc_core.service.turn import Caller
from torc_server.app import build_app
from torc_server.backups import Backups, add_backup_route
from torc_server.guards import Guard
from torc_server.metrics import Metrics
from torc_server.system import add_gauges, add_system_routes
from torc_server.web import Limits, WebServer

if TYPE_CHECKING:
    from torc_core.plugins import PluginHost
    from torc_core.service.local import LocalService

LOG = logging.getLogger("torc.server")
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_LOOK_S = 0.5
"""Between looks at whether the database is still ours."""


class Settings(NamedTuple):
    """What a server is told."""

    database: str
    host: str = "127.0.0.1"
    port: int = 8080
    threads: int = 8
    log: str = ""  # the file of the log, for people
    ends_with_stdin: bool = False
    is_unprotected: bool = False  # serve everybody on the network without logins
    durable: bool = False
    limits: Limits = Limits()


class Held(NamedTuple):
    """A database that this process owns: its service, how to leave it, and whether it is still ours."""

    service: LocalService
    leave: Callable[[], None]
    is_ours: Callable[[], bool]


def run_server(host: PluginHost, settings: Settings, guard: Guard, started: Callable[[str, int], None]) -> None:
    """Serve until SIGTERM, SIGINT or (when asked for) the end of standard input; ``started`` hears address and port.

    Raises UsageError, Unavailable, StorageError and the like when it cannot begin.
    """
    check_exposure(settings, guard)
    if settings.host not in LOOPBACK and guard.ssl_adapter is None and guard.reload is not None:
        LOG.warning("passwords travel unencrypted; use --tls-cert FILE --tls-key FILE, or a proxy that encrypts")
    stop = threading.Event()
    with _signals(stop, guard):
        database = database_of(settings.database)
        if database.path is not None and not database.path.exists():
            _probe(settings)  # else whoever owns the database is what is worth telling first
        held = hold(host, database, guard, settings.durable)
        try:
            _serve(held, settings, guard, started, stop)
        finally:
            held.leave()
    LOG.info("stopped")


def check_exposure(settings: Settings, guard: Guard) -> None:
    """Refuse to let everybody on the network do everything; raises UsageError."""
    if settings.host in LOOPBACK:
        return
    if not guard.keeps_strangers_out and not settings.is_unprotected:
        raise UsageError(
            f"everybody who reaches {settings.host} could use this server, and have commands run in the name of"
            " whoever runs workflows",
            hint="Ask for logins with --auth-file FILE --require-auth, or accept that with --unprotected.",
        )


def hold(host: PluginHost, database: Database, guard: Guard, durable: bool) -> Held:
    """Become the owner of a database; raises Unavailable when another process is."""
    caller, path = Caller(), database.path
    open_local = opener(host, database, caller, guard.access, durable=durable)
    if path is None:
        service = open_local(Path(), None)
        return Held(service, service.close, lambda: True)
    from torc_core.service.embedded import open_embedded

    made: list[LocalService] = []

    def open_and_note(path: Path, still_mine: Callable[[], bool]) -> LocalService:
        made.append(open_local(path, still_mine))
        return made[-1]

    seat = open_embedded(
        path,
        open_and_note,
        for_user=lambda service, name: service.for_caller(Caller(name)),  # type: ignore[attr-defined]
        tell=LOG.warning,
    )
    if not seat.is_owner:
        seat.close()
        raise Unavailable(
            f"{path} is in use by another process of torc, a server or a run",
            hint="Use that one, or wait for its end; torc server status shows servers.",
        )
    return Held(made[0], seat.close, lambda: seat.is_owner)


def _serve(
    held: Held, settings: Settings, guard: Guard, started: Callable[[str, int], None], stop: threading.Event
) -> None:
    metrics = Metrics()
    identify = guard.identify(held.service)
    app = build_app(held.service, identify, metrics.observe)
    _raise_descriptor_limit()
    web = WebServer(
        (settings.host, settings.port), app, held.service.owner, threads=settings.threads, limits=settings.limits,
        ssl_adapter=guard.ssl_adapter,
    )  # fmt: skip
    try:
        web.prepare()
    except OSError as exc:
        raise _cannot_listen(settings, exc) from exc
    held.service.owner.on_commit = metrics.observe_batch
    add_system_routes(app, held.service, metrics, identify)
    database = database_of(settings.database)  # written without its password
    path = database.path
    add_backup_route(app, Backups(held.service, path.parent if path is not None else None), metrics, identify)
    add_gauges(metrics, held.service, web.hub)
    thread = threading.Thread(target=_serve_web, args=(web, stop), name="hub")
    thread.start()
    scheme = "http" if guard.ssl_adapter is None else "https"
    shown = settings.host if settings.host not in ("0.0.0.0", "::") else this_machine().host  # noqa: S104  (a word)
    url = f"{scheme}://{f'[{shown}]' if ':' in shown else shown}:{web.port}{BASE}"
    record = server_record.write(_record(url, settings, guard.certificate))
    LOG.info("listening url=%s database=%s threads=%d pid=%d", url, database, settings.threads, os.getpid())
    try:
        started(url, web.port)
        if settings.ends_with_stdin:
            threading.Thread(target=_wait_for_stdin, args=(stop,), daemon=True).start()
        while not stop.wait(_LOOK_S):
            if not held.is_ours():
                raise Unavailable(f"another process has taken over {database}; this server has ended")
    finally:
        LOG.info("stopping")
        server_record.remove(record)
        web.stop()
        thread.join()


def _probe(settings: Settings) -> None:
    """Raise UsageError when the web server could not listen, so that a start that fails makes no database."""
    if os.environ.get("LISTEN_PID"):
        return  # systemd has made the socket
    try:
        places = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except OSError as exc:
        raise _cannot_listen(settings, exc) from exc
    refusals = [refusal for place in places if (refusal := _refusal(*place)) is not None]
    if len(refusals) == len(places):  # one that can be had is enough
        raise _cannot_listen(settings, refusals[-1]) from refusals[-1]


def _refusal(family: int, kind: int, protocol: int, _name: str, address: Any) -> OSError | None:
    """Return why an address cannot be listened on, None when it can."""
    try:
        with socket.socket(family, kind, protocol) as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the web server does
            sock.bind(address)
    except OSError as exc:
        return exc
    return None


def _cannot_listen(settings: Settings, exc: OSError) -> UsageError:
    """Return what to tell of an address: cheroot's error has the system's only in its text."""
    found = re.search(r"\[Errno -?\d+\] ([^)]+)", str(exc))
    place = f"cannot listen on {settings.host}:{settings.port}: {found[1] if found else exc}"
    if "already in use" in place or "denied" in place:
        return UsageError(place, hint="Choose another with --port (0: any).")
    return UsageError(place, hint="Name an address of this machine with --host.")


def _record(url: str, settings: Settings, certificate: str) -> server_record.ServerRecord:
    pid = os.getpid()
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    database = str(database_of(settings.database))
    where = (url, pid, start_of(pid), this_machine(), database)
    return server_record.ServerRecord(*where, since, settings.log, certificate)


def _serve_web(web: WebServer, stop: threading.Event) -> None:
    try:
        web.serve()
    except Exception:
        LOG.exception("the server broke and ends")
    finally:
        stop.set()


def _wait_for_stdin(stop: threading.Event) -> None:
    with contextlib.suppress(OSError, ValueError):
        while sys.stdin.buffer.read(4096):
            pass
    stop.set()


@contextlib.contextmanager
def _signals(stop: threading.Event, guard: Guard) -> Iterator[None]:
    """Have SIGTERM and SIGINT end the server in good order, the second one at once, and SIGHUP read users again.

    On a terminal SIGHUP says that it is gone, and ends the server, too.
    """

    def end(number: int, frame: object) -> None:
        if stop.is_set():
            os._exit(128 + number)
        stop.set()

    def reload(number: int, frame: object) -> None:
        threading.Thread(target=_reload, args=(guard,), name="reload").start()  # a signal must not wait for locks

    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    before[signal.SIGHUP] = signal.signal(signal.SIGHUP, end if os.isatty(0) else reload)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reload(guard: Guard) -> None:
    if guard.reload is None:
        LOG.warning("there is no file of users to read again")
        return
    try:
        LOG.info("read %d users", guard.reload())
    except TorcError as exc:
        LOG.error("the users stay as they were: %s", exc)


def _raise_descriptor_limit() -> None:
    """Allow as many connections as the system does."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with contextlib.suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
