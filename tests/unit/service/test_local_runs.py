"""A workflow's life in the local service: begin, claim, report, fail, retry, cancel, begin again."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk, end
from torc_core.cli.rerunning import begin_next
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.answers import Archiving, FileTimes, JobReset, StartedJob, Tick
from torc_core.records.resources import ComputeNode, Event, File, Job, Result, UserData, Workflow
from torc_core.runner.beginning import begin_first_run
from torc_core.status import JobStatus


def test_a_run_goes_from_claim_to_result(desk: Desk) -> None:
    desk.jobs((), (0,), (1,))
    assert desk.statuses() == "a=uninitialized b=uninitialized c=uninitialized"
    assert desk.begin().run_id == 1
    first = desk.tick(limit=5)
    assert [job.name for job in first.jobs] == ["a"]
    assert desk.statuses() == "a=pending b=blocked c=blocked"
    desk.started(first.jobs[0].id)
    assert desk.statuses() == "a=running b=blocked c=blocked"
    after = desk.finished({first.jobs[0].id: 0})
    assert (after.ready_count, after.unfinished_count, after.is_complete) == (1, 2, False)
    assert desk.statuses() == "a=completed b=ready c=blocked"
    (result,) = desk.service.find(Result, desk.workflow_id).items
    assert (result.return_code, result.run_id, result.attempt_id, result.status) == (0, 1, 1, "completed")
    assert desk.service.get(Job, first.jobs[0].id).compute_node_id is None


def test_a_failure_cancels_what_follows_and_completes_the_workflow(desk: Desk) -> None:
    desk.jobs((), (0,), (1,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    answer = desk.finished({job.id: 3})
    assert answer.is_complete
    assert desk.statuses() == "a=failed b=canceled c=canceled"


def test_a_report_sent_twice_is_taken_once(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    for _ in range(2):
        assert desk.finished({job.id: 0}).refused == []
    assert desk.service.find(Result, desk.workflow_id, all_runs=True).total_count == 1


def test_what_somebody_else_holds_is_refused_and_named_as_lost(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.node()
    answer = desk.finished({job.id: 0})
    assert answer.lost == [job.id]
    assert [entry["job_id"] for entry in answer.refused] == [job.id]
    assert desk.service.find(Result, desk.workflow_id).total_count == 0


def test_a_lost_answer_is_given_again(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    given = {job.id for job in desk.tick(limit=2).jobs}
    assert {job.id for job in desk.tick(resend=True).jobs} == given
    assert desk.tick(limit=2).jobs == []


def test_what_is_given_back_is_ready_again(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.tick(released=[job.id])
    assert desk.statuses() == "a=ready"
    assert desk.tick(limit=1).jobs[0].attempt_id == 1


def test_jobs_of_a_dead_runner_are_recorded_and_tried_again(desk: Desk) -> None:
    desk.jobs((), (), (0,))
    desk.begin()
    running, claimed = desk.tick(limit=2).jobs
    desk.started(running.id)
    assert desk.service.adopt_orphans(desk.workflow_id, [desk.node_id]).job_ids == [running.id, claimed.id]
    assert desk.statuses() == "a=ready b=ready c=blocked"
    (lost,) = desk.service.find(Result, desk.workflow_id).items
    assert (lost.job_id, lost.attempt_id, lost.return_code, lost.status) == (running.id, 1, -128, "failed")
    assert desk.service.get(ComputeNode, desk.node_id).is_active is False
    desk.node()
    attempts = {job.id: job.attempt_id for job in desk.tick(limit=2).jobs}
    assert attempts == {running.id: 2, claimed.id: 1}
    desk.finished({running.id: 0}, attempt=2)
    assert [r.attempt_id for r in desk.service.find(Result, desk.workflow_id).items] == [2]
    assert desk.service.find(Result, desk.workflow_id, all_runs=True).total_count == 2


def test_the_result_of_a_run_before_the_first_is_not_a_latest_one_any_more(desk: Desk) -> None:
    desk.jobs(())
    desk.service.initialize_jobs(desk.workflow_id)  # as published clients may: run 0
    desk.node()
    [launch] = desk.service.tick(desk.workflow_id, Tick(compute_node_id=desk.node_id, run_id=0, limit=1)).jobs
    moments = [StartedJob(job_id=launch.id, start_time=MOMENT)]
    desk.service.tick(desk.workflow_id, Tick(compute_node_id=desk.node_id, run_id=0, started=moments))
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id])
    desk.begin()
    desk.node()
    desk.started(desk.tick(limit=1).jobs[0].id)
    desk.finished({launch.id: 0})
    assert [r.run_id for r in desk.service.find(Result, desk.workflow_id).items] == [1]
    assert [r.run_id for r in desk.service.find(Result, desk.workflow_id, all_runs=True).items] == [0, 1]


def test_jobs_of_a_dead_runner_fail_when_that_is_asked(desk: Desk) -> None:
    desk.jobs((), (0,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id], fail=True)
    assert desk.statuses() == "a=failed b=canceled"


def test_a_report_of_an_attempt_that_was_given_up_is_refused(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    desk.service.adopt_orphans(desk.workflow_id, [desk.node_id])
    answer = desk.finished({job.id: 0})
    assert len(answer.refused) == 1
    assert desk.statuses() == "a=ready"


def test_canceling_keeps_how_held_jobs_ended(desk: Desk) -> None:
    desk.jobs((), (), (0,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    assert desk.service.cancel_workflow(desk.workflow_id).is_canceled
    assert desk.statuses() == "a=canceled b=ready c=blocked"
    answer = desk.finished({job.id: 137})
    assert answer.refused == []
    assert answer.is_canceled
    assert desk.tick(limit=5).jobs == []
    (result,) = desk.service.find(Result, desk.workflow_id).items
    assert (result.status, result.return_code, result.reason) == ("canceled", 137, "the workflow was canceled")
    assert [e.data["category"] for e in desk.service.find(Event, desk.workflow_id).items] == ["workflow_canceled"]


def test_another_run_id_is_refused(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    with pytest.raises(Invalid, match="run id 7"):
        desk.tick(run_id=7)


def test_a_new_run_runs_everything_or_only_what_did_not_succeed(desk: Desk) -> None:
    desk.jobs((), (0,), ())
    desk.begin()
    ids = [job.id for job in desk.tick(limit=9).jobs]
    desk.finished({ids[0]: 1, ids[1]: 0})
    assert desk.statuses() == "a=failed b=canceled c=completed"
    assert desk.begin(again=True).run_id == 2
    assert desk.statuses() == "a=ready b=blocked c=completed"
    (job,) = desk.tick(limit=9).jobs
    assert job.attempt_id == 1
    desk.finished({job.id: 0})
    assert desk.begin().run_id == 3
    assert desk.statuses() == "a=ready b=blocked c=ready"


def test_of_two_runners_that_begin_the_first_run_one_does_and_the_other_joins_it(desk: Desk) -> None:
    """Otherwise the second begins another run, and the first runner belongs to one that is over."""
    desk.jobs((), ())
    before = desk.service.get_workflow_status(desk.workflow_id)
    begun = begin_first_run(desk.service, before)
    assert begun is not None
    assert begun.run_id == 1
    desk.tick(limit=1)
    assert begin_first_run(desk.service, before) is None
    assert desk.service.get_workflow_status(desk.workflow_id).run_id == 1
    assert desk.statuses() == "a=pending b=ready"
    with pytest.raises(Conflict, match=r"run 1 of workflow \d+ was begun meanwhile"):
        desk.service.begin_run(desk.workflow_id, FileTimes(), again=True, after_run=0)


def test_a_run_that_somebody_else_began_meanwhile_is_not_ended_by_another_rerun(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    before = desk.service.get_workflow_status(desk.workflow_id)
    app: Any = SimpleNamespace(say=lambda *_: None)
    after = begin_next(app, desk.service, before, "all", force=False)
    assert after.run_id == 2
    with pytest.raises(Conflict, match="was begun meanwhile") as caught:
        begin_next(app, desk.service, before, "all", force=False)
    assert caught.value.hint == f"Take part in it: torc run {desk.workflow_id}"
    assert desk.service.get_workflow_status(desk.workflow_id).run_id == 2


def test_a_run_cannot_begin_while_jobs_run(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    desk.tick(limit=1)
    with pytest.raises(Invalid, match="running or about to"):
        desk.begin()


def test_missing_inputs_stop_a_run_and_name_the_files(desk: Desk) -> None:
    files = [{"name": "in", "path": "data/in.csv"}, {"name": "out", "path": "out.csv"}]
    desk.create(
        files=files,
        jobs={"name": ["j"], "command": ["true"], "input_file_ids": [(0,)], "output_file_ids": [(1,)]},
    )
    with pytest.raises(Conflict, match=r"data/in\.csv"):
        desk.begin(f1=None, f2=None)
    assert desk.service.get(Workflow, desk.workflow_id).run_id == 0
    assert desk.begin(f1=5.0, f2=None).run_id == 1
    assert desk.service.get(File, 1).st_mtime == 5.0


def test_changed_inputs_and_lost_outputs_run_their_jobs_again(desk: Desk) -> None:
    desk.create(
        files=[{"name": name, "path": name} for name in ("in", "mid", "out", "other")],
        jobs={
            "name": ["first", "second", "apart"], "command": ["true"] * 3, "input_file_ids": [(0,), (1,), ()],
            "output_file_ids": [(1,), (2,), (3,)],
        },
    )  # fmt: skip
    written = {"first": {2: 2.0}, "second": {3: 3.0}, "apart": {4: 4.0}}
    desk.begin(f1=1.0, f2=None, f3=None, f4=None)
    while jobs := desk.tick(limit=9).jobs:
        desk.tick(finished=[end(job.id).changed(file_mtimes=written[job.name]) for job in jobs])
    all_there = {"f1": 1.0, "f2": 2.0, "f3": 3.0, "f4": 4.0}
    desk.begin(again=True, **all_there)
    assert desk.statuses() == "first=completed second=completed apart=completed"
    begun = desk.begin(again=True, **{**all_there, "f4": None})
    assert begun.rerun_jobs == ["apart"]
    assert desk.statuses() == "first=completed second=completed apart=ready"
    begun = desk.begin(again=True, **{**all_there, "f1": 1.5})
    assert begun.changed_files == ["in", "other"]
    assert begun.rerun_jobs == ["first", "second"]
    assert desk.statuses() == "first=ready second=blocked apart=ready"


def test_a_changed_command_runs_its_job_again(desk: Desk) -> None:
    desk.jobs((), (0,), ())
    desk.begin()
    while jobs := desk.tick(limit=9).jobs:
        desk.finished({job.id: 0 for job in jobs})
    first = desk.service.find(Job, desk.workflow_id).items[0].id
    desk.service.update(Job, first, {"command": "false"})
    assert desk.service.process_changed_job_inputs(desk.workflow_id, dry_run=True).reinitialized_jobs == ["a"]
    desk.begin(again=True)
    assert desk.statuses() == "a=ready b=blocked c=completed"


def test_user_data_without_a_value_stops_a_run(desk: Desk) -> None:
    desk.create(
        user_data=[{"name": "seed"}],
        jobs={"name": ["j"], "command": ["true"], "input_user_data_ids": [(0,)]},
    )
    with pytest.raises(Conflict, match="seed"):
        desk.begin()
    desk.service.update(UserData, 1, {"data": {"n": 1}})
    assert desk.begin().run_id == 1


def test_jobs_that_wait_for_each_other_are_named(desk: Desk) -> None:
    desk.jobs((1,), (0,))
    with pytest.raises(Invalid, match=r"a -> b -> a|b -> a -> b"):
        desk.begin()


def test_chosen_jobs_are_reset_with_what_follows(desk: Desk) -> None:
    desk.jobs((), (0,), ())
    desk.begin()
    while jobs := desk.tick(limit=9).jobs:
        desk.finished({job.id: 0 for job in jobs})
    ids = [job.id for job in desk.service.find(Job, desk.workflow_id).items]
    found = desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[ids[0]], dry_run=True))
    assert (found.chosen, found.downstream) == ([ids[0]], [ids[1]])
    assert desk.statuses() == "a=completed b=completed c=completed"
    desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[ids[0]]))
    assert desk.statuses() == "a=uninitialized b=uninitialized c=completed"
    [event] = [event.data for event in desk.service.find(Event, desk.workflow_id).items]
    assert (event["action"], event["failed_only"], event["updated_count"]) == ("reset_job_status", False, 2)
    with pytest.raises(Invalid, match="exactly one way"):
        desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[1], return_code=1))
    with pytest.raises(NotFound):
        desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[9999]))


def test_a_retry_counts_attempts_and_keeps_an_event(desk: Desk) -> None:
    desk.jobs((), (0,))
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.finished({job.id: 1})
    retried = desk.service.retry_job(job.id, 1, 3)
    assert (retried.status, retried.attempt_id, retried.origin) == (JobStatus.READY, 2, "retry")
    assert desk.statuses() == "a=ready b=blocked"
    with pytest.raises(Invalid, match="only running, failed"):
        desk.service.retry_job(job.id, 1, 3)
    (event,) = desk.service.find(Event, desk.workflow_id).items
    assert event.data["event_type"] == "job_retried"


def test_the_summary_counts_and_adds_up(desk: Desk) -> None:
    desk.jobs((), (), ())
    desk.begin()
    ids = [job.id for job in desk.tick(limit=2).jobs]
    desk.finished({ids[0]: 0, ids[1]: 1})
    summary = desk.service.get_workflow_status(desk.workflow_id)
    counts = {name: count for name, count in summary.jobs_by_status.items() if count}
    assert counts == {"ready": 1, "completed": 1, "failed": 1}
    assert summary.total_exec_time_minutes == pytest.approx(0.2)
    assert summary.walltime_seconds == pytest.approx(6.0)
    assert (summary.total_jobs, summary.active_compute_nodes, summary.is_complete) == (3, 1, False)


def test_archived_workflows_begin_no_runs(desk: Desk) -> None:
    desk.jobs(())
    desk.service.archive_workflow(desk.workflow_id, Archiving(is_archived=True))
    with pytest.raises(Invalid, match="archived"):
        desk.begin()
    assert desk.service.find(Workflow, is_archived=False).total_count == 0


def test_running_jobs_are_listed_with_their_runner(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    (running,) = desk.service.get_running_jobs(desk.workflow_id).items
    assert (running.job_name, running.compute_node_name, running.start_time) == ("a", "h", MOMENT)


def test_one_job_twice_in_a_report_is_taken_once(desk: Desk) -> None:
    desk.jobs((), ())
    desk.begin()
    a, b = (job.id for job in desk.tick(limit=2).jobs)
    answer = desk.tick(finished=[end(a), end(a, 1), end(b)])
    assert [entry["job_id"] for entry in answer.refused] == [a]
    assert desk.statuses() == "a=completed b=completed"
    assert desk.service.find(Result, desk.workflow_id, all_runs=True).total_count == 2
