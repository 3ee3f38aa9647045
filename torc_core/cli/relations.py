"""``torc job-dependencies``: which job waits for which, and what they read and write."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand, TorcGroup
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import Columns, echo_records
from torc_core.records.record import MAX_LIMIT

job_dependencies = TorcGroup("job-dependencies", help="Which job waits for which, and why.")


class Relation(NamedTuple):
    """One list: its command, the operation that it asks, and how it is shown."""

    command: str
    doc: str
    operation: str
    plural: str
    columns: Columns


_JOBS = {
    "Producer Job ID": "producer_job_id", "Producer Job Name": "producer_job_name",
    "Consumer Job ID": "consumer_job_id", "Consumer Job Name": "consumer_job_name",
}  # fmt: skip
RELATIONS = (
    Relation(
        "job-job", "List pairs of jobs of which one waits for the other.", "list_job_dependencies", "dependencies",
        {
            "Job ID": "job_id", "Job Name": "job_name", "Blocked By Job ID": "depends_on_job_id",
            "Blocked By Job Name": "depends_on_job_name",
        },
    ),
    Relation(
        "job-file", "List which jobs write and read each file.", "list_job_file_relationships", "relationships",
        {"File ID": "file_id", "File Name": "file_name", "Path": "file_path", **_JOBS},
    ),
    Relation(
        "job-user-data", "List which jobs write and read user data.", "list_job_user_data_relationships",
        "relationships", {"User Data ID": "user_data_id", "User Data Name": "user_data_name", **_JOBS},
    ),
)  # fmt: skip


def _command(relation: Relation) -> click.Command:
    @workflow_argument
    @click.option("-l", "--limit", type=click.IntRange(0, MAX_LIMIT), default=MAX_LIMIT, help="At most so many.")
    @click.option("--offset", type=click.IntRange(0), default=0, help="Leave out so many first.")
    @pass_app
    def run(app: App, workflow_id: int | None, limit: int, offset: int) -> None:
        ask: Callable[..., Any] = getattr(app.service(), relation.operation)
        echo_records(app, ask(pick(app, workflow_id), offset, limit), relation.columns, relation.plural)

    made: click.Command = click.command(relation.command, cls=TorcCommand, help=relation.doc, lists=True)(run)
    return made


for _relation in RELATIONS:
    job_dependencies.add_command(_command(_relation))
