"""All combinations of the parameters of one item, column by column.

Texts are made once for each value of a parameter, not once for each combination, and the columns are walked by
iterators written in C: a hundred thousand names take a few hundredths of a second.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import NamedTuple

from torc_core.spec.findings import BadText
from torc_core.spec.parameters import Scalar
from torc_core.spec.tables import MISSING, Table
from torc_core.spec.template import Template, format_value
from torc_core.units import counted


class _Column(NamedTuple):
    values: Sequence[Scalar]
    inner: int  # how often each value is repeated at once
    outer: int  # how often the whole is repeated


class Combinations:
    """``count`` combinations in a fixed order: the last parameter by name varies fastest, zips and tables go by row."""

    __slots__ = ("_columns", "_texts", "count")

    def __init__(self, columns: dict[str, _Column], count: int) -> None:
        self._columns = columns
        self._texts: dict[tuple[str, str], list[str]] = {}
        self.count = count

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters, sorted."""
        return tuple(self._columns)

    def texts(self, name: str, spec: str) -> Iterator[str]:
        """Return the text of one token in every combination."""
        column = self._columns[name]
        texts = self._texts.get((name, spec))
        if texts is None:
            token = f"{{{name}:{spec}}}" if spec else f"{{{name}}}"
            texts = [token if value is MISSING else format_value(value, spec) for value in column.values]
            self._texts[name, spec] = texts
        return _spread(texts, column.inner, column.outer)

    def render(self, template: Template) -> Iterator[str]:
        """Return the text of a template in every combination."""
        columns = [self.texts(name, spec) for name, spec in template.tokens]
        return map(template.pattern.__mod__, zip(*columns, strict=True))

    def at(self, index: int) -> dict[str, Scalar]:
        """Return the values of one combination."""
        return {
            name: column.values[index // column.inner % len(column.values)] for name, column in self._columns.items()
        }

    def described(self, index: int) -> str:
        """Write one combination for people: ``i=3, lr=0.1``."""
        return ", ".join(f"{n}={format_value(v)}" for n, v in self.at(index).items() if v is not MISSING)

    def row_without(self, name: str) -> int | None:
        """Return the first row (from 1) of a table that lacks the column ``name``, or None."""
        values = self._columns[name].values
        if isinstance(values, range):
            return None
        return next((row for row, value in enumerate(values, 1) if value is MISSING), None)


def _spread(texts: list[str], inner: int, outer: int) -> Iterator[str]:
    if inner == 1:
        return chain.from_iterable(repeat(texts, outer))
    blocks = (map(repeat, texts, repeat(inner)) for _ in range(outer))
    return chain.from_iterable(chain.from_iterable(blocks))


def product(values: dict[str, Sequence[Scalar]], limit: int) -> Combinations:
    """Return every combination; raises BadText before anything is made when there are more than ``limit``."""
    names = sorted(values)
    sizes = [len(values[name]) for name in names]
    count = math.prod(sizes)
    if count > limit:
        product_text = " x ".join(f"{size:,}" for size in sizes)
        raise BadText(
            f"{product_text} = {count:,} combinations; at most {limit:,} are made",
            hint="Use fewer values, or several workflows.",
            code="expansion-too-large",
        )
    columns = {}
    for place, name in enumerate(names):
        columns[name] = _Column(values[name], math.prod(sizes[place + 1 :]), math.prod(sizes[:place]))
    return Combinations(columns, count)


def zipped(values: dict[str, Sequence[Scalar]]) -> Combinations:
    """Return the combinations of values at equal places; raises BadText when the numbers of values differ."""
    names = sorted(values)
    first = names[0]
    for name in names[1:]:
        if len(values[name]) != len(values[first]):
            raise BadText(
                f'parameter_mode zip: "{first}" has {counted(len(values[first]), "value")},'
                f' "{name}" has {len(values[name])}',
                hint="Give all parameters the same number of values, or use parameter_mode product.",
                code="zip-length",
            )
    return Combinations({name: _Column(values[name], 1, 1) for name in names}, len(values[first]))


def rows_of(table: Table) -> Combinations:
    """Return one combination for each row of a table."""
    columns = {name: _Column(table.columns[name], 1, 1) for name in sorted(table.columns)}
    return Combinations(columns, table.row_count)
