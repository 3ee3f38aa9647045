"""How kinds of records are shown and asked for: columns of tables, and options derived from declarations."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_args, get_origin

import click

from torc_core.cli.showing import Columns, Extra
from torc_core.errors import Invalid
from torc_core.records.record import Filter, Record
from torc_core.records.values import REQUIRED, Field
from torc_core.service.api import Service

_MANY_CHOICES = 5  # more of them are not spelled out in the help
_FILTERED = {
    "equal": "Only those with this {words}.", "contains": "Only those with this in the {words}.",
    "inside": "Only those of this {words}.", "after": "Only those after this moment, in ms since 1970.",
    "seconds": "Only those with this {words}, in seconds.", "downstream": "Only those that wait for this job.",
    "has": "Only those that read this file.", "named_by": "Only what this job has.",
    "listed": "Only what jobs write (true), or do not (false).",
    "set": "Only those with a value for {words} (true), or without one (false).",
    "claimable": "Only those that ask for some of these labels and no others.",
}  # fmt: skip
"""What a filter leaves, by how it compares."""
_ONE = {
    "user data": "record of user data", "resource requirements": "record of resource requirements",
    "ro crate entity": "RO-Crate entity",
}  # fmt: skip
"""What one record is called where the name of its kind does not say it."""
_WRITTEN = {"num cpus": "number of CPUs", "num gpus": "number of GPUs", "num nodes": "number of nodes"}


class Shown(NamedTuple):
    """How a kind of record is shown and which options it takes."""

    kind: type[Record]
    columns: Columns
    short: dict[str, str] = {}  # field -> options instead of --field
    filter_options: dict[str, str] = {}  # filter -> options instead of --filter
    paging: dict[str, str] = {}  # limit, offset, sort_by, reverse_sort -> options beside the long ones
    new: tuple[str, ...] = ()  # fields that creation takes; none: no create command
    changed: tuple[str, ...] = ()  # fields that update takes; none: no update command
    can_delete: bool = True
    lists_deleted: bool = False  # what was deleted is a list, of one too
    beside: Callable[[Service, Sequence[Any]], Extra] | None = None  # shown of records beside their fields

    @property
    def noun(self) -> str:
        """What one record is called."""
        words = self.kind.title()
        return _ONE.get(words, words)

    @property
    def nouns(self) -> str:
        """What several are called."""
        return self.kind.PLURAL.replace("_", " ").replace("ro crate", "RO-Crate")


class Paging(NamedTuple):
    """Which part of a list is wanted, in which order; no limit means all of it."""

    offset: int = 0
    limit: int | None = None
    sort_by: str | None = None
    reverse_sort: bool = False


def page_options(shown: Shown) -> list[click.Option]:
    """Return the options for ``Paging``."""
    sortable = [f.name for f in shown.kind.FIELDS.values() if not f.links and not f.internal]

    def names(name: str, usual: str = "") -> list[str]:
        return [*shown.paging.get(name, usual).split(), f"--{name.replace('_', '-')}", name]

    return [
        click.Option(names("limit", "-l"), type=click.IntRange(0), help="At most so many (all)."),
        click.Option(names("offset"), type=click.IntRange(0), default=0, help="Leave out so many first."),
        click.Option(names("sort_by"), type=click.Choice(sortable), metavar="FIELD", help="Field to sort by (id)."),
        click.Option(names("reverse_sort"), is_flag=True, help="Largest first."),
    ]


def filter_option(asked: Filter, shown: Shown) -> click.Option:
    """Return the option for a filter of lists."""
    names = [*shown.filter_options.get(asked.name, _dashed(asked.name)).split(), asked.name]
    words = asked.name.replace("_", " ")
    if asked.type is bool and asked.default is False:
        text = f"With {words.removeprefix('include ')}."
        return click.Option(names, is_flag=True, default=None, help=text)
    return _option(names, asked.type, callback=_as_member(asked.type), help=_filter_help(asked, words))


def _filter_help(asked: Filter, words: str) -> str:
    if asked.how == "listed_by":
        return f"Only what this job {'writes' if '.output_' in asked.field else 'reads'}."
    if asked.type is bool and asked.how == "equal":
        return f"Only those that are {words.removeprefix('is ')} (true), or are not (false)."
    if asked.how in ("contains", "set"):
        words = asked.field.replace("_", " ")
    if asked.how == "inside":
        words = words.removesuffix(" id")
    return _FILTERED.get(asked.how, _FILTERED["equal"]).format(words=_WRITTEN.get(words, words))


def _as_member(kind: Any) -> Callable[..., Any] | None:
    """Return what turns the word of a choice into the member of its enumeration, which filters are."""
    if not hasattr(kind, "number"):
        return None
    return lambda _context, _parameter, word: None if word is None else kind(word)


def field_option(shown: Shown, f: Field, *, is_new: bool) -> click.Option:
    """Return the option for a field: its type and meaning are those of the declaration."""
    names = [*shown.short.get(f.name, _dashed(f.name)).split(), f.name]
    default = f" ({f.default})" if is_new and f.optional and f.default not in (None, False, True, "") else ""
    text = f"{f.doc}{default}"
    help_text = f"{text[0].upper()}{text[1:]}."
    if is_new and f.type is bool and f.default is False:
        return click.Option(names, is_flag=True, default=None, help=help_text)
    return _option(names, f.type, required=is_new and f.default is REQUIRED, help=help_text)


def values_of(shown: Shown, given: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that options gave, with JSON texts read; raises Invalid."""
    values = {name: value for name, value in given.items() if value is not None}
    for name, value in values.items():
        f = shown.kind.FIELDS[name]
        if f.type is Any or get_origin(f.type) is dict:
            try:
                values[name] = json.loads(value)
            except ValueError as exc:
                option = shown.short.get(name, _dashed(name)).split()[-1]
                raise Invalid(f"{option} is not JSON: {exc}", hint="Text needs quotes of its own: '\"text\"'") from exc
    return values


def _dashed(name: str) -> str:
    return f"--{name.replace('_', '-')}"


class _Listed(click.ParamType):  # type: ignore[type-arg]
    """Values separated by commas."""

    name = "list"

    def __init__(self, kind: type) -> None:
        self._kind = kind

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Return the list that a text stands for."""
        if isinstance(value, list):
            return value
        try:
            return [self._kind(word.strip()) for word in value.split(",") if word.strip()]
        except ValueError:
            self.fail(f"{value!r} is not a list of whole numbers like 1,2,3", param, ctx)


class _ListOption(click.Option):
    """An option with a list, given at once (1,2) or piece by piece (-b 1 -b 2); None when it was not given."""

    def __init__(self, names: list[str], **attributes: Any) -> None:
        super().__init__(names, multiple=True, **attributes)

    def process_value(self, ctx: click.Context, value: Any) -> Any:
        """Join the pieces."""
        pieces = super().process_value(ctx, value)
        return [item for piece in pieces for item in piece] if pieces else None


def _option(names: list[str], kind: Any, **attributes: Any) -> click.Option:
    """Return the option that reads values of a type of a field or filter."""
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return _ListOption(names, type=_Listed(item), metavar="ID,..." if item is int else "A,B,...", **attributes)
    if hasattr(kind, "number"):
        choices = [member.value for member in kind]
        metavar = "STATUS" if len(choices) > _MANY_CHOICES else None
        return click.Option(names, type=click.Choice(choices), metavar=metavar, **attributes)
    if get_origin(kind) is dict or kind is Any:
        return click.Option(names, type=str, metavar="JSON", **attributes)
    return click.Option(names, type={int: int, float: float, bool: bool}.get(kind, str), **attributes)
