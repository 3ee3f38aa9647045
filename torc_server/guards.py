"""How a server is protected: users, rights, plugins and encryption, put together from what it is told."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from torc_core.errors import Invalid
from torc_core.service.access import Access
from torc_server.callers import Identify, trusting

if TYPE_CHECKING:
    from torc_core.plugin_access import AccessPlugins
    from torc_core.service.local import LocalService

LOG = logging.getLogger("torc.server")


class Protection(NamedTuple):
    """What is asked for."""

    auth_file: Path | None = None
    require_auth: bool = False
    cache_ttl_s: float = 60.0
    enforce_access_control: bool = False
    admin_users: tuple[str, ...] = ()
    https: bool = False
    tls_cert: Path | None = None
    tls_key: Path | None = None


def _trust(service: LocalService) -> Identify:
    return trusting


class Guard(NamedTuple):
    """Who may do what, and how connections are protected."""

    identify: Callable[[LocalService], Identify] = _trust
    access: Access | None = None
    ssl_adapter: Any = None
    requires_login: bool = False
    reload: Callable[[], int] | None = None
    certificate: str = ""

    @property
    def keeps_strangers_out(self) -> bool:
        """Whether people who have not logged in can do nothing of weight."""
        return self.requires_login or (self.access is not None and self.access.is_enforced)


def guard_of(wanted: Protection, plugins: AccessPlugins, config: Mapping[str, Any], threads: int) -> Guard:
    """Return the guard of a server; raises Invalid, UsageError and Unsupported for what cannot be."""
    knows_users = wanted.auth_file is not None or plugins.know_users
    for name, is_wanted in (
        ("require-auth", wanted.require_auth),
        ("enforce-access-control", wanted.enforce_access_control),
    ):
        if is_wanted and not knows_users:
            raise Invalid(
                f"--{name} needs users, and there are none", hint="Name a file of them with --auth-file FILE."
            )
    credentials = None
    if wanted.auth_file is not None:
        from torc_server.credentials import Credentials

        credentials = Credentials(wanted.auth_file.absolute(), keep_s=wanted.cache_ttl_s, at_once=max(1, threads // 2))
        for name in sorted(set(wanted.admin_users) - credentials.names):
            LOG.warning("the administrator %s is not among the users in %s", name, wanted.auth_file)
    access = Access(
        is_enforced=wanted.enforce_access_control,
        administrators=wanted.admin_users,
        authorize=plugins.authorize if plugins.have_rules else None,
        reload=credentials.reload if credentials is not None else None,
    )

    def identify(service: LocalService) -> Identify:
        from torc_server.auth import Logins

        return Logins(
            service, credentials=credentials, is_required=wanted.require_auth, is_trusting=not knows_users,
            plugins=plugins, config=config,
        )  # fmt: skip

    certificate = str(wanted.tls_cert.absolute()) if wanted.tls_cert is not None else ""
    return Guard(identify, access, _encryption(wanted), wanted.require_auth, access.reload, certificate)


def _encryption(wanted: Protection) -> Any:
    if wanted.tls_cert is None:
        if wanted.https or wanted.tls_key is not None:
            raise Invalid(
                "encryption needs a certificate",
                hint="Name one with --tls-cert FILE --tls-key FILE, or make one: torc server cert HOST",
            )
        return None
    from torc_server.tls import adapter

    return adapter(wanted.tls_cert, wanted.tls_key)
