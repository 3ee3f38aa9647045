"""Becoming a process of its own, which goes on when the terminal is closed."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import sys
from pathlib import Path
from typing import Any

from torc_core.errors import TorcError, UsageError


class Daemon:
    """The new process's end of what its parent waits for."""

    def __init__(self, pipe: int, pid_file: Path | None) -> None:
        self._pipe, self._pid_file = pipe, pid_file

    def tell(self, **said: Any) -> None:
        """Tell the parent how the start went, once; it then ends."""
        if self._pipe >= 0:
            os.write(self._pipe, json.dumps(said).encode())
            os.close(self._pipe)
            self._pipe = -1

    def end(self) -> None:
        """Leave nothing behind."""
        if self._pid_file is not None:
            self._pid_file.unlink(missing_ok=True)


def detach(pid_file: Path | None, log: Path) -> Daemon | dict[str, Any]:
    """Fork twice. Return the Daemon in the new process; in this one, what that has told about its start.

    What is written without the log goes to ``log`` beside it. Call it before there are threads. Raises UsageError for a
    pid file that cannot be written.
    """
    read, write = os.pipe()
    child = os.fork()
    if child:
        os.close(write)
        os.waitpid(child, 0)
        with open(read, "rb") as pipe:
            text = pipe.read()
        if not text:
            raise TorcError("the server ended while it started", hint=f"See {log}")
        said: dict[str, Any] = json.loads(text)
        return said
    os.close(read)
    os.setsid()
    if os.fork():
        os._exit(0)
    daemon = Daemon(write, pid_file)
    try:
        _redirect(log)
        if pid_file is not None:
            pid_file.write_text(f"{os.getpid()}\n")
    except OSError as exc:
        daemon.tell(error=str(UsageError(f"cannot write {exc.filename}: {exc.strerror}")))
        os._exit(2)
    return daemon


def _redirect(log: Path) -> None:
    sys.stdout.flush()
    nowhere = os.open(os.devnull, os.O_RDWR)
    errors = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(nowhere, 0)
    os.dup2(nowhere, 1)
    os.dup2(errors, 2)
    os.close(nowhere)
    os.close(errors)


def tell_systemd(state: str) -> None:
    """Tell how it stands to whoever started this process and waits for that, as systemd does."""
    place = os.environ.get("NOTIFY_SOCKET", "")
    if place:
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
            sock.connect(f"\0{place[1:]}" if place.startswith("@") else place)
            sock.send(state.encode())
