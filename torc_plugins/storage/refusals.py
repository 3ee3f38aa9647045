"""What storages say when rows cannot be as they are asked for; the same words whichever storage it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from torc_core.errors import Conflict, Invalid
from torc_core.records.record import Record
from torc_core.records.values import Field


def fields_of(kind: type[Record], names: Iterable[str]) -> list[Field]:
    """Return the declared fields; raises Invalid when there is no such field."""
    try:
        return [kind.FIELDS[name] for name in names]
    except KeyError as exc:
        raise no_such_field(kind, exc.args[0]) from None


def no_such_field(kind: type[Record], name: str) -> Invalid:
    """Return the error for a field that the records do not have."""
    return Invalid(f"{kind.PLURAL} have no field {name!r}", hint=f"Known: {', '.join(kind.FIELDS)}", field=name)


def no_such_word(word: str) -> Invalid:
    """Return the error for a condition that no storage knows."""
    return Invalid(f"conditions have no word {word!r}")


def taken(kind: type[Record], values: dict[str, Any]) -> Conflict:
    """Return the error for values that must be unique together and are not."""
    said = " and ".join(f"{name} {_shown(value)}" for name, value in values.items())
    field = list(values)[-1]
    return Conflict(
        f"another {_called(kind)} has {said} already",
        hint=f"Give a different {field}, or use the one that exists.",
        field=field,
        value=values[field],
    )


def dangling(kind: type[Record], field: str, value: Any) -> Invalid:
    """Return the error for a reference to a record that does not exist."""
    return Invalid(
        f"a {_called(kind)} refers to {field} {_shown(value)}, which does not exist",
        hint=f"Create it first, or name one of the existing {kind.FIELDS[field].refers}.",
        field=field,
        value=value,
    )


def outside_transaction() -> RuntimeError:
    """Return the error for a write that nothing would undo; the caller's mistake."""
    return RuntimeError("writes happen inside a transaction; after a failed one they need a new transaction")


def nested_transaction() -> RuntimeError:
    """Return the error for a transaction or a backup inside a transaction; the caller's mistake."""
    return RuntimeError("another transaction is open; leave it first")


def undone_transaction() -> RuntimeError:
    """Return the error for going on after a failed write as if nothing had happened; the caller's mistake."""
    return RuntimeError("a write in this transaction failed, so nothing of it was kept")


def _called(kind: type[Record]) -> str:
    return kind.SINGULAR.replace("_", " ")


def _shown(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
