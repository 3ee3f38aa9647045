"""Commands for one kind of record, derived from its declaration: list, get, create, update, delete.

What cannot be derived is said in a ``Shown``, see ``fields``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.fields import Paging, Shown, field_option, filter_option, page_options, values_of
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.pick import confirmed, no_prompts_option, pick, workflow_argument
from torc_core.cli.showing import echo_record, echo_records
from torc_core.errors import NotFound, UsageError
from torc_core.records.record import MAX_LIMIT, Page, Record
from torc_core.service.api import Service


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

    filters = [filter_option(f, shown) for f in shown.kind.FILTERS.values()]
    params = [_workflow_parameter(), *filters, *more, *page_options(shown)]
    return TorcCommand("list", callback=run, params=params, help=f"List {shown.nouns}.", lists=True)


def _workflow_parameter() -> click.Argument:
    return click.Argument(["workflow_id"], type=int, required=False)


def find_records(
    service: Service, kind: type[Any], workflow_id: int | None, paging: Paging, **filters: Any
) -> Page[Any]:
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
    extra = shown.beside(app.service(), page.items) if shown.beside is not None else None
    echo_records(app, page, shown.columns, shown.kind.PLURAL, extra)


def show_record(app: App, shown: Shown, record: Record, headline: str) -> None:
    """Print one record of a kind."""
    extra = shown.beside(app.service(), [record])[0] if shown.beside is not None else None
    echo_record(app, record, headline, extra)


def _get_command(shown: Shown) -> click.Command:
    @pass_app
    def run(app: App, id: int) -> None:
        show_record(app, shown, app.service().get(shown.kind, id), shown.noun)

    return TorcCommand("get", callback=run, params=[click.Argument(["id"], type=int)], help=f"Show one {shown.noun}.")


# changing


def create_command(shown: Shown, create: Callable[..., Record] | None = None, *more: click.Option) -> TorcCommand:
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
        if len(gone) == 1 and not shown.lists_deleted:
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
