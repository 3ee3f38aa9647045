"""What an action is, and what makes it due."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.action_desk import action, ask, given, ids, pending, progress, run_all, stored
from tests.unit.service.conftest import Desk, end
from torc_core.errors import Invalid
from torc_core.records.resources import Job, WorkflowAction
from torc_core.status import JobStatus

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
