"""Lets people in with a ticket of the site, and has only some of them delete anything.

A ticket is ``NAME:PROOF`` in the header X-Site-Ticket; the proof is the HMAC of the name with the site's key. Both are
set in the configuration: ``[plugins.site-access]``, ``key_file = "/etc/torc/key"``, ``may_delete = ["ops"]``.
"""

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torc_core.contracts.access import AuthRequest, Principal
from torc_core.hookspecs import hookimpl


@hookimpl
def torc_authenticate(request: AuthRequest, settings: Mapping[str, Any]) -> Principal | None:
    ticket = request.headers.get("x-site-ticket")
    if ticket is None:
        return None
    user, _, proof = ticket.partition(":")
    key = Path(settings["key_file"]).read_bytes().strip()
    if not user or not hmac.compare_digest(proof, hmac.new(key, user.encode(), "sha256").hexdigest()):
        raise PermissionError(f"the ticket of {user!r} is not ours")
    return Principal(user)


@hookimpl
def torc_authorize(principal: Principal, action: str, settings: Mapping[str, Any]) -> bool | None:
    if action.startswith("delete_") and principal.user not in settings.get("may_delete", ()):
        return False
    return None
