"""Actions in the service: what makes them due, who gets them, what a runner that is gone leaves, the next run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Desk, end
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.actions import ActionRun
from torc_core.records.answers import TickAnswer
from torc_core.records.answers.actions import ActionClaim, ActionLaunch, ActionReport
from torc_core.records.resources import ComputeNode, Event, Job, WorkflowAction
from torc_core.status import JobStatus

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


# what is taken


@pytest.mark.parametrize(
    ("action_type", "config"),
    [
        ("run_commands", {}),
        ("run_commands", {"commands": []}),
        ("run_commands", {"commands": "true"}),
        ("run_commands", {"commands": ["true", 1]}),
        ("run_commands", {"commands": ["true"], "shell": "zsh"}),
        ("run_commands", ["true"]),
        ("schedule_nodes", {}),
        ("schedule_nodes", {"scheduler_type": "slurm"}),
        ("schedule_nodes", {"scheduler_type": "slurm", "scheduler_id": "1"}),
        ("schedule_nodes", {"scheduler_type": "slurm", "scheduler_id": 1, "num_allocations": "2"}),
        ("schedule_nodes", {"scheduler_type": "slurm", "scheduler_id": 1, "start_one_worker_per_node": 1}),
        ("schedule_nodes", {"scheduler_type": "slurm", "scheduler_id": 1, "walltime": "01:00:00"}),
    ],
)
def test_a_configuration_that_cannot_be_carried_out_is_refused(desk: Desk, action_type: str, config: Any) -> None:
    desk.jobs(())
    with pytest.raises(Invalid) as caught:
        action(desk, "on_workflow_start", action_type=action_type, action_config=config)
    assert str(caught.value.details["field"]).startswith("action_config")
    assert desk.service.find(WorkflowAction, desk.workflow_id).items == []


def test_the_number_of_triggers_is_computed_and_unknown_words_are_kept(desk: Desk) -> None:
    desk.jobs((), (), ())
    a, b, c = ids(desk)
    assert progress(desk, action(desk, "on_jobs_complete", [a, b, c], required_triggers=1)) == "0/3"
    assert progress(desk, action(desk, "on_jobs_ready", [a])) == "0/1"
    assert progress(desk, action(desk, "on_jobs_ready")) == "0/1"
    assert progress(desk, action(desk, "on_workflow_start", [a, b])) == "0/1"
    odd = action(desk, "on_full_moon", action_type="howl", action_config=["at it"])
    assert (stored(desk, odd).trigger_type, stored(desk, odd).action_config) == ("on_full_moon", ["at it"])


def test_counts_and_executed_are_taken_as_sent(desk: Desk) -> None:
    desk.jobs(())
    due = action(desk, "on_workflow_start", trigger_count=1)
    spent = action(desk, "on_workflow_start", trigger_count=1, executed=True)
    assert pending(desk) == [due]
    assert stored(desk, spent).executed


def test_nodes_of_a_scheduler_have_defaults(desk: Desk) -> None:
    desk.jobs(())
    made = action(
        desk, "on_workflow_start", action_type="schedule_nodes",
        action_config={"scheduler_type": "slurm", "scheduler_id": 4},
    )  # fmt: skip
    assert stored(desk, made).action_config == {
        "scheduler_type": "slurm", "scheduler_id": 4, "num_allocations": 1, "start_one_worker_per_node": False,
    }  # fmt: skip


# what counts


def test_an_initialization_starts_the_workflow_and_makes_worker_actions_due(desk: Desk) -> None:
    desk.jobs(())
    made = [action(desk, t) for t in ("on_workflow_start", "on_worker_start", "on_worker_complete")]
    never = action(desk, "on_workflow_complete")
    assert pending(desk) == []
    desk.begin()
    assert pending(desk) == made
    assert progress(desk, never) == "0/1"


def test_triggers_about_jobs_come_with_the_transition_that_causes_them(desk: Desk) -> None:
    desk.jobs((), (), (0, 1))
    a, b, c = ids(desk)
    ended, up = action(desk, "on_jobs_complete", [a, b]), action(desk, "on_jobs_ready", [c])
    desk.begin()
    desk.tick(limit=2)
    desk.finished({a: 0})
    assert (progress(desk, ended), progress(desk, up)) == ("1/2", "0/1")
    answer = ask(desk, finished=[end(b)])
    assert given(answer) == [ended, up]
    assert (progress(desk, ended), progress(desk, up)) == ("2/2 executed", "1/1 executed")


def test_a_job_that_is_retried_counts_once(desk: Desk) -> None:
    """The original counts ends: two of one job would make this due before b has run."""
    desk.jobs((), ())
    a, b = ids(desk)
    made = action(desk, "on_jobs_complete", [a, b])
    desk.begin()
    desk.tick(limit=2)
    desk.finished({a: 1})
    assert progress(desk, made) == "1/2"
    desk.service.retry_job(a, 1, 3)
    assert progress(desk, made) == "0/2"
    desk.tick(limit=1)
    desk.finished({a: 0}, attempt=2)
    assert progress(desk, made) == "1/2"
    assert pending(desk) == []
    desk.finished({b: 0})
    assert pending(desk) == [made]


def test_jobs_canceled_because_of_others_count_and_end_the_workflow(desk: Desk) -> None:
    """In the original an action that waits for such a job never comes, nor does the end of the workflow."""
    desk.jobs((), (0,), (1,))
    a, b, c = ids(desk)
    both, whole = action(desk, "on_jobs_complete", [b, c]), action(desk, "on_workflow_complete")
    desk.begin()
    desk.tick(limit=1)
    desk.finished({a: 1})
    assert desk.statuses() == "a=failed b=canceled c=canceled"
    assert pending(desk) == [both, whole]


def test_jobs_that_a_cancellation_ends_count_but_the_workflow_did_not_come_to_its_end(desk: Desk) -> None:
    desk.jobs((), (0,))
    a, b = ids(desk)
    one, two = action(desk, "on_jobs_complete", [a]), action(desk, "on_jobs_complete", [a, b])
    whole = action(desk, "on_workflow_complete")
    desk.begin()
    desk.tick(limit=1)
    desk.service.cancel_workflow(desk.workflow_id)
    assert pending(desk) == [one]
    assert (progress(desk, two), progress(desk, whole)) == ("1/2", "0/1")


def test_nothing_is_begun_in_a_canceled_workflow_but_cleaning_up_is_done(desk: Desk) -> None:
    desk.jobs((), (0,))
    a, _ = ids(desk)
    clean = action(desk, "on_jobs_complete", [a])
    action(desk, "on_workflow_start")
    action(desk, "on_worker_start")
    action(desk, "on_jobs_ready", [a])
    leave = action(desk, "on_worker_complete")
    desk.begin()
    desk.tick(limit=1)
    desk.service.cancel_workflow(desk.workflow_id)
    assert given(ask(desk)) == [clean]
    assert given(ask(desk, is_leaving=True)) == [leave]


def test_a_status_set_by_hand_counts(desk: Desk) -> None:
    desk.jobs((), (0,))
    _, b = ids(desk)
    made = action(desk, "on_jobs_ready", [b])
    desk.begin()
    assert progress(desk, made) == "0/1"
    desk.service.manage_status_change(b, JobStatus.READY, 1)
    assert progress(desk, made) == "1/1"


def test_an_action_for_what_has_happened_is_due_at_once(desk: Desk) -> None:
    desk.jobs((), ())
    a, b = ids(desk)
    desk.begin()
    run_all(desk)
    assert pending(desk) == []
    made = [action(desk, "on_jobs_complete", [a, b]), action(desk, "on_workflow_complete")]
    assert pending(desk) == made


def test_a_deleted_job_is_not_waited_for(desk: Desk) -> None:
    desk.jobs((), ())
    a, b = ids(desk)
    made = action(desk, "on_jobs_complete", [a, b])
    desk.begin()
    desk.tick(limit=1)
    desk.finished({a: 0})
    assert progress(desk, made) == "1/2"
    desk.service.delete(Job, b)
    assert stored(desk, made).job_ids == [a]
    assert pending(desk) == [made]


def test_counts_are_found_again_when_the_workflow_is_read_anew(desk: Desk) -> None:
    desk.jobs((), (), (0,))
    a, b, _ = ids(desk)
    made = action(desk, "on_jobs_complete", [a, b])
    desk.begin()
    desk.tick(limit=1)
    desk.finished({a: 0})
    desk.service._owner.forget(desk.workflow_id)
    assert progress(desk, made) == "1/2"
    desk.tick(limit=1)
    desk.finished({b: 0})
    assert progress(desk, made) == "2/2"


def test_disabled_jobs_are_waited_for_as_by_jobs(desk: Desk) -> None:
    desk.jobs((), ())
    _, b = ids(desk)
    desk.service.update(Job, b, {"status": JobStatus.DISABLED})
    made, whole = action(desk, "on_jobs_complete", [b]), action(desk, "on_workflow_complete")
    desk.begin(again=True)
    run_all(desk)
    assert desk.statuses() == "a=completed b=disabled"
    assert (progress(desk, made), progress(desk, whole)) == ("0/1", "1/1")


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


# the next run


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


# what anybody may ask for


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
