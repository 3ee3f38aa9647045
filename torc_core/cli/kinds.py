"""Commands for one kind of record, derived from its declaration: list, get, create, update, delete.

What cannot be derived is said in a ``Shown``: the columns of the table, and option names that people expect.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, get_args, get_origin

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import Columns, Extra, echo_record, echo_records
from torc_core.errors import Invalid, NotFound, UsageError
from torc_core.records.record import MAX_LIMIT, Filter, Page, Record
from torc_core.records.values import REQUIRED, Field
from torc_core.service.api import Service

_MANY_CHOICES = 5  # more of them are not spelled out in the help


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
    extra: Callable[[Service, Sequence[Any]], Extra] | None = None  # shown of records beside their fields

    @property
    def noun(self) -> str:
        """What one record is called."""
        return self.kind.SINGULAR.replace("_", " ")

    @property
    def nouns(self) -> str:
        """What several are called."""
        return self.kind.PLURAL.replace("_", " ")


class Paging(NamedTuple):
    """Which part of a list is wanted, in which order; no limit means all of it."""

    offset: int = 0
    limit: int | None = None
    sort_by: str | None = None
    reverse_sort: bool = False


def group_of(shown: Shown, name: str, doc: str) -> TorcGroup:
    """Return the command group of a kind."""
    group = TorcGroup(name, help=doc)
    group.add_command(list_command(shown))
    group.add_command(_get_command(shown))
    if shown.new:
        group.add_command(create_command(shown))
    if shown.changed:
        group.add_command(update_command(shown))
    if shown.can_delete:
        group.add_command(_delete_command(shown))
        if "delete_all" in shown.kind.VERBS:
            group.add_command(_delete_all_command(shown))
    return group


# reading


def list_command(shown: Shown, show: Callable[..., None] | None = None, *more: click.Option) -> TorcCommand:
    """Return the list command; ``show(app, workflow_id, paging, **filters and options in more)`` does its work."""

    @pass_app
    def run(app: App, workflow_id: int | None, **given: Any) -> None:
        paging = Paging(*(given.pop(name) for name in Paging._fields))
        asked = {name: value for name, value in given.items() if value is not None}
        chosen = pick(app, workflow_id)
        if show is not None:
            show(app, chosen, paging, **asked)
        else:
            show_list(app, shown, find_records(app.service(), shown.kind, chosen, paging, **asked))

    filters = [_filter_option(f, shown) for f in shown.kind.FILTERS.values()]
    params = [_workflow_parameter(), *filters, *more, *page_options(shown)]
    return TorcCommand("list", callback=run, params=params, help=f"List {shown.nouns}.", lists=True)


def _workflow_parameter() -> click.Argument:
    return click.Argument(["workflow_id"], type=int, required=False)


def find_records(service: Service, kind: type[Any], workflow_id: int | None, paging: Paging, **filters: Any) -> Page[Any]:
    """Return the records that match, however many; ``workflow_id`` is None for workflows themselves."""
    most = MAX_LIMIT if paging.limit is None else min(paging.limit, MAX_LIMIT)
    sort = (paging.sort_by, paging.reverse_sort)
    page = service.find(kind, workflow_id, paging.offset, most, *sort, **filters)
    while page.has_more and (paging.limit is None or len(page.items) < paging.limit):
        left = MAX_LIMIT if paging.limit is None else min(paging.limit - len(page.items), MAX_LIMIT)
        more = service.find(kind, workflow_id, paging.offset + len(page.items), left, *sort, **filters)
        if not more.items:  # deleted meanwhile
            break
        page.items += more.items
    return page


def show_list(app: App, shown: Shown, page: Page[Any]) -> None:
    """Print a list of records of a kind."""
    extra = shown.extra(app.service(), page.items) if shown.extra is not None else None
    echo_records(app, page, shown.columns, shown.kind.PLURAL, extra)


def show_record(app: App, shown: Shown, record: Record, headline: str) -> None:
    """Print one record of a kind."""
    extra = shown.extra(app.service(), [record])[0] if shown.extra is not None else None
    echo_record(app, record, headline, extra)


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


def _filter_option(asked: Filter, shown: Shown) -> click.Option:
    names = [*shown.filter_options.get(asked.name, _dashed(asked.name)).split(), asked.name]
    words = asked.name.replace("_", " ")
    if asked.type is bool and asked.default is False:
        text = f"With {words.removeprefix('include ')}."
        return click.Option(names, is_flag=True, default=None, help=text)
    text = "Only those that are, or are not." if asked.type is bool else f"Only those with this {words}."
    return _option(names, asked.type, help=text)


def _get_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, id: int) -> None:
        show_record(app, shown, app.service().get(shown.kind, id), shown.noun)

    return TorcCommand("get", callback=run, params=[click.Argument(["id"], type=int)], help=f"Show one {shown.noun}.")


# changing


def create_command(
    shown: Shown, create: Callable[..., Record] | None = None, *more: click.Option
) -> TorcCommand:
    """Return the create command; ``create(app, record, **options in more)`` stands in for the service's."""
    own = [field_option(shown, shown.kind.FIELDS[name], is_new=True) for name in shown.new]

    @pass_app
    def run(app: App, workflow_id: int | None, **given: Any) -> None:
        added = {str(option.name): given.pop(str(option.name)) for option in more}
        fields = values_of(shown, given)
        fields["workflow_id"] = pick(app, workflow_id)
        record = shown.kind.read(fields)
        made = app.service().create(record) if create is None else create(app, record, **added)
        show_record(app, shown, made, f"created {shown.noun}")

    return TorcCommand(
        "create", callback=run, params=[_workflow_parameter(), *own, *more], help=f"Make a new {shown.noun}."
    )


def update_command(
    shown: Shown, prepare: Callable[..., dict[str, Any]] | None = None, *more: click.Option
) -> TorcCommand:
    """Return the update command; ``prepare(app, id, changes, **options in more)`` returns the changes to make."""
    own = [field_option(shown, shown.kind.FIELDS[name], is_new=False) for name in shown.changed]

    @pass_app
    def run(app: App, id: int, **given: Any) -> None:
        added = {str(option.name): given.pop(str(option.name)) for option in more}
        changes = values_of(shown, given)
        if not changes and not any(added.values()):
            raise UsageError("nothing to change", hint="Name at least one field; --help lists them.")
        changes = shown.kind.read_changes(changes)
        if prepare is not None:
            changes = prepare(app, id, changes, **added)
        service = app.service()
        changed = service.update(shown.kind, id, changes) if changes else service.get(shown.kind, id)
        show_record(app, shown, changed, f"updated {shown.noun}")

    argument = click.Argument(["id"], type=int)
    return TorcCommand("update", callback=run, params=[argument, *own, *more], help=f"Change a {shown.noun}.")


def _delete_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, ids: tuple[int, ...]) -> None:
        service = app.service()
        ids = tuple(dict.fromkeys(ids))
        _refuse_missing(service, shown, ids)
        gone = [service.delete(shown.kind, id) for id in ids]
        if len(gone) == 1:
            show_record(app, shown, gone[0], f"deleted {shown.noun}")
        else:
            show_list(app, shown, Page(gone, len(gone)))

    argument = click.Argument(["ids"], type=int, nargs=-1, required=True)
    return TorcCommand("delete", callback=run, params=[argument], help=f"Delete {shown.nouns}: all of IDS, or none.")


def _refuse_missing(service: Service, shown: Shown, ids: Sequence[int]) -> None:
    """All must be there before the first is deleted."""
    missing = []
    for id in ids:
        try:
            service.get(shown.kind, id)
        except NotFound:
            missing.append(id)
    if missing:
        listed = ", ".join(map(str, missing))
        raise NotFound(f"no {shown.nouns} with id {listed}; nothing was deleted", missing_ids=missing)


def _delete_all_command(shown: Shown) -> click.Command:
    @workflow_argument
    @no_prompts_option
    @pass_app
    def run(app: App, workflow_id: int | None, no_prompts: bool) -> None:
        chosen = pick(app, workflow_id, silently=False)
        if confirmed(app, f"Delete all {shown.nouns} of workflow {chosen}?", no_prompts):
            echo_record(app, app.service().delete_all(shown.kind, chosen), f"deleted {shown.nouns}")

    made: click.Command = click.command("delete-all", cls=TorcCommand, help=f"Delete all {shown.nouns}.")(run)
    return made


# options


def field_option(shown: Shown, f: Field, *, is_new: bool) -> click.Option:
    """Return the option for a field: its type and meaning are those of the declaration."""
    names = [*shown.short.get(f.name, _dashed(f.name)).split(), f.name]
    default = f" ({f.default})" if is_new and f.optional and f.default not in (None, False, True, "") else ""
    text = f"{f.doc or f.name.replace('_', ' ')}{default}"
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


class _Listed(click.ParamType):
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

    def __init__(self, *args: Any, **attributes: Any) -> None:
        super().__init__(*args, multiple=True, **attributes)

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
        return click.Option(names, type=click.Choice(choices), metavar=metavar, default=None, **attributes)
    if get_origin(kind) is dict or kind is Any:
        return click.Option(names, type=str, metavar="JSON", default=None, **attributes)
    return click.Option(names, type={int: int, float: float, bool: bool}.get(kind, str), default=None, **attributes)
