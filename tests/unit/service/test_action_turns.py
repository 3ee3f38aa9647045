"""Who gets an action that is due, how it went, and what becomes of it when its runner is gone."""

from __future__ import annotations

import pytest

from tests.unit.service.action_desk import action, ask, done, given, ids, pending, stored
from tests.unit.service.conftest import Desk
from torc_core.records.actions import ActionRun
from torc_core.records.answers.actions import ActionClaim, ActionReport
from torc_core.records.resources import ComputeNode, Event

# who gets them


def test_one_of_many_runners_gets_an_action(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_worker_start")
    desk.begin()
    nodes = [desk.node() for _ in range(3)]
    got = []
    for node in nodes:
        desk.node_id = node
        got.append(given(ask(desk)))
    assert got == [[made], [], []]
    assert (stored(desk, made).executed_by, stored(desk, made).executed) == (nodes[0], True)


def test_a_persistent_action_is_carried_out_once_by_every_runner(desk: Desk) -> None:
    """In the original every runner does it again at every poll."""
    desk.jobs((), ())
    a, _ = ids(desk)
    made = action(desk, "on_jobs_ready", [a], persistent=True)
    desk.begin()
    nodes = [desk.node(), desk.node()]
    for node in nodes:
        desk.node_id = node
        answer = ask(desk)
        assert given(answer) == [made]
        assert answer.actions
        for _ in range(3):
            assert given(done(desk, answer.actions[0])) == []
    assert [run.compute_node_id for run in desk.service.find(ActionRun, desk.workflow_id).items] == nodes
    assert pending(desk) == [made]
    desk.service._owner.forget(desk.workflow_id)
    assert given(ask(desk)) == []


def test_worker_actions_are_given_when_a_runner_begins_and_leaves(desk: Desk) -> None:
    desk.jobs(())
    first, last = action(desk, "on_worker_start"), action(desk, "on_worker_complete")
    desk.begin()
    assert given(ask(desk)) == [first]
    assert given(ask(desk)) == []
    assert given(ask(desk, is_leaving=True)) == [last]


def test_only_what_a_runner_can_do_is_given_to_it(desk: Desk) -> None:
    desk.jobs(())
    slurm = {"scheduler_type": "slurm", "scheduler_id": 1}
    nodes = action(desk, "on_workflow_start", action_type="schedule_nodes", action_config=slurm)
    odd = action(desk, "on_workflow_start", action_type="howl", action_config={})
    commands = action(desk, "on_workflow_start")
    desk.begin()
    assert given(desk.tick()) == []
    assert given(desk.tick(can_run=["schedule_nodes:local"])) == []
    assert given(desk.tick(can_run=["run_commands"])) == [commands]
    assert given(desk.tick(can_run=["run_commands", "schedule_nodes:slurm"])) == [nodes]
    assert pending(desk) == [odd]


def test_no_jobs_are_given_while_commands_run_that_come_before_them(desk: Desk) -> None:
    desk.jobs((), ())
    action(desk, "on_workflow_start")
    desk.begin()
    answer = ask(desk, limit=2)
    assert (answer.jobs, answer.is_held) == ([], True)
    assert answer.actions
    first = desk.node_id
    desk.node()
    assert ask(desk, limit=2).jobs == []
    desk.node_id = first
    after = done(desk, answer.actions[0], limit=0)
    assert not after.is_held
    assert len(ask(desk, limit=2).jobs) == 2


def test_commands_of_one_runner_hold_back_its_own_jobs_only(desk: Desk) -> None:
    desk.jobs((), ())
    action(desk, "on_worker_start")
    desk.begin()
    assert ask(desk, limit=1).is_held
    desk.node()
    assert len(ask(desk, limit=1).jobs) == 1


# how they went


def test_how_it_went_is_kept(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start", action_config={"commands": ["true", "false", "true"]})
    desk.begin()
    (launch,) = ask(desk).actions or ()
    assert (launch.action_config, launch.attempt_id, launch.done) == ({"commands": ["true", "false", "true"]}, 1, 0)
    done(desk, launch, "failed", done=1, return_code=1, command="false", output="no\n", log="a.o")
    (run,) = desk.service.find(ActionRun, desk.workflow_id, action_id=made).items
    assert (run.status, run.done, run.return_code, run.command, run.output) == ("failed", 1, 1, "false", "no\n")
    assert (run.compute_node_id, run.run_id, run.attempt_id) == (desk.node_id, 1, 1)
    assert run.started_at is not None
    assert run.finished_at is not None
    assert pending(desk) == []
    (event,) = desk.service.find(Event, desk.workflow_id, category="action").items
    assert (event.data["event_type"], event.data["action_id"], event.data["return_code"]) == ("action_failed", made, 1)


def test_a_report_that_is_repeated_changes_nothing(desk: Desk) -> None:
    desk.jobs(())
    action(desk, "on_workflow_start")
    desk.begin()
    (launch,) = ask(desk).actions or ()
    done(desk, launch, "failed", return_code=3)
    done(desk, launch, "failed", return_code=3)
    done(desk, launch, "completed", return_code=0)
    (run,) = desk.service.find(ActionRun, desk.workflow_id).items
    assert (run.status, run.return_code) == ("failed", 3)
    assert desk.service.find(Event, desk.workflow_id, category="action").total_count == 1


def test_what_an_answer_gave_that_got_lost_is_given_again(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    ask(desk)
    assert given(ask(desk)) == []
    assert given(ask(desk, resend=True)) == [made]


# runners that are gone


def test_what_a_dead_runner_had_not_finished_is_given_to_another_where_it_was(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start", action_config={"commands": ["one", "two", "three"]})
    desk.begin()
    (launch,) = ask(desk).actions or ()
    done(desk, launch, "running", done=1)
    dead = desk.node_id
    desk.node()
    assert given(ask(desk)) == []
    desk.service.adopt_orphans(desk.workflow_id, [dead])
    (again,) = ask(desk).actions or ()
    assert (again.action_id, again.attempt_id, again.done) == (made, 2, 1)
    done(desk, again, done=3)
    runs = desk.service.find(ActionRun, desk.workflow_id).items
    assert [(run.compute_node_id, run.status) for run in runs] == [(dead, "lost"), (desk.node_id, "completed")]
    assert runs[0].reason == "its runner is gone"
    assert pending(desk) == []


def test_a_finished_action_of_a_dead_runner_is_not_repeated(desk: Desk) -> None:
    desk.jobs(())
    action(desk, "on_workflow_start")
    desk.begin()
    (launch,) = ask(desk).actions or ()
    done(desk, launch)
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id])
    desk.node()
    assert given(ask(desk)) == []


def test_what_was_taken_with_claim_action_is_never_taken_back(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    node = desk.node()
    assert desk.service.claim_action(desk.workflow_id, made, ActionClaim(compute_node_id=node)).claimed
    desk.service.adopt_orphans(desk.workflow_id, [node])
    assert pending(desk) == []


@pytest.mark.parametrize("how", ["signs off", "is deleted", "gives it back"])
def test_a_runner_that_leaves_before_it_is_done_leaves_it_to_others(desk: Desk, how: str) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start", action_config={"commands": ["one", "two"]})
    desk.begin()
    (launch,) = ask(desk).actions or ()
    if how == "signs off":
        desk.service.update(ComputeNode, desk.node_id, {"is_active": False})
    elif how == "is deleted":
        desk.service.delete(ComputeNode, desk.node_id)
    else:
        desk.tick(actions=[ActionReport.read({"action_run_id": launch.action_run_id, "status": "lost", "done": 1})])
    assert pending(desk) == [made]
    desk.node()
    (again,) = ask(desk).actions or ()
    assert again.done == (1 if how == "gives it back" else 0)


def test_a_runner_that_comes_back_late_spares_others_the_work(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    (launch,) = ask(desk).actions or ()
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id])
    assert pending(desk) == [made]
    done(desk, launch)
    assert pending(desk) == []
    assert stored(desk, made).executed


def test_a_late_report_does_not_disturb_who_has_it_now(desk: Desk) -> None:
    desk.jobs(())
    action(desk, "on_workflow_start")
    desk.begin()
    (launch,) = ask(desk).actions or ()
    late = desk.node_id
    desk.service.adopt_orphans(desk.workflow_id, [late])
    now = desk.node()
    (again,) = ask(desk).actions or ()
    desk.node_id = late
    done(desk, launch, "failed", return_code=1)
    desk.node_id = now
    done(desk, again)
    runs = desk.service.find(ActionRun, desk.workflow_id).items
    assert [run.status for run in runs] == ["failed", "completed"]
    assert pending(desk) == []


def test_setting_up_a_machine_begins_anew_on_another(desk: Desk) -> None:
    desk.jobs(())
    action(desk, "on_worker_start", action_config={"commands": ["one", "two"]})
    desk.begin()
    (launch,) = ask(desk).actions or ()
    done(desk, launch, "running", done=1)
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id])
    desk.node()
    (again,) = ask(desk).actions or ()
    assert again.done == 0
