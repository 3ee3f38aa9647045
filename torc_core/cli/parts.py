"""The command groups of a workflow's parts; what they share is in ``kinds``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from torc_core.cli.allocated_jobs import list_jobs
from torc_core.cli.allocations import known_as
from torc_core.cli.app import App, pass_app
from torc_core.cli.fields import Shown
from torc_core.cli.kinds import create_command, group_of
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import echo_lines, echo_record, moment, short_json
from torc_core.errors import NotFound
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import (
    ComputeNode,
    Event,
    FailureHandler,
    File,
    ResourceRequirements,
    UserData,
)
from torc_core.service.api import Service
from torc_core.units import human_duration

_LETTERS = {"offset": "-o", "sort_by": "-s", "reverse_sort": "-r"}


def event_time(event: Event) -> str:
    """Return when an event happened."""
    return moment(event.timestamp / 1000)


def _event_extra(service: Service, events: Sequence[Event]) -> list[dict[str, Any]]:
    return [{"timestamp_formatted": event_time(event)} for event in events]


def _of_event(name: str, usual: str = "") -> Any:
    """Return what gives a member of an event's data."""
    return lambda event: event.data.get(name, usual) if isinstance(event.data, dict) else usual


def _event_type(event: Event) -> Any:
    """Return the category; events that have none say what happened."""
    return _of_event("category")(event) or _of_event("event_type")(event)


FILES = Shown(
    File,
    {"ID": "id", "Name": "name", "Path": "path", "Modified Time": lambda f: moment(f.st_mtime)},
    short={"name": "-n --name", "path": "-p --path"},
    new=("name", "path"),
    changed=("name", "path"),
)
USER_DATA = Shown(
    UserData,
    {"ID": "id", "Name": "name", "Ephemeral": "is_ephemeral", "Data Preview": lambda d: short_json(d.data)},
    short={"name": "-n --name", "data": "-d --data", "is_ephemeral": "--ephemeral"},
    paging={"offset": "-o"},
    new=("name", "data", "is_ephemeral"),
    changed=("name", "data", "is_ephemeral"),
)
REQUIREMENTS = Shown(
    ResourceRequirements,
    {
        "ID": "id", "Name": "name", "CPUs": "num_cpus", "GPUs": "num_gpus", "Nodes": "num_nodes", "Memory": "memory",
        "Runtime": "runtime",
    },
    short={"name": "-n --name", "memory": "-m --memory", "runtime": "-r --runtime"},
    new=("name", "num_cpus", "num_gpus", "num_nodes", "memory", "runtime"),
    changed=("name", "num_cpus", "num_gpus", "num_nodes", "memory", "runtime"),
)  # fmt: skip
HANDLERS = Shown(FailureHandler, {"ID": "id", "Name": "name", "Rules": lambda h: short_json(h.rules)}, can_delete=False)
NODES = Shown(
    ComputeNode,
    {
        "ID": "id", "Hostname": "hostname", "PID": "pid", "CPUs": "num_cpus",
        "Memory (GB)": lambda n: f"{n.memory_gb:.1f}", "GPUs": "num_gpus", "Active": "is_active",
        "Start Time": "start_time",
        "Duration": lambda n: "" if n.duration_seconds is None else human_duration(n.duration_seconds),
        "Labels": lambda n: ",".join(n.labels or ()),
    },
    paging=_LETTERS,
    can_delete=False,
)  # fmt: skip
ALLOCATIONS = Shown(
    ScheduledComputeNode,
    {
        "ID": "id",
        "Scheduler ID": known_as,
         "Config ID": "scheduler_config_id", "Type": "scheduler_type",
        "Status": "status",
    },
    paging=_LETTERS,
)  # fmt: skip
EVENTS = Shown(
    Event,
    {
        "ID": "id", "Timestamp": "timestamp_formatted", "Level": _of_event("severity", "info"),
        "Event Type": _event_type, "Data": lambda e: short_json(e.data),
    },
    short={"data": "-d --data"},
    filter_options={"category": "-t --category --type"},
    paging=_LETTERS,
    new=("data",),
    beside=_event_extra,
)  # fmt: skip

files = group_of(FILES, "files", "Files that jobs read and write.")
user_data = group_of(USER_DATA, "user-data", "JSON data that jobs hand to each other.")
resource_requirements = group_of(REQUIREMENTS, "resource-requirements", "What jobs need while they run.")
failure_handlers = group_of(HANDLERS, "failure-handlers", "What happens when jobs fail.")
compute_nodes = group_of(NODES, "compute-nodes", "Runners, present and past.")
scheduled_compute_nodes = group_of(ALLOCATIONS, "scheduled-compute-nodes", "Allocations that were asked for.")
scheduled_compute_nodes.add_command(list_jobs)
events = group_of(EVENTS, "events", "What happened to a workflow.")


@files.command("list-required-existing")
@workflow_argument
@pass_app
def list_required_existing(app: App, workflow_id: int | None) -> None:
    """List ids of files that must exist before a run."""
    found = app.service().list_required_existing_files(pick(app, workflow_id))
    echo_lines(app, {"files": found.files}, found.files, "No file has to exist beforehand.")


@user_data.command("list-missing")
@workflow_argument
@pass_app
def list_missing(app: App, workflow_id: int | None) -> None:
    """List ids of user data that should have a value and have none."""
    found = app.service().list_missing_user_data(pick(app, workflow_id))
    echo_lines(app, {"user_data": found.user_data}, found.user_data, "No user data is missing.")


def _create_user_data(app: App, data: UserData, consumer_job_id: int | None, producer_job_id: int | None) -> UserData:
    """Store user data and give it to the jobs that read and write it, all or nothing."""
    uses = {"consumer_job_id": consumer_job_id, "producer_job_id": producer_job_id}
    return app.service().create(data, **{name: id for name, id in uses.items() if id is not None})


user_data.add_command(
    create_command(
        USER_DATA,
        _create_user_data,
        click.Option(["--consumer-job-id"], type=int, help="The job that reads it."),
        click.Option(["--producer-job-id"], type=int, help="The job that writes it."),
    )
)


@events.command("get-latest-event")
@workflow_argument
@pass_app
def get_latest_event(app: App, workflow_id: int | None) -> None:
    """Show the newest event."""
    chosen = pick(app, workflow_id)
    page = app.service().find(Event, chosen, limit=1, sort_by="id", reverse_sort=True)
    if not page.items:
        raise NotFound(f"workflow {chosen} has no events")
    [event] = page.items
    echo_record(app, event, "event", {"timestamp_formatted": event_time(event)})
