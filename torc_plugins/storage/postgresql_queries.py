"""What PostgreSQL calls things, and conditions as the values to bind to its statements.

PostgreSQL compares values of one type only, so a value that cannot be in a column at all never gets there.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from torc_core.contracts.storage import Where
from torc_core.errors import Invalid
from torc_core.records.record import Record, stored_type
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.refusals import fields_of, no_such_word
from torc_plugins.storage.statements import Shape

TYPES = {"INTEGER": "bigint", "REAL": "double precision", "TEXT": 'text COLLATE "C"'}
"""Text is compared by code point, whatever the language of the database."""
NAMES = {"INTEGER": "int8", "REAL": "float8", "TEXT": "text"}
"""The same for values outside of tables."""
_JSON = "replace({field}, '\\u0000', '\\ufffd')::json"  # which PostgreSQL refuses to read when it holds U+0000
_MEMBER = f"({_JSON} -> %s::text)"
_TEXT = f"({_JSON} ->> %s::text)"
_NO_VALUE = "never"


@lru_cache
def dialect(collation: str) -> Dialect:
    """Return the words of a server; ``collation`` (as SQL, may be empty) knows the cases of all letters there."""
    return Dialect(
        mark="%s",
        conditions={
            "equal": "{field} = %s",
            "null": "{field} IS NULL",
            _NO_VALUE: "FALSE",
            **{f"one_of {kind}": f"{{field}} = ANY(%s::{name}[])" for kind, name in NAMES.items()},
            **{
                f"one_of {kind} or null": f"({{field}} = ANY(%s::{name}[]) OR {{field}} IS NULL)"
                for kind, name in NAMES.items()
            },
            "contains": f"position(lower(%s {collation}) IN lower({{field}} {collation})) > 0",
            "after": "{field} > %s",
            "inside null": f"({_MEMBER} IS NULL OR json_typeof{_MEMBER} = 'null')",
            "inside text": f"(json_typeof{_MEMBER} = 'string' AND {_TEXT} = %s)",
            "inside number": f"CASE json_typeof{_MEMBER} WHEN 'number' THEN {_TEXT}::numeric"
            f" WHEN 'boolean' THEN {_TEXT}::boolean::integer END = %s::text::numeric",
            "has": "{field}::jsonb @> %s::text::jsonb",
        },
        types=TYPES,
        id_column='"id" bigint PRIMARY KEY',
        nulls=(" NULLS FIRST", " NULLS LAST"),
        index_end=("id",),
    )


def shape_and_values(kind: type[Record], where: Where) -> tuple[Shape, list[Any]]:
    """Return the shape of the conditions and the values to bind to its text; raises Invalid."""
    shape: list[tuple[str, str]] = []
    values: list[Any] = []
    for field, word, value in where:
        column, _, member = field.partition(".") if word == "inside" else (field, "", "")
        [f] = fields_of(kind, (column,))
        form, bound = _bound(stored_type(f), word, value, member)
        shape.append((column, form))
        values += bound
    return tuple(shape), values


def _bound(kept_as: str, word: str, value: Any, member: str) -> tuple[str, list[Any]]:
    """Return the form of a condition and its values."""
    if word == "equal":
        if value is None:
            return "null", []
        fitting = _fitting(kept_as, value)
        return (_NO_VALUE, []) if fitting is None else ("equal", [fitting])
    if word == "one_of":
        members = list(value)
        wanted = [fitting for fitting in (_fitting(kept_as, v) for v in members) if fitting is not None]
        return f"one_of {kept_as}{' or null' * (None in members)}", [array(kept_as, wanted)]
    if word == "after":
        is_comparable = value is not None and (kept_as == "TEXT") == isinstance(value, str)
        return ("after", [_checked(value)]) if is_comparable else (_NO_VALUE, [])
    if word == "inside":
        return _inside(member, value)
    if word == "contains":
        return word, [value]
    if word == "has":
        return word, [str(int(value))]
    raise no_such_word(word)


def _inside(member: str, value: Any) -> tuple[str, list[Any]]:
    if value is None:
        return "inside null", [member, member]
    if isinstance(value, str):
        return "inside text", [member, member, value]
    number = str(int(value)) if isinstance(value, bool) else str(value)
    return "inside number", [member, member, member, number]


def _fitting(kept_as: str, value: Any) -> Any:
    """Return the value as the column would hold it; None when it never does."""
    if value is None or (kept_as == "TEXT") != isinstance(value, str):
        return None
    if kept_as == "TEXT":
        return value
    if kept_as == "REAL":
        return float(value)
    return int(_checked(value)) if value == value // 1 else None


def _checked(value: Any) -> Any:
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        raise Invalid(f"numbers of 64 bits only are kept, not {value}")
    return value


def array(kept_as: str, values: Iterable[Any]) -> str:
    """Return a list of values as the text that PostgreSQL reads one from; much faster than having each adapted."""
    if kept_as == "TEXT":
        texts = ["NULL" if v is None else '"' + v.replace("\\", "\\\\").replace('"', '\\"') + '"' for v in values]
    elif kept_as == "REAL":
        texts = ["NULL" if v is None else repr(float(v)) for v in values]
    else:
        texts = ["NULL" if v is None else format(v, "d") for v in values]
    return f"{{{','.join(texts)}}}"
