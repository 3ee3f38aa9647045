"""Passwords as bcrypt hashes: the only module that knows the library, which is an extra of the installation."""

from __future__ import annotations

import re
from typing import Any

from torc_core.errors import Invalid, Unsupported

LEAST_COST, MOST_COST, COST = 4, 31, 12
"""Each step of the cost doubles the work that one guess takes."""
_LONGEST = 72
"""Bytes that bcrypt looks at."""
_HASH = re.compile(r"\$2[abxy]?\$(\d\d)\$[./A-Za-z0-9]{53}")


def library() -> Any:
    """Return the library; raises Unsupported, saying what to install."""
    try:
        import bcrypt
    except ImportError as exc:
        raise Unsupported(
            "passwords need the package bcrypt, which is not installed", hint="Install it: pip install 'torc[auth]'"
        ) from exc
    return bcrypt


def is_hash(text: str) -> bool:
    """Whether a text is a bcrypt hash."""
    found = _HASH.fullmatch(text)
    return found is not None and LEAST_COST <= int(found[1]) <= MOST_COST


def hashed(password: str, cost: int = COST) -> str:
    """Return the hash of a new password; raises Invalid for one that cannot be kept whole."""
    data = password.encode()
    if not data or len(data) > _LONGEST or b"\0" in data:
        raise Invalid(f"a password has 1 to {_LONGEST} bytes, and no NUL")
    bcrypt = library()
    found: bytes = bcrypt.hashpw(data, bcrypt.gensalt(cost))
    return found.decode()


def is_right(password: str, kept: str) -> bool:
    """Whether a password has that hash; takes as long for a wrong one."""
    data = password.encode(errors="replace")[:_LONGEST]  # what older programs kept of a longer one
    try:
        return bool(library().checkpw(data, kept.encode()))
    except ValueError:  # NUL bytes, or a variant that the library does not know
        return False


def cost_of(kept: str) -> int:
    """Return the cost of a hash."""
    found = _HASH.fullmatch(kept)
    return int(found[1]) if found else COST


def of_nobody(cost: int) -> str:
    """Return a hash that no password has, to spend the same time on names that are not there."""
    return f"$2b${cost:02d}${'.' * 53}"
