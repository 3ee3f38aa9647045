"""Who asks and what for: what plugins that know users or rules of their own are told, and what they say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

ANONYMOUS = "anonymous"
"""The name of whoever has not said who they are; nobody logs in with it."""


class Principal(NamedTuple):
    """Who asks. ``is_login`` says that the name was proved, by a password, a token or a plugin."""

    user: str
    is_login: bool = True
    is_admin: bool = False
    worker_of: int | None = None
    """The only workflow it may work on, as a runner does."""


class Resource(NamedTuple):
    """What an operation is about; ``kind`` is the plural name of a kind of record, or the subject of the operation."""

    kind: str
    id: int | None = None
    workflow_id: int | None = None


class AuthRequest(NamedTuple):
    """A request whose sender is not known yet; names of headers are in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    address: str
    is_encrypted: bool = False


class Verdict(NamedTuple):
    """What the plugins say together: True, False, or None for the built-in rule; and who said no, and why."""

    allowed: bool | None = None
    reason: str = ""


Config = Mapping[str, Any]
"""The configuration by key, like ``server.auth_file``."""
