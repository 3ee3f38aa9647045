"""How commands show a server who they are, and what the jobs of a run show instead of that."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from torc_core.cli.output import is_terminal
from torc_core.config.layers import PROJECT_FILE
from torc_core.errors import TorcError, UsageError

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.service.api import Service
    from torc_core.service.server_address import Encryption, Login

PASSWORD, TOKEN, COOKIE = "TORC_PASSWORD", "TORC_TOKEN", "TORC_COOKIE_HEADER"
_GOOD_FOR_S = 30 * 86400
"""How long the token of jobs is good for, should their runner not live to revoke it."""
_LOCAL = ("localhost", "127.0.0.1", "::1")


def trusted(app: App) -> dict[str, str]:
    """Return the variables by which jobs and workers trust the server that this command trusts."""
    certificate = app.options.get("tls_ca_cert") or app.certificate
    found = {"TORC_TLS_CA_CERT": os.path.abspath(certificate)} if certificate else {}  # noqa: PTH100
    return found | ({"TORC_TLS_INSECURE": "1"} if app.options.get("tls_insecure") else {})


def login_of(app: App) -> Login:
    """Return how the user shows who it is: a password that was typed or given, a token, a password of the environment.

    Raises UsageError where a secret would go to a server that only a project's file names: that may be somebody else's.
    """
    from torc_core.service.server_address import Login, address_of

    given = _asked(app) or app.options.get("password")
    token = "" if given is not None else os.environ.get(TOKEN, "")
    password = given if given is not None else os.environ.get(PASSWORD)
    cookie = str(app.options.get("cookie_header") or os.environ.get(COOKIE, ""))
    to = address_of(app.api_url)
    has_secret = bool(token or cookie or password is not None)
    if has_secret and to.host not in _LOCAL:
        if not app.options.get("url") and app.config.sources["client.api_url"].endswith(f"/{PROJECT_FILE}"):
            raise UsageError(
                f"only {PROJECT_FILE} in this folder names the server {app.api_url}: it gets no password of yours",
                hint=f"If you know it, name it yourself: export TORC_API_URL={app.api_url}",
            )
        if not to.is_encrypted:
            app.say("warn", f"The password travels unencrypted to {to.host}; whoever is on the way can read it")
    return Login(app.user, password, token, cookie)


def _asked(app: App) -> str | None:
    """Return the password that was typed, with --prompt-password; it is not shown."""
    if not app.options.get("prompt_password"):
        return None
    import sys
    from getpass import getpass

    if not is_terminal(sys.stdin):
        raise UsageError("there is no terminal to ask for the password on", hint=f"Set {PASSWORD} instead.")
    return getpass(f"Password of {app.user}: ")


def encryption_of(app: App) -> Encryption:
    """Return how the server's certificate is checked."""
    from torc_core.service.server_address import Encryption

    is_unchecked = bool(app.options.get("tls_insecure") or app.config["client.tls.insecure"])
    if is_unchecked and app.api_url.startswith("https:"):
        app.say("warn", "The certificate of the server is not checked (--tls-insecure): anybody could answer as it")
    ca_file = app.options.get("tls_ca_cert") or app.config["client.tls.ca_cert"] or app.certificate
    return Encryption(str(ca_file or ""), is_unchecked)


@contextmanager
def token_for_jobs(app: App, service: Service, workflow_id: int, what: str = "jobs of torc run") -> Iterator[str]:
    """Give what the jobs of a run log in with: never the password, but a token for this workflow, revoked at the end.

    Where nodes were asked for meanwhile, workers have it, and it lasts as long as it is good. Empty without a server,
    or where nobody logs in.
    """
    own = os.environ.get(TOKEN, "")
    has_password = bool(app.options.get("password") or app.options.get("prompt_password") or os.environ.get(PASSWORD))
    if not app.api_url or own or not has_password:
        yield own if app.api_url else ""
        return
    from torc_core.records.access import WorkerToken
    from torc_core.records.answers.access import TokenRequest

    request = TokenRequest(description=what, expires_in_seconds=_GOOD_FOR_S)
    try:
        before = _newest_allocation(service, workflow_id)
        made = service.create_worker_token(workflow_id, request)
    except TorcError as exc:
        app.say("warn", f"Jobs cannot use the server: there is no token for them: {exc}")
        yield ""
        return
    try:
        yield made.token
    finally:
        with suppress(TorcError):
            if _newest_allocation(service, workflow_id) == before:
                service.delete(WorkerToken, made.id)


def _newest_allocation(service: Service, workflow_id: int) -> int:
    from torc_core.records.allocations import ScheduledComputeNode

    found = service.find(ScheduledComputeNode, workflow_id, limit=1, sort_by="id", reverse_sort=True).items
    return found[0].id if found else 0
