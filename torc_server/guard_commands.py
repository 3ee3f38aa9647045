"""Options of ``torc server run`` about who gets in, ``torc server cert`` and ``torc server token``."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.output import echo
from torc_core.cli.showing import echo_message, echo_record, plain, table
from torc_core.errors import UsageError

if TYPE_CHECKING:
    from torc_server.guards import Guard

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)
_OPTIONS = (
    click.option("--auth-file", type=_PATH, metavar="FILE", help="Users and bcrypt hashes; see: torc server user."),
    click.option("--require-auth", is_flag=True, default=None, help="Let only those in who log in."),
    click.option(
        "--credential-cache-ttl-secs", type=click.FloatRange(0), metavar="S",
        help="How long a right password is remembered (60); 0: not at all.",
    ),
    click.option(
        "--enforce-access-control", is_flag=True, default=None,
        help="Keep workflows to their owners, the groups they are open to, and administrators.",
    ),
    click.option("--admin-user", multiple=True, metavar="NAME", help="An administrator; may be given several times."),
    click.option("--https", is_flag=True, default=None, help="Encrypt connections; needs a certificate."),
    click.option("--tls-cert", type=_PATH, metavar="FILE", help="The certificate, with its chain, in PEM form."),
    click.option("--tls-key", type=_PATH, metavar="FILE", help="The key of the certificate, if it is not in there."),
)  # fmt: skip
NAMES = (
    "auth_file", "require_auth", "credential_cache_ttl_secs", "enforce_access_control", "admin_user", "https",
    "tls_cert", "tls_key",
)  # fmt: skip


def guard_options(function: F) -> F:
    """Add the options of ``torc server run`` about who gets in; each has an option of the configuration, too."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


def guard_from(app: App, given: dict[str, Any], threads: int) -> Guard:
    """Return the guard that options (taken out of ``given``) and configuration ask for."""
    from torc_server.guards import Protection, guard_of

    options = {name: given.pop(name) for name in NAMES}
    config = app.config

    def chosen(name: str, key: str = "") -> Any:
        return config[f"server.{key or name}"] if options[name] in (None, ()) else options[name]

    def path(name: str) -> Path | None:
        found = chosen(name)
        return Path(found) if found else None

    wanted = Protection(
        path("auth_file"), chosen("require_auth"), chosen("credential_cache_ttl_secs"),
        chosen("enforce_access_control"), tuple(chosen("admin_user", "admin_users")), chosen("https"),
        path("tls_cert"), path("tls_key"),
    )  # fmt: skip
    return guard_of(wanted, app.host.access(), config.values, threads)


@click.command(cls=TorcCommand, examples="torc server cert node17.example.org 10.0.0.17")
@click.argument("hosts", nargs=-1, required=True, metavar="HOST...")
@click.option("--tls-cert", type=_PATH, default=Path("torc-server.crt"), help="Where to write it (torc-server.crt).")
@click.option("--tls-key", type=_PATH, default=Path("torc-server.key"), help="And its key (torc-server.key).")
@click.option("--days", type=click.IntRange(1, 3650), default=825, help="How long it is good for (825).")
@pass_app
def cert(app: App, hosts: tuple[str, ...], tls_cert: Path, tls_key: Path, days: int) -> None:
    """Make a certificate for a server that is reached by these names and addresses, signed by nobody but itself.

    Everybody who uses the server gets the certificate, not the key, and says --tls-ca-cert FILE (TORC_TLS_CA_CERT).
    """
    from torc_server.tls import make_certificate

    make_certificate(list(hosts), tls_cert, tls_key, days)
    echo_message(app, f"Wrote {tls_cert} and {tls_key}", certificate=str(tls_cert), key=str(tls_key))
    echo(f"Start the server with: --tls-cert {tls_cert} --tls-key {tls_key}", err=True)


# worker tokens


@click.group(cls=TorcGroup)
def token() -> None:
    """Secrets for the runners and jobs of one workflow, which are good for nothing else.

    Give one to a program in TORC_TOKEN, in place of a password.
    """


_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


def seconds_of(text: str) -> int:
    """Return the seconds of a time like ``12h`` or ``7d``; raises UsageError."""
    found = re.fullmatch(r"([1-9]\d{0,8})([smhdw])", text)
    if found is None:
        raise UsageError(f"cannot read the time {text!r}", hint="Write it like 12h, 7d or 4w.")
    return int(found[1]) * _SECONDS[found[2]]


@token.command(cls=TorcCommand, examples="export TORC_TOKEN=$(torc server token create 7 --expires 7d)")
@click.argument("workflow_id", type=int)
@click.option("--expires", metavar="TIME", help="How long it is good for, like 12h or 7d (until it is revoked).")
@click.option("--description", help="What it is for.")
@pass_app
def create(app: App, workflow_id: int, expires: str | None, description: str | None) -> None:
    """Make a token for a workflow, and print it; it cannot be shown again."""
    from torc_core.records.answers.access import TokenRequest

    seconds = None if expires is None else seconds_of(expires)
    made = app.service().create_worker_token(
        workflow_id, TokenRequest(description=description, expires_in_seconds=seconds)
    )
    if app.wants_json:
        echo_record(app, made, "token")
    else:
        echo(made.token)


@token.command("list", cls=TorcCommand, lists=True)
@click.argument("workflow_id", type=int)
@pass_app
def list_command(app: App, workflow_id: int) -> None:
    """List the tokens of a workflow."""
    from torc_core.records.access import WorkerToken

    columns = ("ID", "User", "Description", "Created At", "Expires At")
    found = list(app.service().each(WorkerToken, workflow_id))
    rows = [(t.id, t.user, t.description, t.created_at, t.expires_at) for t in found]
    table(app, columns, rows, {"items": [plain(t) for t in found]}, "tokens")


@token.command(cls=TorcCommand)
@click.argument("id", type=int)
@pass_app
def revoke(app: App, id: int) -> None:
    """Make a token worthless, at once."""
    from torc_core.records.access import WorkerToken

    gone = app.service().delete(WorkerToken, id)
    echo_message(app, f"Revoked token {id} of workflow {gone.workflow_id}", id=id, workflow_id=gone.workflow_id)
