"""Worker tokens: secrets with which the runners and jobs of one workflow do their work, and nothing else.

A token is ``torcw_ID_SECRET``. The secret is random and long, so its SHA-256 is all that has to be kept.
"""

from __future__ import annotations

from torc_core.contracts.access import ANONYMOUS
from torc_core.errors import Unauthorized
from torc_core.records.access import WorkerToken
from torc_core.records.answers.access import NewToken, TokenRequest
from torc_core.records.resources import Workflow
from torc_core.service.access import MAKE_ANOTHER
from torc_core.service.api import Service
from torc_core.service.clock import utc_text
from torc_core.service.registry import handles
from torc_core.service.turn import Caller, Turn, with_ids

PREFIX = "torcw_"
_SECRET_BYTES = 32


@handles(Service.create_worker_token)
def create_worker_token(turn: Turn, id: int, new: TokenRequest) -> NewToken:
    """Make a token; only its digest is kept."""
    import secrets

    turn.get(Workflow, id)
    secret = secrets.token_urlsafe(_SECRET_BYTES)
    seconds = new.expires_in_seconds
    made = turn.insert(
        WorkerToken(
            workflow_id=id, description=new.description, user=turn.caller.user, created_at=utc_text(turn.now),
            expires_at=None if seconds is None else utc_text(turn.now + seconds * 1000), digest=_digest(secret),
        )
    )  # fmt: skip
    return NewToken(id=made.id, workflow_id=id, token=f"{PREFIX}{made.id}_{secret}", expires_at=made.expires_at)


def is_worker_token(text: str) -> bool:
    """Whether a bearer token is meant to be one of ours."""
    return text.startswith(PREFIX)


def caller_of(turn: Turn, token: str, release: str) -> Caller:
    """Return the caller that bears a token; raises Unauthorized. That it has not ended is checked at each operation."""
    from hmac import compare_digest

    id, _, secret = token.removeprefix(PREFIX).partition("_")
    if is_worker_token(token) and id.isascii() and id.isdigit() and len(id) < 19:
        for user, workflow_id, digest in turn.rows(WorkerToken, ("user", "workflow_id", "digest"), with_ids([int(id)])):
            if compare_digest(digest, _digest(secret)):
                return Caller(user, release, user != ANONYMOUS, int(id), workflow_id)
    raise Unauthorized("this worker token is not known, or was revoked", hint=MAKE_ANOTHER)


def _digest(secret: str) -> str:
    from hashlib import sha256

    return sha256(secret.encode(errors="replace")).hexdigest()
