"""``torc job-dependencies``: which job waits for which, and what they read and write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import echo_records
from torc_core.records.record import MAX_LIMIT

job_dependencies = TorcGroup("job-dependencies", help="Which job waits for which, and why.")

_PRODUCER_AND_CONSUMER = {
    "Producer ID": "producer_job_id", "Producer": "producer_job_name", "Consumer ID": "consumer_job_id",
    "Consumer": "consumer_job_name",
}  # fmt: skip
_LISTS: tuple[tuple[str, str, str, str, dict[str, str]], ...] = (
    (
        "job-job", "List pairs of jobs of which one waits for the other.", "list_job_dependencies", "dependencies",
        {
            "Job ID": "job_id", "Job": "job_name", "Waits For ID": "depends_on_job_id",
            "Waits For": "depends_on_job_name",
        },
    ),
    (
        "job-file", "List which jobs write and read each file.", "list_job_file_relationships", "relationships",
        {"File ID": "file_id", "File": "file_name", "Path": "file_path", **_PRODUCER_AND_CONSUMER},
    ),
    (
        "job-user-data", "List which jobs write and read user data.", "list_job_user_data_relationships",
        "relationships", {"Data ID": "user_data_id", "User Data": "user_data_name", **_PRODUCER_AND_CONSUMER},
    ),
)  # fmt: skip


def _command(name: str, doc: str, operation: str, plural: str, columns: dict[str, str]) -> click.Command:
    @workflow_argument
    @click.option("-l", "--limit", type=click.IntRange(0, MAX_LIMIT), default=MAX_LIMIT, help="At most so many.")
    @click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
    @pass_app
    def run(app: App, workflow_id: int | None, limit: int, offset: int) -> None:
        ask: Callable[..., Any] = getattr(app.service(), operation)
        echo_records(app, ask(pick(app, workflow_id), offset, limit), columns, plural)

    made: click.Command = click.command(name, cls=TorcCommand, help=doc)(run)
    return made


for entry in _LISTS:
    job_dependencies.add_command(_command(*entry))
