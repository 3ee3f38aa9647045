"""Calls about actions that anybody may make."""

from __future__ import annotations

import pytest

from tests.unit.service.action_desk import action, ask, given, ids, pending, run_all, stored
from tests.unit.service.conftest import Desk, end
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.answers.actions import ActionClaim, ActionReport


def test_pending_actions_are_narrowed_by_their_triggers(desk: Desk) -> None:
    desk.jobs(())
    start, worker = action(desk, "on_workflow_start"), action(desk, "on_worker_start")
    desk.begin()
    assert pending(desk, "on_workflow_start") == [start]
    assert pending(desk, "on_worker_start", "on_workflow_start") == [start, worker]
    assert pending(desk, "on_full_moon") == []
    assert pending(desk, "") == []


def test_an_action_is_taken_once_due_or_not(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_complete")
    assert desk.service.claim_action(desk.workflow_id, made, ActionClaim()).wire() == {
        "action_id": made, "claimed": True,
    }  # fmt: skip
    with pytest.raises(Conflict) as caught:
        desk.service.claim_action(desk.workflow_id, made, ActionClaim())
    assert caught.value.wire()["error"]["claimed"] is False
    assert stored(desk, made).executed_at is not None


def test_a_persistent_action_is_taken_without_limit(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_worker_start", persistent=True)
    desk.begin()
    for _ in range(2):
        assert desk.service.claim_action(desk.workflow_id, made, ActionClaim()).claimed
    assert pending(desk) == [made]
    assert not stored(desk, made).executed


def test_actions_of_other_workflows_are_not_found(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    other = desk.jobs(())
    for call in (
        lambda: desk.service.claim_action(other, made, ActionClaim()),
        lambda: desk.service.update_workflow_action(other, made, {"commands": ["x"]}),
        lambda: desk.service.delete_workflow_action(other, made),
        lambda: desk.service.get_pending_actions(9999),
    ):
        with pytest.raises(NotFound):
            call()


def test_how_an_action_went_that_was_taken_by_hand_can_be_told(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    report = ActionReport.read({"status": "completed", "done": 1, "return_code": 0})
    with pytest.raises(Invalid, match="was not taken"):
        desk.service.finish_action(desk.workflow_id, made, report)
    desk.service.claim_action(desk.workflow_id, made, ActionClaim())
    run = desk.service.finish_action(desk.workflow_id, made, report)
    assert (run.action_id, run.status, run.return_code) == (made, "completed", 0)
    with pytest.raises(NotFound):
        desk.service.finish_action(desk.workflow_id, made, report.changed(action_run_id=9999))


def test_an_action_that_was_taken_by_hand_and_given_back_is_due_again(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    report = ActionReport.read({"status": "lost", "reason": "no nodes"})
    desk.service.claim_action(desk.workflow_id, made, ActionClaim())
    assert pending(desk) == []
    run = desk.service.finish_action(desk.workflow_id, made, report)
    assert (run.status, run.reason, pending(desk)) == ("lost", "no nodes", [made])
    assert desk.service.finish_action(desk.workflow_id, made, report).id == run.id  # the same report again
    assert given(ask(desk)) == [made]


def test_a_configuration_is_changed_member_by_member(desk: Desk) -> None:
    desk.jobs(())
    local = {"scheduler_type": "local", "scheduler_id": 0}
    made = action(desk, "on_workflow_start", action_type="schedule_nodes", action_config=local)
    changed = desk.service.update_workflow_action(desk.workflow_id, made, {"num_allocations": 3})
    assert changed.action_config == {**local, "num_allocations": 3, "start_one_worker_per_node": False}
    assert stored(desk, made).action_config == changed.action_config
    for wrong in ({}, [], "x", {"num_allocations": 0}, {"nodes": 3}):
        with pytest.raises(Invalid):
            desk.service.update_workflow_action(desk.workflow_id, made, wrong)
    desk.service.update_workflow_action(desk.workflow_id, made, {"scheduler_type": "slurm"})
    desk.begin()
    assert given(desk.tick(can_run=["schedule_nodes:local"])) == []
    assert given(desk.tick(can_run=["schedule_nodes:slurm"])) == [made]


def test_a_deleted_action_does_not_come(desk: Desk) -> None:
    desk.jobs(())
    gone, kept = action(desk, "on_workflow_start"), action(desk, "on_workflow_start")
    desk.begin()
    assert str(gone) in desk.service.delete_workflow_action(desk.workflow_id, gone).message
    assert pending(desk) == [kept]
    desk.service.delete_workflow_action(desk.workflow_id, kept)
    assert given(ask(desk)) == []
    run_all(desk)


def test_a_workflow_without_actions_notes_nothing(desk: Desk) -> None:
    desk.jobs((), (0,))
    desk.begin()
    run_all(desk)
    state = desk.service._owner.state(desk.workflow_id)
    assert (state.actions, state.graph.log) == (None, None)


def test_a_machine_is_set_up_after_the_workflow_and_the_end_comes_last(desk: Desk) -> None:
    desk.jobs(())
    (a,) = ids(desk)
    whole, worker = action(desk, "on_workflow_complete"), action(desk, "on_worker_start")
    jobs, start = action(desk, "on_jobs_complete", [a]), action(desk, "on_workflow_start")
    desk.begin()
    order: list[list[int]] = []
    answer = ask(desk, limit=1)
    while answer.actions or answer.jobs:
        order.append(given(answer))
        ends = [end(job.id) for job in answer.jobs]
        reports = [
            ActionReport.read({"action_run_id": launch.action_run_id, "status": "completed"})
            for launch in answer.actions or ()
        ]
        answer = ask(desk, limit=1, actions=reports, finished=ends)
    assert order == [[start], [worker], [], [jobs], [whole]]


def test_a_runner_hears_what_else_is_due_and_of_its_last_duties(desk: Desk) -> None:
    desk.jobs(())
    config = {"scheduler_type": "slurm", "scheduler_id": 1}
    action(desk, "on_workflow_start", action_type="schedule_nodes", action_config=config)
    action(desk, "on_worker_complete")
    assert ask(desk).has_last_actions is False
    desk.begin()
    answer = ask(desk)
    assert (answer.undone_kinds, answer.has_last_actions) == (["schedule_nodes:slurm"], True)
    answer = desk.tick(can_run=["schedule_nodes:slurm"])
    assert answer.undone_kinds is None
    assert len(answer.actions or ()) == 1
