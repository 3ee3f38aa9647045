"""Everything that can go wrong, as the caller should hear it.

Library code raises these; the command line turns them into text and exit codes in one place, the server into one JSON
shape. ``code`` is the HTTP status that stands for the error, ``exit_code`` what the command line ends with.
"""

from __future__ import annotations

from typing import Any, ClassVar


class TorcError(Exception):
    """Base of all errors: what was being done and what was found; ``hint`` says what to do next."""

    code: ClassVar[int] = 500
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str = "", **details: Any) -> None:
        super().__init__(message)
        self.hint = hint
        self.details = details

    def wire(self) -> dict[str, Any]:
        """Return the JSON shape that every error has on the wire."""
        body = {"message": str(self), "error": type(self).__name__, **self.details}
        if self.hint:
            body["hint"] = self.hint
        return {"error": body}


class UsageError(TorcError):
    """The command line itself is wrong."""

    code = 400
    exit_code = 2


class Malformed(TorcError):
    """The request cannot be read."""

    code = 400


class Unauthorized(TorcError):
    """The caller has not shown who it is."""

    code = 401


class Forbidden(TorcError):
    """The caller may not do this."""

    code = 403


class NotFound(TorcError):
    """There is no such record."""

    code = 404


class Conflict(TorcError):
    """Somebody else was first."""

    code = 409


class Invalid(TorcError):
    """Readable, but impossible: a wrong value or a wrong state."""

    code = 422


class NoAuthFile(Invalid):
    """The server has no file of users."""


class Unsupported(TorcError):
    """Declared, but not offered by this service or plugin."""

    code = 501


class Unavailable(TorcError):
    """The service cannot be reached or cannot write; trying again later may help."""

    code = 503


class StorageError(TorcError):
    """The storage cannot do its work: no space, no permission, a damaged or a newer file. Says what to do."""

    code = 503


class PluginError(TorcError):
    """A plugin broke its contract; the message names it."""


BY_NAME: dict[str, type[TorcError]] = {
    kind.__name__: kind
    for kind in (
        TorcError, UsageError, Malformed, Unauthorized, Forbidden, NotFound, Conflict, Invalid, NoAuthFile, Unsupported,
        Unavailable, StorageError, PluginError,
    )
}  # fmt: skip
"""Error classes by the name they have on the wire."""
