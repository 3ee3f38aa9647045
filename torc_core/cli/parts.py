"""The command groups of a workflow's parts; what they share is in ``kinds``."""

from __future__ import annotations

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.kinds import Shown, group_of
from torc_core.cli.showing import echo_lines, echo_record, echo_records, moment, short_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.records.resources import (
    ComputeNode,
    Event,
    FailureHandler,
    File,
    ResourceRequirements,
    Result,
    UserData,
)
from torc_core.units import human_duration, human_memory

FILES = Shown(
    File,
    {"ID": "id", "Name": "name", "Path": "path", "Modified": lambda f: moment(f.st_mtime)},
    short={"name": "-n --name", "path": "-p --path"},
    new=("name", "path"),
    changed=("name", "path"),
)
USER_DATA = Shown(
    UserData,
    {"ID": "id", "Name": "name", "Ephemeral": "is_ephemeral", "Data": lambda d: short_json(d.data)},
    short={"name": "-n --name", "data": "-d --data", "is_ephemeral": "--ephemeral"},
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
        "Memory (GiB)": lambda n: f"{n.memory_gb:.1f}", "GPUs": "num_gpus", "Active": "is_active",
        "Start Time": "start_time",
        "Duration": lambda n: "" if n.duration_seconds is None else human_duration(n.duration_seconds),
        "Labels": lambda n: ",".join(n.labels or ()),
    },
    can_delete=False,
)  # fmt: skip
RESULTS = Shown(
    Result,
    {
        "ID": "id", "Job ID": "job_id", "Run": "run_id", "Attempt": "attempt_id", "Return Code": "return_code",
        "Status": "status", "Time": lambda r: human_duration(r.exec_time_minutes * 60),
        "Peak Memory": lambda r: "-" if r.peak_memory_bytes is None else human_memory(r.peak_memory_bytes),
        "Peak CPU %": lambda r: "-" if r.peak_cpu_percent is None else f"{r.peak_cpu_percent:.0f}",
        "Completed": "completion_time", "Reason": lambda r: r.reason or "",
    },
    filter_options={
        "job_id": "-j --job-id", "run_id": "-r --run-id", "status": "-s --status", "compute_node_id": "--compute-node",
    },
)  # fmt: skip
EVENTS = Shown(
    Event,
    {"ID": "id", "Time": lambda e: moment(e.timestamp / 1000), "Data": lambda e: short_json(e.data)},
    short={"data": "-d --data"},
    filter_options={"category": "-t --category --type"},
    new=("data",),
)

files = group_of(FILES, "files", "Files that jobs read and write.")
user_data = group_of(USER_DATA, "user-data", "JSON data that jobs hand to each other.")
resource_requirements = group_of(REQUIREMENTS, "resource-requirements", "What jobs need while they run.")
failure_handlers = group_of(HANDLERS, "failure-handlers", "What happens when jobs fail.")
compute_nodes = group_of(NODES, "compute-nodes", "Runners, present and past.")
results = group_of(RESULTS, "results", "How attempts of jobs ended.")
events = group_of(EVENTS, "events", "What happened to a workflow.")


@files.command("list-required-existing", cls=TorcCommand)
@workflow_argument
@pass_app
def list_required_existing(app: App, workflow_id: int | None) -> None:
    """List ids of files that must exist before a run."""
    found = app.service().list_required_existing_files(pick(app, workflow_id))
    echo_lines(app, {"files": found.files}, found.files, "No file has to exist beforehand.")


@user_data.command("list-missing", cls=TorcCommand)
@workflow_argument
@pass_app
def list_missing(app: App, workflow_id: int | None) -> None:
    """List ids of user data that should have a value and have none."""
    found = app.service().list_missing_user_data(pick(app, workflow_id))
    echo_lines(app, {"user_data": found.user_data}, found.user_data, "No user data is missing.")


@events.command("get-latest-event", cls=TorcCommand)
@workflow_argument
@pass_app
def get_latest_event(app: App, workflow_id: int | None) -> None:
    """Show the newest event."""
    from torc_core.errors import NotFound

    chosen = pick(app, workflow_id)
    page = app.service().find(Event, chosen, limit=1, sort_by="id", reverse_sort=True)
    if not page.items:
        raise NotFound(f"workflow {chosen} has no events")
    echo_record(app, page.items[0], "event")


@results.command("failed", cls=TorcCommand)
@click.argument("workflow_id", type=int, required=False)
@pass_app
def failed(app: App, workflow_id: int | None) -> None:
    """List the latest results of jobs that did not succeed."""
    from torc_core.records.record import Page

    chosen = pick(app, workflow_id)
    bad = [r for r in app.service().each(Result, chosen) if r.return_code != 0]
    echo_records(app, Page(bad, len(bad)), RESULTS.columns, "results")
