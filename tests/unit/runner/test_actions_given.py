"""Actions that come to a runner twice: answers that were lost are given again, and some of them were not lost."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from torc_core.contracts.executor import Handle, Observation
from torc_core.records.answers import TickAnswer
from torc_core.records.answers.actions import ActionLaunch
from torc_core.runner.action_mail import ActionMail
from torc_core.runner.actions import Actions
from torc_core.runner.limits import Limits


class Side:
    """Starts what it is asked to, and ends it when the test says so."""

    def __init__(self):
        self.commands, self.ends = [], []

    def start(self, request, ended):
        self.commands.append(request.command)
        handle = Handle("side", str(len(self.commands)))
        self.ends.append(lambda: ended(Observation("done", 0)))
        return handle


@pytest.fixture
def scene(tmp_path):
    def request(action, number, command, node_id, seconds):
        return SimpleNamespace(command=command, stdout=None, stderr=None)

    return SimpleNamespace(
        turns=SimpleNamespace(actions=ActionMail()),
        options=SimpleNamespace(output_dir=str(tmp_path)),
        voice=SimpleNamespace(tell=lambda text: None, say=lambda text, level: None),
        launcher=SimpleNamespace(action_request=request),
        side=Side(),
        limits=Limits.of(None),
        compute_node_id=1,
    )


def launch(run_id):
    return ActionLaunch(
        action_run_id=run_id, action_id=5, trigger_type="on_workflow_complete", action_type="run_commands",
        action_config={"commands": [f"echo {run_id}"]}, attempt_id=1, done=0,
    )  # fmt: skip


def answered(scene, actions, *launches):
    mail = scene.turns.actions
    mail.take(TickAnswer.of({"actions": list(launches)}), mail.fill({}))
    actions.wake_up(0.0)


@pytest.mark.parametrize("when", ["while it runs", "when it has ended", "when its end was told"])
def test_an_action_that_is_given_again_is_carried_out_once(scene, when):
    actions, side, mail = Actions(scene), scene.side, scene.turns.actions
    answered(scene, actions, launch(1))
    sent = {}
    if when != "while it runs":
        side.ends[0]()
        sent = mail.reports
    if when == "when its end was told":
        mail.take(TickAnswer.of({}), mail.fill({}))
    answered(scene, actions, launch(1), launch(2))
    assert side.commands == ["echo 1", "echo 2"]
    assert len(sent) == (when != "while it runs")
