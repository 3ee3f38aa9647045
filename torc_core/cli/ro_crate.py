"""``torc ro-crate``: entities that were stored, and the whole provenance of a workflow as an RO-Crate."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from torc_core.cli.app import App, pass_app
from torc_core.cli.fields import Shown
from torc_core.cli.groups import TorcCommand
from torc_core.cli.kinds import group_of
from torc_core.cli.output import echo
from torc_core.cli.pick import pick, workflow_argument
from torc_core.cli.showing import short_json
from torc_core.cli.writing import write_file
from torc_core.errors import TorcError
from torc_core.records.provenance import RoCrateEntity
from torc_core.records.resources import File, Job, Result, Workflow

if TYPE_CHECKING:
    from collections.abc import Sequence

ENTITIES = Shown(
    RoCrateEntity,
    {
        "ID": "id", "Entity ID": "entity_id", "Type": "entity_type", "File": "file_id",
        "Metadata": lambda entity: short_json(entity.metadata),
    },
    new=("entity_id", "entity_type", "file_id", "metadata"),
    changed=("entity_type", "file_id", "metadata"),
)  # fmt: skip
_EXAMPLES = """
torc ro-crate export 3 > ro-crate-metadata.json
torc ro-crate export 3 -o results/ro-crate-metadata.json --hash
"""

ro_crate = group_of(ENTITIES, "ro-crate", "Where results come from, as an RO-Crate.")


@ro_crate.command("export", cls=TorcCommand, examples=_EXAMPLES)
@workflow_argument
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Into this file.")
@click.option("--hash", "hashes", is_flag=True, help="With SHA-256 sums of the files that are there.")
@pass_app
def export(app: App, workflow_id: int | None, output: Path | None, hashes: bool) -> None:
    """Write where the files of a workflow come from, as the ro-crate-metadata.json of an RO-Crate 1.1.

    It names files, the jobs with their latest attempts, and entities that were stored. Paths are those of this folder.
    """
    import json

    from torc_core import __version__
    from torc_core.provenance import Made, crate

    chosen, service = pick(app, workflow_id), app.service()
    files = list(service.each(File, chosen))
    made = Made(
        service.get(Workflow, chosen), list(service.each(Job, chosen, include_relationships=True)), files,
        list(service.each(Result, chosen)), list(service.each(RoCrateEntity, chosen)), _sums(files, hashes=hashes),
    )  # fmt: skip
    text = json.dumps(crate(made, __version__, datetime.now(UTC)), indent=2, ensure_ascii=False)
    if output is None:
        echo(text)
        return
    try:
        write_file(output, [text, "\n"])
    except OSError as exc:
        raise TorcError(f"cannot write {output}: {exc.strerror}") from exc
    app.say("info", f"Wrote the provenance of workflow {chosen} to {output}")


def _sums(files: Sequence[File], *, hashes: bool) -> dict[int, dict[str, Any]]:
    """Return sizes, and sums where they are wanted, of the files that are there."""
    import hashlib

    found: dict[int, dict[str, Any]] = {}
    for file in files:
        try:
            size = Path(file.path).stat().st_size
            found[file.id] = {"contentSize": str(size)}
            if hashes:
                with Path(file.path).open("rb") as data:
                    found[file.id]["sha256"] = hashlib.file_digest(data, "sha256").hexdigest()
        except OSError:
            continue
    return found
