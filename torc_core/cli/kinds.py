"""Commands for one kind of record, derived from its declaration: list, get, create, update, delete.

What cannot be derived is said in a ``Shown``: the columns of the table, and short option names that people expect.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NamedTuple, get_origin

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.showing import echo_record, echo_records
from torc_core.cli.pick import confirmed, pick, workflow_argument
from torc_core.errors import UsageError
from torc_core.records.record import Filter, Record
from torc_core.records.values import REQUIRED, Field

Cell = Callable[[Any], Any]


class Shown(NamedTuple):
    """How a kind of record is shown and which options it takes; ``columns`` are titles with a field or a function."""

    kind: type[Record]
    columns: dict[str, str | Cell]
    short: dict[str, str] = {}  # field -> options instead of --field
    filter_options: dict[str, str] = {}  # filter -> options instead of --filter
    new: tuple[str, ...] = ()  # fields that creation takes; none: no create command
    changed: tuple[str, ...] = ()  # fields that update takes; none: no update command
    can_delete: bool = True

    @property
    def noun(self) -> str:
        """What one record is called."""
        return self.kind.SINGULAR.replace("_", " ")


def group_of(shown: Shown, name: str, doc: str) -> TorcGroup:
    """Return the command group of a kind."""
    group = TorcGroup(name, help=doc)
    group.add_command(_list_command(shown))
    group.add_command(_get_command(shown))
    if shown.new:
        group.add_command(_create_command(shown))
    if shown.changed:
        group.add_command(_update_command(shown))
    if shown.can_delete:
        group.add_command(_delete_command(shown))
        if "delete_all" in shown.kind.VERBS:
            group.add_command(_delete_all_command(shown))
    return group


def _list_command(shown: Shown) -> click.Command:
    kind = shown.kind
    is_part = "workflow_id" in kind.FIELDS

    @pass_app
    def run(app: App, limit: int | None, offset: int, sort_by: str | None, reverse_sort: bool, **asked: Any) -> None:
        workflow_id = pick(app, asked.pop("workflow_id")) if is_part else None
        filters = {name: value for name, value in asked.items() if value is not None}
        list_records(app, shown, workflow_id, offset, limit, sort_by, reverse_sort, **filters)

    options = [_filter_option(f, shown) for f in kind.FILTERS.values()]
    params: list[click.Parameter] = [*options, *_page_options(kind)]
    if is_part:
        params.insert(0, click.Argument(["workflow_id"], type=int, required=False))
    return TorcCommand("list", callback=run, params=params, help=f"List {kind.PLURAL.replace('_', ' ')}.")


def list_records(
    app: App,
    shown: Shown,
    workflow_id: int | None,
    offset: int,
    limit: int | None,
    sort_by: str | None,
    reverse_sort: bool,
    **filters: Any,
) -> None:
    """Write the records that match, all of them unless ``limit`` says otherwise."""
    from torc_core.records.record import MAX_LIMIT

    service = app.service()
    page = service.find(
        shown.kind, workflow_id, offset, MAX_LIMIT if limit is None else limit, sort_by, reverse_sort, **filters
    )
    while limit is None and page.has_more:
        more = service.find(
            shown.kind, workflow_id, offset + len(page.items), MAX_LIMIT, sort_by, reverse_sort, **filters
        )
        if not more.items:
            break
        page.items += more.items
    echo_records(app, page, shown.columns, shown.kind.PLURAL)


def _page_options(kind: type[Record]) -> list[click.Parameter]:
    sortable = [f.name for f in kind.FIELDS.values() if not f.links and not f.internal]
    return [
        click.Option(["-l", "--limit"], type=click.IntRange(0), help="At most so many (all)."),
        click.Option(["--offset"], type=click.IntRange(0), default=0, help="Leave out so many first."),
        click.Option(["--sort-by"], type=click.Choice(sortable), metavar="FIELD", help="Field to sort by (id)."),
        click.Option(["--reverse-sort"], is_flag=True, help="Largest first."),
    ]


def _filter_option(asked: Filter, shown: Shown) -> click.Option:
    given = shown.filter_options.get(asked.name, "--" + asked.name.replace("_", "-")).split()
    if asked.type is bool and asked.default is False:
        return click.Option([*given, asked.name], is_flag=True, default=None, help=_filter_help(asked))
    return click.Option([*given, asked.name], type=_type_of(asked.type), default=None, help=_filter_help(asked))


def _filter_help(asked: Filter) -> str:
    words = asked.name.replace("_", " ")
    return f"Include {words.removeprefix('include ')}." if asked.default is False else f"Only those with this {words}."


def _get_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, id: int) -> None:
        echo_record(app, app.service().get(shown.kind, id), shown.noun)

    return TorcCommand("get", callback=run, params=[click.Argument(["id"], type=int)], help=f"Show one {shown.noun}.")


def _create_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, workflow_id: int | None, **values: Any) -> None:
        fields = values_of(shown.kind, values)
        fields["workflow_id"] = pick(app, workflow_id)
        made = app.service().create(shown.kind.read(fields))
        echo_record(app, made, f"created {shown.noun}")

    options = [field_option(shown, shown.kind.FIELDS[name], is_new=True) for name in shown.new]
    argument = click.Argument(["workflow_id"], type=int, required=False)
    return TorcCommand("create", callback=run, params=[argument, *options], help=f"Make a {shown.noun}.")


def _update_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, id: int, **values: Any) -> None:
        changes = values_of(shown.kind, values)
        if not changes:
            raise UsageError("nothing to change", hint="Name at least one field; --help lists them.")
        changes = shown.kind.read_changes(changes)
        echo_record(app, app.service().update(shown.kind, id, changes), f"updated {shown.noun}")

    options = [field_option(shown, shown.kind.FIELDS[name], is_new=False) for name in shown.changed]
    return TorcCommand(
        "update", callback=run, params=[click.Argument(["id"], type=int), *options], help=f"Change a {shown.noun}."
    )


def _delete_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, ids: tuple[int, ...]) -> None:
        service = app.service()
        for id in ids:
            service.get(shown.kind, id)  # all must be there before the first is deleted
        gone = [service.delete(shown.kind, id) for id in ids]
        if len(gone) == 1:
            echo_record(app, gone[0], f"deleted {shown.noun}")
        else:
            from torc_core.records.record import Page

            echo_records(app, Page(gone, len(gone)), shown.columns, shown.kind.PLURAL)

    argument = click.Argument(["ids"], type=int, nargs=-1, required=True)
    return TorcCommand("delete", callback=run, params=[argument], help=f"Delete {shown.kind.PLURAL.replace('_', ' ')}.")


def _delete_all_command(shown: Shown) -> click.Command:
    @workflow_argument
    @click.option("--no-prompts", is_flag=True, help="Do not ask.")
    @pass_app
    def run(app: App, workflow_id: int | None, no_prompts: bool) -> None:
        chosen = pick(app, workflow_id, silently=False)
        plural = shown.kind.PLURAL.replace("_", " ")
        if confirmed(app, f"Delete all {plural} of workflow {chosen}?", no_prompts):
            echo_record(app, app.service().delete_all(shown.kind, chosen), f"deleted {plural}")

    made: click.Command = click.command("delete-all", cls=TorcCommand, help="Delete all of a workflow.")(run)
    return made


def field_option(shown: Shown, f: Field, *, is_new: bool) -> click.Option:
    """Return the option for a field: its type and meaning are those of the declaration."""
    given = shown.short.get(f.name, "--" + f.name.replace("_", "-")).split()
    many = get_origin(f.type) is list
    default = f" ({f.default})" if is_new and f.optional and f.default not in (None, False, "") else ""
    text = f"{f.doc or f.name.replace('_', ' ')}{default}"
    return click.Option(
        [*given, f.name],
        type=_type_of(f.type),
        multiple=many,
        required=is_new and f.default is REQUIRED,
        default=() if many else None,
        help=f"{text[0].upper()}{text[1:]}.",
    )


def values_of(kind: type[Record], options: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that options gave, with JSON texts read; raises UsageError."""
    values: dict[str, Any] = {}
    for name, value in options.items():
        if value is None or value == ():
            continue
        f = kind.FIELDS[name]
        if isinstance(value, tuple):
            value = list(value)
        elif f.type is Any or get_origin(f.type) is dict:
            try:
                value = json.loads(value)
            except ValueError as exc:
                raise UsageError(f"--{name.replace('_', '-')} is not JSON: {exc}") from exc
        values[name] = value
    return values


def _type_of(kind: Any) -> Any:
    if get_origin(kind) is list:
        kind = int if "int" in str(kind) else str
    if hasattr(kind, "number"):
        return click.Choice([member.value for member in kind])
    return {int: int, float: float, bool: bool}.get(kind, str)
