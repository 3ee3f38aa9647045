"""Short ways to say what tests of actions say often."""

from __future__ import annotations

from typing import Any

from tests.unit.service.conftest import Desk
from torc_core.records.answers import TickAnswer
from torc_core.records.answers.actions import ActionLaunch, ActionReport
from torc_core.records.resources import Job, WorkflowAction

COMMANDS = {"commands": ["true"]}


def action(desk: Desk, trigger: str, job_ids: list[int] | None = None, **more: Any) -> int:
    """Add an action that runs a command."""
    fields = {"action_type": "run_commands", "action_config": COMMANDS, **more}
    made = desk.service.create(
        WorkflowAction(workflow_id=desk.workflow_id, trigger_type=trigger, job_ids=job_ids, **fields)
    )
    return made.id


def stored(desk: Desk, action_id: int) -> WorkflowAction:
    return next(a for a in desk.service.find(WorkflowAction, desk.workflow_id).items if a.id == action_id)


def progress(desk: Desk, action_id: int) -> str:
    found = stored(desk, action_id)
    return f"{found.trigger_count}/{found.required_triggers}{' executed' if found.executed else ''}"


def pending(desk: Desk, *triggers: str) -> list[int]:
    return [a.id for a in desk.service.get_pending_actions(desk.workflow_id, list(triggers) or None)]


def ids(desk: Desk) -> list[int]:
    return [job.id for job in desk.service.find(Job, desk.workflow_id).items]


def ask(desk: Desk, **more: Any) -> TickAnswer:
    """Take a turn as a runner that carries out commands."""
    return desk.tick(can_run=["run_commands"], **more)


def given(answer: TickAnswer) -> list[int]:
    return [launch.action_id for launch in answer.actions or ()]


def done(desk: Desk, launch: ActionLaunch, status: str = "completed", **more: Any) -> TickAnswer:
    report = ActionReport.read({"action_run_id": launch.action_run_id, "status": status, **more})
    return ask(desk, actions=[report])


def run_all(desk: Desk, **codes: int) -> None:
    """Run every job to its end."""
    while jobs := desk.tick(limit=9).jobs:
        desk.finished({job.id: codes.get(job.name, 0) for job in jobs})
