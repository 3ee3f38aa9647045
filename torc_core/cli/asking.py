"""Asking for nodes from the command line: what has to be there for that, and how workers find the service."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from torc_core.errors import Invalid
from torc_core.records.resources import Workflow

if TYPE_CHECKING:
    from torc_core.cli.app import App
    from torc_core.cli.choosing import Request
    from torc_core.records.allocations import ScheduledComputeNode
    from torc_core.runner.node_requests import NodeRequests


class Asking:
    """Asks for nodes of one workflow."""

    def __init__(self, app: App, workflow_id: int, output_dir: str | Path | None) -> None:
        self._app, self._id, self._service = app, workflow_id, app.service()
        self._output_dir = str(output_dir or app.config["client.run.output_dir"])

    def check(self, request: Request) -> None:
        """Make sure that there is somebody to ask, a place for logs, and a service that workers will find.

        Raises TorcError.
        """
        from torc_core.runner.node_requests import allocating
        from torc_core.runner.output_files import make_folder

        self._refuse_lonely()
        with allocating(self._app.host, request["scheduler_type"]):
            make_folder(Path(self._output_dir))

    def _refuse_lonely(self) -> None:
        """Refuse a database that workers could not use beside each other and this command."""
        from torc_core.service.databases import DOOR_SCHEME, database_of

        if self._app.api_url:
            return
        database = database_of(self._app.database)
        if database.path is None and database.scheme != DOOR_SCHEME:
            raise Invalid(
                f"{database} is used by one process at a time, so no runners can share it",
                hint="Start a server on it (torc server run --database ...), and name that with --url.",
            )

    def ask(self, request: Request, tell: Callable[[ScheduledComputeNode], None]) -> None:
        """Ask, and tell of each allocation that was made; raises TorcError when one could not be made."""
        from torc_core.runner.node_requests import allocating

        with self._requests() as requests, allocating(self._app.host, request["scheduler_type"]) as executor:
            settings = requests.settings(request)
            for _ in range(request["num_allocations"]):
                tell(requests.ask(executor, request, settings))

    @contextmanager
    def _requests(self) -> Iterator[NodeRequests]:
        """Give what asks, with the environment by which workers find the service."""
        from torc_core.cli.logins import token_for_jobs, trusted
        from torc_core.cli.opening import database_for_jobs
        from torc_core.runner.environment import run_environment, worker_environment
        from torc_core.runner.node_requests import NodeRequests

        app = self._app
        workflow = self._service.get(Workflow, self._id)
        with (
            token_for_jobs(app, self._service, self._id, "workers that were asked for by hand") as token,
            database_for_jobs(app, self._service) as database,
        ):
            base, _ = run_environment(
                os.environ, self._id, workflow.run_id, self._output_dir, str(Path.cwd()), app.api_url,
                workflow.submission_directory, "", database, token,
            )  # fmt: skip
            yield NodeRequests(self._service, self._id, self._output_dir, worker_environment(base) | trusted(app))
