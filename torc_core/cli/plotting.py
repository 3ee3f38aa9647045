"""``torc plot-resources``: pictures of what was measured."""

from __future__ import annotations

from pathlib import Path

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcCommand
from torc_core.cli.output import echo, echo_json, echo_table
from torc_core.cli.resource_reports import ids_of
from torc_core.units import counted

_EXAMPLES = """
torc plot-resources torc_output/resource_utilization/*.db -o plots
torc plot-resources metrics.db -j 3,7 -f json
"""


@click.command("plot-resources", cls=TorcCommand, examples=_EXAMPLES)
@click.argument("databases", metavar="DB...", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("-o", "--output-dir", type=click.Path(path_type=Path), default=Path(), help="Folder to write to (.).")
@click.option(
    "-j", "--job-ids", metavar="ID,ID...", help="Only these jobs; else all, with pictures of 100 by themselves."
)
@click.option("-p", "--prefix", default="", help="Put before the name of every file.")
@click.option(
    "-f", "--format", "kind", type=click.Choice(["html", "svg", "json"]), default="html", help="Of the files (html)."
)
@pass_app
def plot_resources(
    app: App, databases: tuple[Path, ...], output_dir: Path, job_ids: str | None, prefix: str, kind: str
) -> None:
    """Draw the time series in DB: each job, all jobs, a summary, and the machine; needs no service.

    Pages and pictures stand for themselves: they can be opened, mailed and kept without torc.
    """
    from torc_core.plots.words import bytes_text, percent_text
    from torc_core.runner.metrics_reading import read_metrics, single_jobs, write_pictures
    from torc_core.units import human_duration

    metrics = read_metrics(databases)
    chosen = ids_of(job_ids)
    files = write_pictures(metrics, output_dir, prefix, kind, chosen)
    shown = metrics.jobs if chosen is None else single_jobs(metrics, chosen)
    if app.wants_json:
        echo_json({"files": [str(file) for file in files], "jobs": [job.facts() for job in shown]})
        return
    rows = [
        (job.job_id, job.name, len(job.points), human_duration(job.seconds), percent_text(job.peak_cpu_percent),
         bytes_text(job.peak_memory_bytes))
        for job in shown
    ]  # fmt: skip
    if rows:
        echo_table(("ID", "Job", "Samples", "Seen for", "Peak CPU", "Peak memory"), rows)
        echo()
    echo(f"Wrote {counted(len(files), 'file')}: {_listed(files)}")


def _listed(files: list[Path]) -> str:
    names = [str(file) for file in files]
    return ", ".join(names) if len(names) <= 4 else f"{names[0]} ... {names[-1]}"
