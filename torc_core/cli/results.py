"""``torc results``: how attempts of jobs ended."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from torc_core.cli.app import App
from torc_core.cli.fields import Paging, Shown
from torc_core.cli.kinds import find_records, group_of, list_command
from torc_core.cli.showing import echo_records
from torc_core.errors import UsageError
from torc_core.records.record import Page
from torc_core.records.resources import Job, Result
from torc_core.service.api import Service
from torc_core.units import human_duration

_FEW = 20  # names of so many jobs are asked for one by one


def job_names(service: Service, results: Sequence[Result]) -> list[dict[str, Any]]:
    """Return the name of each result's job, as ``job_name``."""
    wanted = {result.job_id for result in results}
    if len(wanted) <= _FEW:
        names = {id: service.get(Job, id).name for id in wanted}
    else:
        jobs = service.each(Job, results[0].workflow_id, include_relationships=False)
        names = {job.id: job.name for job in jobs}
    return [{"job_name": names[result.job_id]} for result in results]


def _memory(size: int | None) -> str:
    if size is None or size < 0:
        return "-"
    return f"{size / 2**20:.1f}MB" if size < 2**30 else f"{size / 2**30:.2f}GB"


def _percent(share: float | None) -> str:
    return "-" if share is None or share < 0 else f"{share:.1f}"


RESULTS = Shown(
    Result,
    {
        "ID": "id", "Job ID": "job_id", "Job Name": "job_name", "WF ID": "workflow_id", "Run ID": "run_id",
        "Attempt": "attempt_id", "Return Code": "return_code",
        "Exec Time": lambda r: human_duration(r.exec_time_minutes * 60),
        "Peak Mem": lambda r: _memory(r.peak_memory_bytes), "Peak CPU %": lambda r: _percent(r.peak_cpu_percent),
        "Completion Time": "completion_time", "Status": "status", "Reason": "reason",
    },
    filter_options={
        "job_id": "-j --job-id", "run_id": "-r --run-id", "status": "-s --status", "compute_node_id": "--compute-node",
    },
    beside=job_names,
)  # fmt: skip
results = group_of(RESULTS, "results", "How attempts of jobs ended.")


def _show(
    app: App, workflow_id: int, paging: Paging, *, failed: bool = False, include_logs: bool = False,
    output_dir: Path | None = None, **filters: Any,
) -> None:  # fmt: skip
    """List results, with their log files when asked for."""
    if output_dir is not None and not include_logs:
        raise UsageError("--output-dir is for --include-logs")
    service = app.service()
    find = _find_failed if failed else find_records
    page = find(service, Result, workflow_id, paging, **filters)
    if not include_logs:
        echo_records(app, page, RESULTS.columns, Result.PLURAL, job_names(service, page.items))
        return
    from torc_core.cli.logs import Logs, output_folder

    logs = Logs.of(service, workflow_id, output_folder(app, output_dir))
    columns = {**RESULTS.columns, "Stdout": "job_stdout", "Stderr": "job_stderr"}
    echo_records(app, page, columns, Result.PLURAL, [logs.fields(result) for result in page.items])


def _find_failed(
    service: Service, kind: type[Result], workflow_id: int, paging: Paging, **filters: Any
) -> Page[Result]:
    """Return results with another code than 0; offset and limit count these only."""
    everything = find_records(service, kind, workflow_id, paging._replace(offset=0, limit=None), **filters)
    bad = [result for result in everything.items if result.return_code != 0]
    end = None if paging.limit is None else paging.offset + paging.limit
    return Page(bad[paging.offset : end], len(bad), paging.offset)


results.add_command(
    list_command(
        RESULTS,
        _show,
        click.Option(["--failed"], is_flag=True, help="Only those with another return code than 0."),
        click.Option(["--include-logs"], is_flag=True, help="With the files that hold what the jobs wrote."),
        click.Option(
            ["-o", "--output-dir"], type=click.Path(path_type=Path), help="Folder of these files (torc_output)."
        ),
    )
)
