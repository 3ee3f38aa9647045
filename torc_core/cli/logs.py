"""The files that runs leave behind: where the streams of each attempt and the runners' logs are."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import click

from torc_core.cli.app import App
from torc_core.cli.output import echo
from torc_core.errors import TorcError
from torc_core.records.answers import JobLaunch
from torc_core.records.resources import ComputeNode, Job, Result, Workflow
from torc_core.runner.log import log_name
from torc_core.runner.output_files import OutputFiles
from torc_core.service.api import Service

output_dir_option = click.option(
    "-o", "--output-dir", type=click.Path(path_type=Path), help="Folder of the logs (torc_output)."
)


def output_folder(app: App, given: Path | None) -> Path:
    """Return the folder of logs: as given, else as configured; raises TorcError when it is not there."""
    folder = given or Path(app.config["client.run.output_dir"])
    if not folder.is_dir():
        raise TorcError(f"there is no output folder {folder}", hint="Name it with -o.")
    return folder


class Logs(NamedTuple):
    """What is needed to find the files of a workflow's results."""

    folder: Path
    workflow: Workflow
    jobs: dict[int, Job]
    nodes: dict[int, ComputeNode]

    @classmethod
    def of(cls, service: Service, workflow_id: int, folder: Path) -> Logs:
        """Read what is needed for any result of the workflow."""
        jobs = service.each(Job, workflow_id, include_relationships=False)
        nodes = service.each(ComputeNode, workflow_id)
        workflow = service.get(Workflow, workflow_id)
        return cls(folder, workflow, {job.id: job for job in jobs}, {node.id: node for node in nodes})

    def streams(self, result: Result) -> dict[str, Path]:
        """Return where the streams of one attempt are kept, by report field; discarded ones are left out."""
        job = self.jobs[result.job_id]
        launch = JobLaunch(id=job.id, name=job.name, command="", attempt_id=result.attempt_id, stdio=job.stdio)
        files = OutputFiles(str(self.folder), self.workflow.id, result.run_id, self.workflow.execution_config)
        found = files.of(launch)
        return {
            name: Path(path)
            for name, path in (("job_stdout", found.stdout), ("job_stderr", found.stderr))
            if path is not None
        }

    def fields(self, result: Result) -> dict[str, Any]:
        """Return what reports say about the files of a result; files that are gone are told on standard error."""
        fields: dict[str, Any] = {"job_name": self.jobs[result.job_id].name}
        for name, path in self.streams(result).items():
            fields[name] = str(path)
            if not path.exists():
                echo(f"warning: {path} is not there", err=True)
        node = self.nodes.get(result.compute_node_id)
        if node is not None:
            fields["compute_node_type"] = node.compute_node_type
            log = self.folder / log_name(node.hostname, self.workflow.id, result.run_id)
            if log.exists():
                fields["job_runner_log"] = str(log)
        return fields
