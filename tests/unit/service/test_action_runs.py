"""Actions in the next run: which are armed again."""

from __future__ import annotations

import pytest

from tests.unit.service.action_desk import action, ask, done, given, ids, pending, progress, run_all, stored
from tests.unit.service.conftest import Desk
from torc_core.records.actions import ActionRun
from torc_core.records.answers.actions import ActionReport
from torc_core.records.resources import Job, WorkflowAction

TRIGGERS = (
    "on_workflow_start", "on_workflow_complete", "on_jobs_ready", "on_jobs_complete", "on_worker_start",
    "on_worker_complete",
)  # fmt: skip


def spend_all(desk: Desk) -> dict[str, int]:
    """Run two jobs with an action for each trigger, all of which are carried out; the two about jobs wait for a."""
    desk.jobs((), ())
    a, _ = ids(desk)
    made = {t: action(desk, t, [a] if "jobs" in t else None) for t in TRIGGERS}
    desk.begin()
    while True:
        answer = ask(desk, limit=9)
        for launch in answer.actions or ():
            desk.tick(actions=[ActionReport.read({"action_run_id": launch.action_run_id, "status": "completed"})])
        if answer.jobs:
            desk.finished({job.id: 0 for job in answer.jobs})
        elif not answer.actions:
            break
    for launch in ask(desk, is_leaving=True).actions or ():
        done(desk, launch)
    assert all(stored(desk, id).executed for id in made.values())
    return made


def test_a_full_initialization_arms_all_actions(desk: Desk) -> None:
    made = spend_all(desk)
    desk.begin()
    assert {t: progress(desk, id) for t, id in made.items()} == {
        "on_workflow_start": "1/1", "on_workflow_complete": "0/1", "on_jobs_ready": "1/1", "on_jobs_complete": "0/1",
        "on_worker_start": "1/1", "on_worker_complete": "1/1",
    }  # fmt: skip
    assert stored(desk, made["on_workflow_start"]).executed_by is None


def test_a_reinitialization_of_a_workflow_without_changes_arms_workers_only(desk: Desk) -> None:
    made = spend_all(desk)
    desk.begin(again=True)
    assert pending(desk) == [made["on_worker_start"], made["on_worker_complete"]]
    assert all(stored(desk, made[t]).executed for t in TRIGGERS if "worker" not in t)


def test_a_reinitialization_arms_actions_about_jobs_that_run_again(desk: Desk) -> None:
    made = spend_all(desk)
    a, _ = ids(desk)
    desk.service.update(Job, a, {"command": "false"})
    desk.begin(again=True)
    assert {t: progress(desk, id) for t, id in made.items()} == {
        "on_workflow_start": "1/1 executed", "on_workflow_complete": "0/1", "on_jobs_ready": "1/1",
        "on_jobs_complete": "0/1", "on_worker_start": "1/1", "on_worker_complete": "1/1",
    }  # fmt: skip


def test_a_reinitialization_keeps_actions_about_jobs_spent_that_stay_as_they_are(desk: Desk) -> None:
    made = spend_all(desk)
    _, b = ids(desk)
    desk.service.update(Job, b, {"command": "false"})
    desk.begin(again=True)
    assert stored(desk, made["on_jobs_complete"]).executed
    assert stored(desk, made["on_jobs_ready"]).executed
    assert not stored(desk, made["on_workflow_complete"]).executed


def test_a_persistent_action_stays_spent_like_others(desk: Desk) -> None:
    desk.jobs((), ())
    a, b = ids(desk)
    made = action(desk, "on_jobs_complete", [a], persistent=True)
    desk.begin()
    run_all(desk)
    (launch,) = ask(desk).actions or ()
    done(desk, launch)
    desk.service.update(Job, b, {"command": "false"})
    desk.begin(again=True)
    desk.node()
    assert given(ask(desk)) == []
    desk.begin()
    assert progress(desk, made) == "0/1"
    run_all(desk)
    assert given(ask(desk)) == [made]


def test_the_start_of_a_workflow_that_nobody_carried_out_stays_due(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    desk.begin(again=True)
    assert pending(desk) == [made]


@pytest.mark.parametrize("again", [False, True])
def test_actions_of_a_recovery_do_not_outlive_an_initialization(desk: Desk, again: bool) -> None:
    desk.jobs(())
    kept, gone = action(desk, "on_workflow_start"), action(desk, "on_workflow_start", is_recovery=True)
    desk.begin(again=again)
    assert [a.id for a in desk.service.find(WorkflowAction, desk.workflow_id).items] == [kept]
    assert gone not in pending(desk)


def test_a_new_run_takes_what_is_not_done_from_the_old_one(desk: Desk) -> None:
    desk.jobs(())
    made = action(desk, "on_workflow_start")
    desk.begin()
    ask(desk)
    desk.begin()
    (run,) = desk.service.find(ActionRun, desk.workflow_id).items
    assert (run.status, run.reason) == ("lost", "a new run began")
    desk.node()
    assert given(ask(desk)) == [made]
