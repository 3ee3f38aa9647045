"""Who asks: found from a plugin, a worker token, or name and password; else nobody, or our own client's word for it.

Without a file of users everybody is anonymous. With one, no login is anonymous, the right one is its user, and a wrong
one is nobody, too; when logins are required, only right ones get in. A worker token that has ended is refused always.
"""

from __future__ import annotations

import binascii
import logging
from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torc_core.contracts.access import ANONYMOUS, AuthRequest, Principal
from torc_core.errors import PluginError, Unauthorized
from torc_core.service.tokens import is_worker_token
from torc_core.service.turn import Caller
from torc_server.callers import Dialect, trusting

if TYPE_CHECKING:
    from torc_core.plugin_access import AccessPlugins
    from torc_core.service.local import LocalService
    from torc_server.credentials import Credentials

LOG = logging.getLogger("torc.server.logins")


class Logins:
    """Finds out who sends a request. For any number of threads."""

    def __init__(
        self,
        service: LocalService,
        *,
        credentials: Credentials | None = None,
        is_required: bool = False,
        is_trusting: bool = False,
        plugins: AccessPlugins | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> None:
        """``is_trusting``: without a login, believe the name that our own client says."""
        self._service, self._credentials = service, credentials
        self._is_required, self._is_trusting = is_required, is_trusting
        self._plugins = plugins if plugins is not None and plugins.know_users else None
        self._config = config or {}

    def __call__(self, environ: dict[str, Any], dialect: Dialect) -> Caller:
        """Return who asks; raises Unauthorized, TooManyLogins."""
        if self._plugins is not None:
            principal = self._by_plugin(environ)
            if principal is not None:
                return Caller(principal.user, dialect.release, principal.is_login)
        scheme, _, rest = environ.get("HTTP_AUTHORIZATION", "").partition(" ")
        scheme, rest = scheme.lower(), rest.strip()
        if scheme == "bearer" and is_worker_token(rest):
            return self._service.caller_of_token(rest, dialect.release)
        if scheme == "basic" and self._credentials is not None:
            user = self._by_password(rest, environ.get("REMOTE_ADDR", ""))
            if user:
                return Caller(user, dialect.release, is_login=True)
        if self._is_required:
            raise Unauthorized(
                "name and password are wrong" if scheme else "a login is required",
                hint="Log in, with --password, TORC_PASSWORD or a worker token in TORC_TOKEN.",
            )
        return trusting(environ, dialect) if self._is_trusting else Caller(ANONYMOUS, dialect.release)

    def _by_password(self, encoded: str, address: str) -> str:
        """Return the name, nothing when it is not proved."""
        try:
            user, colon, password = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return ""
        assert self._credentials is not None
        return user if colon and user and self._credentials.is_right(user, password, address) else ""

    def _by_plugin(self, environ: dict[str, Any]) -> Principal | None:
        assert self._plugins is not None
        try:
            return self._plugins.authenticate(_request_of(environ), self._config)
        except PluginError as exc:
            LOG.warning("refused by a plugin address=%s: %s", environ.get("REMOTE_ADDR", ""), exc)
            raise Unauthorized("this login was refused", hint="The log of the server has the reason.") from exc


def _request_of(environ: dict[str, Any]) -> AuthRequest:
    """Return what plugins see of a request."""
    headers = {
        name.removeprefix("HTTP_").replace("_", "-").lower(): value
        for name, value in environ.items()
        if name.startswith("HTTP_") or name in ("CONTENT_TYPE", "CONTENT_LENGTH")
    }
    return AuthRequest(
        environ.get("REQUEST_METHOD", ""),
        environ.get("PATH_INFO", ""),
        headers,
        environ.get("REMOTE_ADDR", ""),
        environ.get("wsgi.url_scheme") == "https",
    )
