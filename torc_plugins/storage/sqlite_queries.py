"""What SQLite calls things, and conditions as the values to bind to its statements."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

from torc_core.contracts.storage import Where
from torc_plugins.storage import statements
from torc_plugins.storage.dialect import Dialect
from torc_plugins.storage.statements import Shape

DIALECT = Dialect(
    mark="?",
    conditions={
        "equal": "{field} IS ?",
        "one_of": "{field} IN (SELECT value FROM json_each(?))",  # a list of any length is one bound value
        "one_of or null": "({field} IN (SELECT value FROM json_each(?)) OR {field} IS NULL)",
        "contains": "torc_contains({field}, ?)",
        "after": "{field} > ?",
        "inside": "json_extract({field}, ?) IS ?",
        "has": "EXISTS (SELECT 1 FROM json_each({field}) WHERE value = ?)",
    },
    types={kind: kind for kind in ("INTEGER", "REAL", "TEXT")},
    id_column='"id" INTEGER PRIMARY KEY AUTOINCREMENT',  # keeps the highest id ever used, also of deleted rows
)
select = partial(statements.select, DIALECT)
count = partial(statements.count, DIALECT)
tally = partial(statements.tally, DIALECT)
insert = partial(statements.insert, DIALECT)
update = partial(statements.update, DIALECT)
delete = partial(statements.delete, DIALECT)


def contains(text: str | None, part: str) -> bool:
    """Return whether the text has the part, whatever the case; SQLite's LIKE knows the case of ASCII letters only."""
    return text is not None and part.lower() in text.lower()


def shape_and_values(where: Where) -> tuple[Shape, list[Any]]:
    """Return the shape of the conditions and the values to bind to its text."""
    shape: list[tuple[str, str]] = []
    values: list[Any] = []
    for field, word, value in where:
        form = word
        if word == "one_of":
            members = list(value)
            if None in members:
                form = "one_of or null"
            values.append(json.dumps(members))
        elif word == "inside":
            field, _, member = field.partition(".")
            values += (f'$."{member}"', value)
        else:
            values.append(value)
        shape.append((field, form))
    return tuple(shape), values
