"""How one SQL database writes what all of them know; the tables and the statements are derived with it."""

from __future__ import annotations

from collections.abc import Mapping


class Dialect:
    """The words of one SQL database. Two dialects are the same only if they are one object."""

    def __init__(
        self,
        *,
        mark: str,
        conditions: Mapping[str, str],
        types: Mapping[str, str],
        id_column: str,
        nulls: tuple[str, str] = ("", ""),
        index_end: tuple[str, ...] = (),
    ) -> None:
        """Say it all.

        ``mark`` stands for a bound value. ``conditions`` has the text of each form of condition, with ``{field}`` for
        the quoted column. ``types`` has the type of a column for each of INTEGER, REAL and TEXT. ``nulls`` is what puts
        null first in ascending and last in descending order. ``index_end`` are columns that end every index, where it
        does not hold the id anyway.
        """
        self.mark = mark
        self.conditions = conditions
        self.types = types
        self.id_column = id_column
        self.nulls = nulls
        self.index_end = index_end
