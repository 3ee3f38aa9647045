"""``torc server``: run one, look at it, end it, copy its database. ``torc-server`` is the same without ``torc``."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import LEVELS, App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.output import echo, echo_json, echo_table, write
from torc_core.errors import NotFound, TorcError, UsageError
from torc_core.service import server_record
from torc_core.service.databases import database_of
from torc_server.backup_commands import backup
from torc_server.guard_commands import cert, guard_from, guard_options, token
from torc_server.unit_commands import unit_of
from torc_server.user_commands import user

_EXAMPLES = """
torc server run                              on this machine, for you
torc server run --database results/torc.db   serve what runs in this folder have stored
torc server run --daemon --log-dir logs
torc server status
"""
_END_S = 30.0
DEFAULT_DATABASE = "torc/torc.db"
"""Below the user's folder for data."""


@click.group(cls=TorcGroup, examples=_EXAMPLES)
def server() -> None:
    """Run a server for many people and machines, and look after it."""


@server.command(cls=TorcCommand, examples=_EXAMPLES)
@click.option(
    "-H", "--host", "--url", "-u", default="127.0.0.1", metavar="NAME", help="Address to listen on (127.0.0.1)."
)
@click.option("-p", "--port", type=click.IntRange(0, 65535), default=8080, help="Port to listen on (8080); 0: any.")
@click.option(
    "-d", "--database", envvar="DATABASE_URL", metavar="DATABASE", help="A file, sqlite:FILE or postgresql://..."
)
@click.option("-t", "--threads", type=click.IntRange(1, 256), default=8, help="Threads that answer requests (8).")
@click.option(
    "-l", "--log-level", type=click.Choice(LEVELS), envvar="RUST_LOG", default="info", help="How much to log (info)."
)
@click.option(
    "--log-dir", type=click.Path(path_type=Path), envvar="TORC_LOG_DIR", help="Log into a file in this folder."
)
@click.option("--json-logs", is_flag=True, help="Write the log as JSON.")
@click.option("--daemon", is_flag=True, help="Go on in the background.")
@click.option("--pid-file", type=click.Path(path_type=Path), help="With --daemon: where to write the process id.")
@click.option(
    "-c",
    "--completion-check-interval-secs",
    type=click.FloatRange(0),
    metavar="S",
    envvar="TORC_COMPLETION_CHECK_INTERVAL_SECS",
    help="Taken and not needed: jobs become ready at once.",
)
@guard_options
@click.option("--durable", is_flag=True, help="Have every change survive a power cut, at some cost of speed.")
@click.option("--unprotected", is_flag=True, help="Serve other machines without asking for logins.")
@click.option("--shutdown-on-stdin-eof", is_flag=True, help="End with standard input, as a program's child does.")
@pass_app
def run(app: App, **given: Any) -> None:
    """Serve the API on one port until SIGTERM or Ctrl-C.

    Prints TORC_SERVER_PORT=PORT when it takes requests. Without --database it keeps a database of its own in your
    folder for data. Commands that you start on this machine find the server by themselves; others name it with --url or
    TORC_API_URL.
    """
    from torc_server.daemon import Daemon, detach
    from torc_server.logs import FILE, set_up
    from torc_server.serve import Settings, check_exposure, run_server

    folder = given["log_dir"]
    database = given["database"] or app.options.get("db") or default_database()
    settings = Settings(
        database, given["host"], given["port"], given["threads"], log=str(folder / FILE) if folder else "",
        ends_with_stdin=given["shutdown_on_stdin_eof"], is_unprotected=given["unprotected"], durable=given["durable"],
    )  # fmt: skip
    guard = guard_from(app, given, given["threads"])
    check_exposure(settings, guard)
    path = database_of(database).path
    if path is not None:
        settings = settings._replace(database=os.path.abspath(path))  # noqa: PTH100  (links stay)
    if given["pid_file"] and not given["daemon"]:
        raise UsageError("--pid-file is for --daemon")
    daemon = None
    if given["daemon"]:
        folder = folder or default_log_folder()
        folder.mkdir(parents=True, exist_ok=True)
        settings = settings._replace(log=str(folder / FILE))
        found = detach(given["pid_file"], folder / "torc-server.err")
        if not isinstance(found, Daemon):
            _tell_daemon(found)
            return
        daemon = found
    set_up(given["log_level"], folder=folder, as_json=given["json_logs"])
    try:
        run_server(app.host, settings, guard, lambda url, port: _started(daemon, url, port))
    except TorcError as exc:
        if daemon is None:
            raise
        daemon.tell(error=str(exc), hint=exc.hint)
        raise
    finally:
        if daemon is not None:
            daemon.end()


def _started(daemon: Any, url: str, port: int) -> None:
    from torc_server.daemon import tell_systemd

    if daemon is not None:
        daemon.tell(url=url, port=port, pid=os.getpid())
    else:
        _echo_port(port)
        tell_systemd("READY=1")


def _echo_port(port: int) -> None:
    write(f"TORC_SERVER_PORT={port}\n")
    sys.stdout.flush()


def _tell_daemon(said: dict[str, Any]) -> None:
    if "error" in said:
        raise TorcError(said["error"], hint=said.get("hint", ""))
    _echo_port(said["port"])
    echo(f"The server runs as process {said['pid']} at {said['url']}", err=True)


def default_database() -> str:
    """Return the database of a server that was told none, making its folder."""
    home = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111
    path = Path(home) / DEFAULT_DATABASE
    path.parent.mkdir(parents=True, exist_ok=True)
    return str(path)


def default_log_folder() -> Path:
    """Return where a server in the background logs that was told no folder."""
    place = server_record.folder()
    if place is None:
        raise UsageError("there is no home folder for the log", hint="Name a folder with --log-dir.")
    return place.parent / "logs"


@server.command(cls=TorcCommand)
@pass_app
def status(app: App) -> int:
    """List your servers on this machine, and whether they answer; exit 1 when one does not, or there is none."""
    found = server_record.servers()
    rows = [(record, _answers(record)) for record in found]
    if app.wants_json:
        echo_json(
            {
                "servers": [
                    {"url": r.url, "pid": r.pid, "database": r.database, "since": r.since, "log": r.log, "answers": ok}
                    for r, ok in rows
                ]
            }
        )
    elif found:
        columns = ("PID", "URL", "Database", "Since", "Answers")
        echo_table(columns, [(r.pid, r.url, r.database, r.since, ok) for r, ok in rows], total="servers")
    else:
        echo("No server of yours runs on this machine. Start one with: torc server run")
    return 0 if rows and all(answers for _, answers in rows) else 1


def _answers(record: server_record.ServerRecord) -> bool:
    from torc_core.service.http import HttpService
    from torc_core.service.server_address import Encryption

    service = HttpService(record.url, encryption=Encryption(record.certificate))
    try:
        service.get_version()
    except TorcError as exc:
        return exc.code in (401, 403)  # it is there, and asks who this is
    finally:
        service.close()
    return True


@server.command(cls=TorcCommand)
@click.argument("pid", type=int, required=False)
@click.option("--all", "every", is_flag=True, help="End all of them.")
def stop(pid: int | None, every: bool) -> None:
    """End your server on this machine in good order; PID chooses one of several."""
    found = server_record.servers()
    chosen = [record for record in found if every or pid in (None, record.pid)]
    if not chosen:
        what = "no server of yours runs on this machine" if pid is None else f"process {pid} is no server of yours"
        raise NotFound(what, hint="See torc server status")
    if len(chosen) > 1 and not every:
        listed = ", ".join(f"{record.pid} ({record.url})" for record in chosen)
        raise UsageError(f"there are several servers: {listed}", hint="Name one by its PID, or use --all.")
    for record in chosen:
        os.kill(record.pid, signal.SIGTERM)
    deadline = time.monotonic() + _END_S
    while left := [record for record in chosen if record.is_alive]:
        if time.monotonic() > deadline:
            raise TorcError(f"process {left[0].pid} does not end", hint=f"End it at once with: kill -9 {left[0].pid}")
        time.sleep(0.05)
    echo(f"Ended {', '.join(str(record.pid) for record in chosen)}", err=True)


@server.command(cls=TorcCommand)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="File to write (standard output).")
def openapi(output: Path | None) -> None:
    """Write the OpenAPI document of the API."""
    import json

    from torc_server.openapi import document

    text = json.dumps(document(), indent=2, ensure_ascii=False) + "\n"
    if output is None:
        write(text)
    else:
        output.write_text(text)


for command in (backup, unit_of(run), user, token, cert):
    server.add_command(command)


def main(arguments: list[str] | None = None) -> None:
    """Be ``torc-server``: the commands of the group; ``run`` when none is named."""
    from torc_core.cli.main import main as torc

    words = sys.argv[1:] if arguments is None else arguments
    server.program = "torc-server"
    named = bool(words) and (not words[0].startswith("-") or words[0] in ("-h", "--help"))
    torc(["server", *words] if named else ["server", "run", *words])
