"""Who asks, and how they speak: found from the headers of a request."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NamedTuple
from urllib.parse import unquote

from torc_core.contracts.access import ANONYMOUS
from torc_core.service.turn import Caller

OURS = "torc/"
"""How the user agent of our own client begins."""
_GENERATED = re.compile(r"OpenAPI-Generator/(\d+)\.(\d+)\.\d+/python")
_COMMAND_LINE = "/rust"
_OBJECTS_SINCE = (0, 18)
"""The API version from which JSON is sent as such and not as text; found between 0.17 (text) and 0.21 (objects)."""


class Form(enum.Enum):
    """How JSON inside of records is to be written for a caller."""

    TEXT = "text"
    OBJECT = "object"
    AS_WRITTEN = "as written"


class Dialect(NamedTuple):
    """How a caller speaks. ``release`` is that of the client whose document it follows, empty for our own."""

    release: str
    form: Form
    is_ours: bool = False
    is_command_line: bool = False


UNKNOWN = Dialect("any", Form.AS_WRITTEN)
"""Whoever does not say which client this is: people with curl, programs of other makes."""
_OWN = Dialect("", Form.OBJECT, is_ours=True)
_PYTHON = {(0, 7): "0.12", (0, 12): "0.22", (0, 21): "0.35"}


@lru_cache(maxsize=256)
def dialect_of(agent: str, names_user: bool) -> Dialect:
    """Return how the client with that user agent speaks; ``names_user``: it sends X-Torc-Client-User."""
    if agent.startswith(OURS):
        return _OWN
    found = _GENERATED.match(agent)
    if found:
        version = (int(found[1]), int(found[2]))
        form = Form.OBJECT if version >= _OBJECTS_SINCE else Form.TEXT
        nearest = max((known for known in _PYTHON if known <= version), default=(0, 7))
        return Dialect(_PYTHON[nearest], form)
    if agent.startswith("OpenAPI-Generator/") and agent.endswith(_COMMAND_LINE):
        release, form = ("1.0", Form.OBJECT) if names_user else ("0.22", Form.TEXT)
        return Dialect(release, form, is_command_line=True)
    return UNKNOWN


Identify = Callable[[dict[str, Any], Dialect], Caller]
"""Finds who asks from the WSGI environment; raises Unauthorized."""


def trusting(environ: dict[str, Any], dialect: Dialect) -> Caller:
    """Believe everybody: our own client says who its user is, others are nobody in particular."""
    user = environ.get("HTTP_X_TORC_CLIENT_USER", "") if dialect.is_ours else ""
    return Caller(unquote(user) or ANONYMOUS, dialect.release)
