"""About rights: who may use what, and tokens for runners."""

from torc_core.records.values import Value, at_least, field


class AccessCheck(Value, wire="AccessCheckResponse"):
    """Whether somebody may use a workflow."""

    has_access: bool = field("whether they may")
    user_name: str = field("who was asked about")
    workflow_id: int = field()
    reason: str | None = field("why, or why not", default=None)


class ReloadedAuth(Value, wire="ReloadAuthResponse"):
    """The file of users was read again."""

    message: str = field("what was done, in words")
    user_count: int = field("users that are known now")


class TokenRequest(Value):
    """What a new token is for, and how long it is to last."""

    description: str | None = field("what it is for", default=None)
    expires_in_seconds: int | None = field("null: until it is revoked", default=None, check=at_least(1))


class NewToken(Value):
    """A token, shown this once; only its digest is kept."""

    id: int = field()
    workflow_id: int = field()
    token: str = field("send it as Authorization: Bearer TOKEN")
    expires_at: str | None = field("UTC", default=None)
