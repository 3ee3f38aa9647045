"""``torc logs``: collect the log files of a workflow, and find common failures in them."""

from __future__ import annotations

import io
import json
import tarfile
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.groups import TorcGroup
from torc_core.cli.log_files import METADATA, Logs, files_of, open_logs
from torc_core.cli.logs import output_dir_option, output_folder
from torc_core.cli.output import echo, echo_json
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.writing import whole_file
from torc_core.errors import NotFound
from torc_core.records.resources import Workflow
from torc_core.units import counted

logs = TorcGroup("logs", help="Collect log files, and find common failures in them.")


@logs.command("bundle")
@workflow_argument
@output_dir_option
@click.option(
    "--bundle-dir", type=click.Path(path_type=Path), default=Path(), help="Folder to write the bundle to (this one)."
)
@pass_app
def bundle(app: App, workflow_id: int | None, output_dir: Path | None, bundle_dir: Path) -> None:
    """Put all log files of a workflow into one archive, to be analyzed or sent to somebody."""
    chosen = pick(app, workflow_id)
    workflow = app.service().get(Workflow, chosen)
    folder = output_folder(app, output_dir)
    files = files_of(folder, chosen)
    if not files:
        raise NotFound(f"{folder} has no files of workflow {chosen}", hint="Name another folder with -o.")
    bundle_dir.mkdir(parents=True, exist_ok=True)
    target = bundle_dir / f"wf{chosen}.tar.gz"
    size = sum(path.stat().st_size for path in files)
    metadata = {
        "workflow_id": chosen, "workflow_name": workflow.name, "workflow_description": workflow.description,
        "workflow_user": workflow.user, "collected_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "files_collected": len(files), "total_size_bytes": size,
    }  # fmt: skip
    _write(target, folder, files, metadata)
    if app.wants_json:
        echo_json({"status": "success", "bundle": str(target), **metadata})
    else:
        echo(f"Wrote {target} with {counted(len(files), 'file')}. Analyze it with: torc logs analyze {target}")


def _write(target: Path, folder: Path, files: list[Path], metadata: dict[str, Any]) -> None:
    """Write the archive at once or not at all."""
    root = folder.resolve().name or "output"
    with whole_file(target) as partial, tarfile.open(partial, "w:gz") as archive:
        for path in files:
            archive.add(path, arcname=f"{root}/{path.relative_to(folder).as_posix()}", recursive=False)
        text = json.dumps(metadata, indent=2).encode()
        member = tarfile.TarInfo(METADATA)
        member.size, member.mtime = len(text), int(time.time())
        archive.addfile(member, io.BytesIO(text))


class _Finding(NamedTuple):
    """One line that tells of trouble."""

    file: str
    line_number: int
    pattern_name: str
    severity: str
    line_content: str


@logs.command("analyze")
@click.argument("path", type=click.Path(path_type=Path))
@click.option("-w", "--workflow-id", type=int, help="Which workflow, where there are several.")
@pass_app
def analyze(app: App, path: Path, workflow_id: int | None) -> None:
    """Find common failures in the log files in PATH, an output folder or a bundle. Needs no database."""
    from torc_core.diagnosis.log_patterns import Matcher

    matcher = Matcher(app.host.log_patterns())
    with open_logs(path, workflow_id) as found:
        parsed, findings = _search(found, matcher)
    if app.wants_json:
        errors = sum(finding.severity == "Error" for finding in findings)
        echo_json(
            {
                "workflow_id": found.workflow_id, "files_parsed": parsed, "error_count": errors,
                "warning_count": len(findings) - errors, "errors": [finding._asdict() for finding in findings],
                "errors_by_type": dict(Counter(finding.pattern_name for finding in findings)),
            }
        )  # fmt: skip
    else:
        _show(found, parsed, findings, matcher.advice)


def _search(logs: Logs, matcher: Any) -> tuple[int, list[_Finding]]:
    from torc_core.diagnosis.log_patterns import LONGEST

    findings: list[_Finding] = []
    parsed = 0
    for file in logs.files:
        parsed += 1
        for number, line in enumerate(file.lines, 1):
            pattern = matcher.find(line, is_own=file.is_own)
            if pattern is not None:
                findings.append(
                    _Finding(file.name, number, pattern.name, pattern.severity.value, line.strip()[:LONGEST])
                )
    return parsed, findings


def _show(logs: Logs, parsed: int, findings: list[_Finding], advice: dict[str, str]) -> None:
    errors = sum(finding.severity == "Error" for finding in findings)
    name = logs.metadata.get("workflow_name")
    about = f'{logs.workflow_id} "{name}"' if name else str(logs.workflow_id)
    warnings = counted(len(findings) - errors, "warning")
    echo(f"Workflow {about}: {counted(parsed, 'log file')}, {counted(errors, 'error')}, {warnings}")
    file = None
    for finding in findings:
        if finding.file != file:
            file = finding.file
            echo(f"\n{file}")
        severity = finding.severity.upper()
        echo(f"  [{severity}] Line {finding.line_number}: {finding.pattern_name} - {finding.line_content}")
    if findings:
        echo("\nBy type:")
    for pattern, count in Counter(finding.pattern_name for finding in findings).most_common():
        hint = f". {advice[pattern]}" if pattern in advice else ""
        echo(f"  {pattern}: {count}{hint}")
