"""What a job was given when it was claimed, as digests by which a later change is found and named.

A digest has a part for each thing that a job is given: ``c:3f0e...,d:77a1...``; what it is not given has none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

try:
    from _blake2 import blake2b  # hashlib would load OpenSSL too, 2 ms of every start
except ImportError:
    from hashlib import blake2b

if TYPE_CHECKING:
    from torc_core.service.state import WorkflowState

_LINKS = "odiuv"
"""Letters of the lists of ids: output files, dependencies, input files, user data read, user data written."""
WORDS = {
    "c": "command", "s": "invocation script", "e": "environment", "w": "environment of the workflow",
    "o": "output files", "d": "dependencies", "i": "input files", "u": "input user data", "v": "output user data",
}  # fmt: skip
"""What each letter stands for; ``t`` and a number are the contents of that user data."""


def _short(text: str) -> str:
    return blake2b(text.encode(), digest_size=6).hexdigest()


def input_hash(
    state: WorkflowState,
    command: str,
    script: str | None,
    env: str | None,
    links: Sequence[str | None],
    data: dict[int, str | None],
) -> str:
    """Return the digest of everything a job is given; links and env in stored form, ``data`` the texts of user data.

    User data that a job both reads and writes are its own affair: it changes them itself.
    """
    parts = [f"c:{_short(command)}"]
    if script:
        parts.append(f"s:{_short(script)}")
    if env:
        parts.append(f"e:{_short(env)}")
    if state.env:
        parts.append(f"w:{_short(repr(sorted(state.env.items())))}")
    parts += [f"{letter}:{_short(text)}" for letter, text in zip(_LINKS, links, strict=True) if text]
    read, written = links[3], links[4]
    if read:
        own = set(json.loads(written)) if written else ()
        parts += [f"t{id}:{_short(data.get(id) or '')}" for id in json.loads(read) if id not in own]
    return ",".join(parts)


def differences(kept: str, now: str) -> list[str]:
    """Return the keys of the parts that differ, in the order of digests; [""] when nobody can tell which they are."""
    if kept == now:
        return []
    before, after = _parts(kept), _parts(now)
    if not before or not after:
        return [""]
    return [key for key in dict.fromkeys((*before, *after)) if before.get(key) != after.get(key)] or [""]


def _parts(digest: str) -> dict[str, str]:
    """Return the parts of a digest by their keys; none for what another release wrote."""
    pairs = (part.partition(":") for part in digest.split(","))
    return {key: value for key, colon, value in pairs if colon}
