"""Where a server is, how the user shows who it is, and how the server does."""

from __future__ import annotations

import ssl
from base64 import b64encode
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from torc_core.errors import UsageError

BASE = "/torc-service/v1"
"""The path of the API."""


class Address(NamedTuple):
    """Where a server is."""

    is_encrypted: bool
    host: str
    port: int
    base: str

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{'https' if self.is_encrypted else 'http'}://{host}:{self.port}{self.base}"


def address_of(url: str) -> Address:
    """Read a URL; the path of the API may be left out. Raises UsageError."""
    hint = f"Write it like http://HOST:8080{BASE}"
    try:
        parts = urlsplit(url)
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as exc:
        raise UsageError(f"cannot read the address of the server {url!r}: {exc}", hint=hint) from exc
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise UsageError(f"cannot read the address of the server {url!r}", hint=hint)
    if parts.username is not None:
        raise UsageError("the address of the server holds a name or a password", hint="Use TORC_PASSWORD instead.")
    return Address(parts.scheme == "https", parts.hostname, port, parts.path.rstrip("/") or BASE)


class Login(NamedTuple):
    """How the user shows who it is: by name and password, or by a token; and a cookie for a proxy on the way."""

    user: str = ""
    password: str | None = None
    token: str = ""
    cookie: str = ""

    def headers(self) -> dict[str, str]:
        """Return what is sent with every request."""
        found = {"X-Torc-Client-User": quote(self.user, safe=" @!$&'*+-.^_`|~")} if self.user else {}
        if self.cookie:
            found["Cookie"] = self.cookie
        if self.token:
            found["Authorization"] = f"Bearer {self.token}"
        elif self.password is not None:
            found["Authorization"] = "Basic " + b64encode(f"{self.user}:{self.password}".encode()).decode()
        return found


class Encryption(NamedTuple):
    """How the server's certificate is checked."""

    ca_file: str = ""  # trusted beside those of the system
    is_unchecked: bool = False

    def context(self) -> ssl.SSLContext:
        """Return the context of connections; raises UsageError for a file that cannot be used."""
        try:
            context = ssl.create_default_context()
            if self.ca_file:
                context.load_verify_locations(self.ca_file)
        except (OSError, ssl.SSLError) as exc:
            reason = "no certificate in PEM form" if isinstance(exc, ssl.SSLError) else exc.strerror
            raise UsageError(f"cannot use the certificates in {self.ca_file}: {reason}") from exc
        if self.is_unchecked:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        return context
