"""What unquoted YAML scalars mean: the core schema of YAML 1.2 (chapter 10.3), nothing of YAML 1.1."""

from __future__ import annotations

import re

from torc_core.contracts.formats import Plain
from torc_plugins.formats.source import NUMBER_LENGTH

_CONSTANTS: dict[str, float | bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **{sign + word: float("inf") for sign in ("", "+") for word in (".inf", ".Inf", ".INF")},
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_NUMBER_START = frozenset("+-.0123456789")
_INTEGER = re.compile(r"[-+]?[0-9]+")
_BASED = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")


def resolve(text: str) -> str:
    """Return ``text`` itself when it is text, else a Plain with what it reads as.

    Raises ValueError for a number of endless digits.
    """
    if text in _CONSTANTS:
        return Plain(text, _CONSTANTS[text])
    if text[0] not in _NUMBER_START:
        return text
    value: float
    if _INTEGER.fullmatch(text):
        value = int(text) if len(text) <= NUMBER_LENGTH else 0
    elif _FLOAT.fullmatch(text):
        value = float(text)
    elif _BASED.fullmatch(text):
        value = int(text, 0)
    else:
        return text
    if len(text) > NUMBER_LENGTH:
        raise ValueError(text)
    return Plain(text, value)


def convert(text: str, tag: str) -> str | None:
    """Read ``text`` as the core tag ``tag`` (``int``) wants it, or return None when it cannot be read so."""
    if tag == "str":
        return text
    read = resolve(text)
    if not isinstance(read, Plain):
        return None
    value = read.value
    if tag == "float" and type(value) in (int, float):
        return Plain(text, float(value))  # type: ignore[arg-type]  # a number, as just checked
    wanted = {"int": int, "bool": bool, "null": type(None)}.get(tag)
    return read if type(value) is wanted else None
