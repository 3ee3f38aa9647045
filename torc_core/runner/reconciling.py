"""Results that runners journalled and could not report, sent later: from any machine that sees their folders."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from torc_core.runner.journal import FOLDER, read
from torc_core.runner.recovery import is_alive, is_of, report, seize, take_over

if TYPE_CHECKING:
    from torc_core.contracts.executor import Executor
    from torc_core.records.resources import Workflow
    from torc_core.runner.journal import Left
    from torc_core.service.api import Service
    from torc_core.service.processes import Machine


class Reconciled(NamedTuple):
    """What was found and sent."""

    files: int
    total: int  # results in them that were not known to be taken
    refused: list[str]  # why results were of no use

    @property
    def accepted(self) -> int:
        """How many results the service has now."""
        return self.total - len(self.refused)


def reconcile(
    service: Service,
    executor: Executor,
    workflow: Workflow,
    run_id: int | None,
    base: Path,
    machine: Machine,
    say: Callable[[str], None],
) -> Reconciled:
    """Send what runners of a workflow (of one run, or of all) left in journals below ``base``; links are not followed.

    Journals of runners that are over are removed then; others stay, as their runners may still be at work. It can be
    repeated: what was taken before is taken again without effect. The executor ends what dead runners left running.
    """
    files, total = 0, 0
    refused: list[str] = []
    for path in _journals(base, workflow.id):
        try:
            left = read(path)
        except FileNotFoundError:
            continue  # somebody else has dealt with it
        if left is None or not is_of(left.owner, workflow) or run_id not in (None, left.owner.run_id):
            continue
        if is_alive(left.owner, machine):
            say(f"{path}: its runner, process {left.owner.pid}, is at work here and reports by itself")
            continue
        files += 1
        total += len(left.finished)
        refused += _send(service, executor, path, left, machine, say)
    return Reconciled(files, total, refused)


def _journals(base: Path, workflow_id: int) -> Iterator[Path]:
    for folder, folders, names in os.walk(base):
        folders.sort()
        if Path(folder).name == FOLDER:
            yield from sorted(
                Path(folder, name) for name in names if name.startswith(f"wf{workflow_id}_") and ".jsonl" in name
            )


def _send(
    service: Service, executor: Executor, path: Path, left: Left, machine: Machine, say: Callable[[str], None]
) -> list[str]:
    if not (left.has_ended or left.owner.was_on(machine)):
        say(f"{path}: nobody here knows whether its runner on {left.owner.host} is over, so the journal stays")
        return report(service, left)
    seized = seize(path, machine)
    if seized is None:
        say(f"{path}: somebody else is at work with it")
        return []
    refused = take_over(service, executor, left, say)
    seized.unlink()
    return refused
