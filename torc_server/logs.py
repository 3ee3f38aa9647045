"""The log of a server: lines of ``key=value`` or of JSON, on standard error or in a file that is turned over."""

from __future__ import annotations

import json
import logging
import logging.handlers
import sys
import time
from pathlib import Path

FILE = "torc-server.log"
_MAX_BYTES = 10 * 1024 * 1024
_KEPT = 5
_LEVELS = {"error": logging.ERROR, "warn": logging.WARNING, "info": logging.INFO, "debug": logging.DEBUG, "trace": 5}


class _Lines(logging.Formatter):
    """``2026-01-31T08:15:30.250Z INFO torc.server: text``."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, and what was raised below it."""
        text = f"{_moment(record)} {record.levelname} {record.name}: {_one_line(record.getMessage())}"
        return f"{text}\n{self.formatException(record.exc_info)}" if record.exc_info else text


class _JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        message = record.getMessage()
        body: dict[str, str | int] = {
            "timestamp": _moment(record), "level": record.levelname.lower(), "logger": record.name, "message": message,
        }  # fmt: skip
        for part in message.split():
            name, equals, value = part.partition("=")
            if equals and name.isidentifier() and name not in body:
                body[name] = int(value) if value.isascii() and value.isdecimal() else value
        if record.exc_info:
            body["exception"] = self.formatException(record.exc_info)
        return json.dumps(body, ensure_ascii=False)


def _moment(record: logging.LogRecord) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created)) + f".{int(record.msecs):03d}Z"


def _one_line(text: str) -> str:
    """Return text in which nobody can make lines of their own, by a name or a path."""
    return text if text.isprintable() else "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def set_up(level: str, *, folder: Path | None = None, as_json: bool = False) -> None:
    """Begin to log; into a file in ``folder`` (10 MiB, five older ones are kept), else to standard error.

    Raises OSError.
    """
    handler: logging.Handler
    if folder is None:
        handler = logging.StreamHandler(sys.stderr)
    else:
        folder.mkdir(parents=True, exist_ok=True)
        handler = logging.handlers.RotatingFileHandler(folder / FILE, maxBytes=_MAX_BYTES, backupCount=_KEPT)
    handler.setFormatter(_JsonLines() if as_json else _Lines())
    logging.raiseExceptions = False  # a full disk must not end in tracebacks
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(_LEVELS[level], logging.WARNING))  # what libraries tell of themselves helps nobody
    logging.getLogger("torc").setLevel(_LEVELS[level])
