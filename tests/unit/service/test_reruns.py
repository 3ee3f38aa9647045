"""Which jobs a reinitialization runs again and why; that nothing else does, and what a preview says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Desk, end
from torc_core.errors import Conflict, Invalid
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import Archiving, BegunRun, FileTimes, JobReset
from torc_core.records.resources import File, Job, Result, UserData, Workflow
from torc_core.service.digests import differences
from torc_core.status import JobStatus

THERE = {"f1": 1.0, "f2": 2.0, "f3": 3.0}


def chain(desk: Desk) -> None:
    """Run first (reads in, writes mid), second (reads mid, writes out) and apart, all of which succeed."""
    desk.create(
        files=[{"name": name, "path": f"{name}.csv"} for name in ("in", "mid", "out")],
        jobs={
            "name": ["first", "second", "apart"], "command": ["true"] * 3, "input_file_ids": [(0,), (1,), ()],
            "output_file_ids": [(1,), (2,), ()],
        },
    )  # fmt: skip
    desk.begin(f1=1.0, f2=None, f3=None)
    finish_all(desk)


def finish_all(desk: Desk, **codes: int) -> list[str]:
    """Run all jobs that become ready; files get the times of ``THERE``. Returns the names."""
    written = {"first": {2: 2.0}, "second": {3: 3.0}}
    names = []
    while jobs := desk.tick(limit=9).jobs:
        names += [job.name for job in jobs]
        ends = [end(job.id, codes.get(job.name, 0), job.attempt_id) for job in jobs]
        times = [written.get(job.name) for job in jobs]
        desk.tick(finished=[e.changed(file_mtimes=t) if t else e for e, t in zip(ends, times, strict=True)])
    return sorted(names)


def preview(desk: Desk, **times: float | None) -> BegunRun:
    found = FileTimes(st_mtimes={int(name[1:]): time for name, time in times.items()})
    return desk.service.begin_run(desk.workflow_id, found, True, dry_run=True)


def reasons(desk: Desk, **times: float | None) -> dict[str, list[str]]:
    return {rerun.name: rerun.reasons for rerun in preview(desk, **times).reruns or ()}


def job(desk: Desk, name: str) -> Job:
    return next(j for j in desk.service.find(Job, desk.workflow_id, include_relationships=True).items if j.name == name)


# files


def test_nothing_runs_again_when_nothing_has_changed(desk: Desk) -> None:
    chain(desk)
    assert reasons(desk, **THERE) == {}
    begun = desk.begin(again=True, **THERE)
    assert (begun.run_id, begun.rerun_jobs) == (2, [])
    assert desk.tick().is_complete


def test_a_changed_input_is_named_with_its_times(desk: Desk) -> None:
    chain(desk)
    assert reasons(desk, **{**THERE, "f1": 61.5}) == {
        "first": ["input in.csv changed (mtime 1970-01-01T00:00:01.000Z -> 1970-01-01T00:01:01.500Z)"],
        "second": ["depends on first, which runs again"],
    }


@pytest.mark.parametrize(("mtime", "is_other"), [(1.009, False), (0.991, False), (1.011, True), (0.98, True)])
def test_a_hundredth_of_a_second_is_no_change(desk: Desk, mtime: float, is_other: bool) -> None:
    chain(desk)
    assert bool(reasons(desk, **{**THERE, "f1": mtime})) is is_other


def test_a_deleted_output_runs_its_maker_again_and_stops_nothing(desk: Desk) -> None:
    """The original refuses to go on, since an output of a completed job counts as a file that must be there."""
    chain(desk)
    assert reasons(desk, **{**THERE, "f3": None}) == {"second": ["output out.csv is missing"]}
    assert reasons(desk, **{**THERE, "f2": None}) == {
        "first": ["output mid.csv is missing"],
        "second": ["input mid.csv vanished", "depends on first, which runs again"],
    }
    found = preview(desk, **{**THERE, "f2": None})
    assert (found.safe, found.missing_input_files) == (True, [])
    desk.begin(again=True, **{**THERE, "f2": None})
    assert finish_all(desk) == ["first", "second"]


def test_an_input_that_vanished_stops_a_run_unless_it_is_forced(desk: Desk) -> None:
    chain(desk)
    found = preview(desk, **{**THERE, "f1": None})
    assert (found.safe, found.missing_input_files) == (False, ["in.csv"])
    with pytest.raises(Conflict, match=r"in\.csv"):
        desk.begin(again=True, **{**THERE, "f1": None})
    desk.service.begin_run(desk.workflow_id, FileTimes(st_mtimes={2: 2.0, 3: 3.0}), True, force=True)
    assert desk.statuses() == "first=ready second=blocked apart=completed"
    assert desk.service.get(File, 1).st_mtime is None


def test_an_input_that_appeared_runs_its_reader_again(desk: Desk) -> None:
    desk.create(
        files=[{"name": "in", "path": "in.csv"}],
        jobs={"name": ["j"], "command": ["true"], "input_file_ids": [(0,)]},
    )
    desk.service.begin_run(desk.workflow_id, FileTimes(), force=True)
    finish_all(desk)
    assert reasons(desk, f1=5.0) == {"j": ["input in.csv appeared"]}


def test_what_a_job_wrote_in_the_run_is_no_change_for_its_readers(desk: Desk) -> None:
    chain(desk)
    assert desk.service.get(File, 2).st_mtime == 2.0
    assert reasons(desk, **THERE) == {}
    assert reasons(desk, **{**THERE, "f2": 9.0}) == {
        "second": ["input mid.csv changed (mtime 1970-01-01T00:00:02.000Z -> 1970-01-01T00:00:09.000Z)"]
    }


# definitions


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"command": "false"}, "command changed"),
        ({"env": {"MODE": "fast"}}, "environment changed"),
        ({"invocation_script": "nice"}, "invocation script changed"),
    ],
)
def test_a_changed_definition_is_named(desk: Desk, changes: dict[str, Any], text: str) -> None:
    chain(desk)
    desk.service.update(Job, job(desk, "first").id, changes)
    assert reasons(desk, **THERE) == {"first": [text], "second": ["depends on first, which runs again"]}
    assert desk.service.process_changed_job_inputs(desk.workflow_id, True).reinitialized_jobs == ["first"]
    desk.begin(again=True, **THERE)
    assert finish_all(desk) == ["first", "second"]
    assert reasons(desk, **THERE) == {}


def test_what_does_not_change_the_work_runs_nothing_again(desk: Desk) -> None:
    chain(desk)
    for changes in ({"name": "renamed"}, {"priority": 3}, {"labels": ["x"]}, {"command": "true"}):
        desk.service.update(Job, job(desk, "apart" if "name" in changes else "first").id, changes)
    assert reasons(desk, **THERE) == {}


def test_the_environment_of_the_workflow_is_part_of_all_definitions(desk: Desk) -> None:
    chain(desk)
    desk.service.update(Workflow, desk.workflow_id, {"env": {"SEED": "2"}})
    assert reasons(desk, **THERE)["apart"] == ["environment of the workflow changed"]


def test_a_deleted_dependency_is_a_change_and_leaves_nothing_blocked(desk: Desk) -> None:
    desk.jobs((), (0,), (1,))
    desk.begin()
    assert finish_all(desk) == ["a", "b", "c"]
    desk.service.delete(Job, job(desk, "a").id)
    assert reasons(desk) == {"b": ["dependencies changed"], "c": ["depends on b, which runs again"]}
    desk.begin(again=True)
    assert finish_all(desk) == ["b", "c"]


def test_the_deletion_of_its_only_parent_frees_a_blocked_job(desk: Desk) -> None:
    """In the original it stays blocked for ever."""
    desk.jobs((), (0,))
    desk.begin()
    desk.service.delete(Job, job(desk, "a").id)
    assert desk.statuses() == "b=ready"


# user data


def with_data(desk: Desk) -> None:
    """Run maker (writes made), which reads given, and taker (reads made)."""
    desk.create(
        user_data=[{"name": "given", "data": 1}, {"name": "made"}],
        jobs={
            "name": ["maker", "taker"], "command": ["true"] * 2, "input_user_data_ids": [(0,), (1,)],
            "output_user_data_ids": [(1,), ()],
        },
    )  # fmt: skip
    desk.begin()
    (maker,) = desk.tick(limit=9).jobs
    desk.service.update(UserData, 2, {"data": {"answer": 42}})
    desk.finished({maker.id: 0})
    finish_all(desk)


def test_user_data_written_in_the_run_do_not_run_their_readers_again(desk: Desk) -> None:
    """In the original a reinitialization right after a successful run does."""
    with_data(desk)
    assert desk.statuses() == "maker=completed taker=completed"
    assert reasons(desk) == {}
    assert desk.service.process_changed_job_inputs(desk.workflow_id).reinitialized_jobs == []


def test_changed_user_data_are_named(desk: Desk) -> None:
    with_data(desk)
    desk.service.update(UserData, 1, {"data": 2})
    assert reasons(desk) == {
        "maker": ["user data given changed"], "taker": ["depends on maker, which runs again"],
    }  # fmt: skip
    desk.service.update(UserData, 1, {"data": 1})
    assert reasons(desk) == {}
    desk.service.update(UserData, 2, {"data": 0})
    assert reasons(desk) == {"taker": ["user data made changed"]}


def test_data_that_a_job_changes_itself_are_no_change(desk: Desk) -> None:
    desk.create(
        user_data=[{"name": "count", "data": 0}],
        jobs={
            "name": ["counter"], "command": ["true"], "input_user_data_ids": [(0,)], "output_user_data_ids": [(0,)],
        },
    )  # fmt: skip
    desk.begin()
    (counter,) = desk.tick(limit=1).jobs
    desk.service.update(UserData, 1, {"data": 1})
    desk.finished({counter.id: 0})
    assert reasons(desk) == {}


# what did not succeed


def test_failures_are_told_with_their_run_and_code(desk: Desk) -> None:
    desk.jobs((), (0,), ())
    desk.begin()
    finish_all(desk)
    desk.begin()
    finish_all(desk, a=3)
    assert desk.statuses() == "a=failed b=canceled c=completed"
    found = preview(desk).reruns or []
    assert [(r.name, r.status, r.reason, r.cause) for r in found] == [
        ("a", JobStatus.FAILED, "did not succeed", "failed"), ("b", JobStatus.CANCELED, "did not succeed", "canceled"),
    ]  # fmt: skip
    assert found[0].reasons == ["failed in run 2 (return code 3)"]
    assert found[1].reasons == ["canceled", "depends on a, which runs again"]


def test_results_of_every_attempt_and_run_are_kept(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    finish_all(desk, a=1)
    desk.service.retry_job(1, 1, 5)
    finish_all(desk, a=2)
    desk.begin(again=True)
    finish_all(desk)
    kept = desk.service.find(Result, desk.workflow_id, all_runs=True).items
    assert [(r.run_id, r.attempt_id, r.return_code) for r in kept] == [(1, 1, 1), (1, 2, 2), (2, 1, 0)]
    assert [r.run_id for r in desk.service.find(Result, desk.workflow_id).items] == [2]


def test_a_preview_changes_nothing(desk: Desk) -> None:
    chain(desk)
    desk.service.update(Job, job(desk, "first").id, {"command": "false"})
    before = desk.statuses(), desk.service.get(Workflow, desk.workflow_id).run_id, desk.service.get(File, 1).st_mtime
    preview(desk, **{**THERE, "f1": 99.0, "f3": None})
    now = desk.statuses(), desk.service.get(Workflow, desk.workflow_id).run_id, desk.service.get(File, 1).st_mtime
    assert now == before


@pytest.mark.parametrize("change", ["nothing", "f1", "f2", "f3", "command", "data"])
def test_a_preview_says_what_then_happens(desk: Desk, change: str) -> None:
    chain(desk)
    times: dict[str, float | None] = dict(THERE)
    if change in times:
        times[change] = None if change != "f1" else 50.0
    elif change == "command":
        desk.service.update(Job, job(desk, "second").id, {"command": "false"})
    said = [rerun.name for rerun in preview(desk, **times).reruns or ()]
    desk.begin(again=True, **times)
    assert finish_all(desk) == sorted(said)


def test_thousands_of_followers_behind_one_layer_are_explained_at_once(desk: Desk) -> None:
    width = 2000
    first = tuple(range(width))
    desk.create(
        jobs={
            "name": [f"j{i}" for i in range(2 * width)], "command": ["true"] * (2 * width),
            "depends_on_job_ids": [()] * width + [first] * width,
        },
    )  # fmt: skip
    desk.begin()
    while jobs := desk.tick(limit=5000).jobs:
        desk.finished({j.id: 0 for j in jobs})
    desk.service.update(Job, job(desk, "j7").id, {"command": "false"})
    said = reasons(desk)
    assert len(said) == 1 + width
    assert said[f"j{width}"] == ["depends on j7, which runs again"]


# digests


def test_digests_name_what_differs() -> None:
    assert differences("c:1,d:2", "c:1,d:2") == []
    assert differences("c:1,d:2", "c:1,d:3") == ["d"]
    assert differences("c:1,e:2", "c:9,t7:4") == ["c", "e", "t7"]


def test_a_digest_of_another_release_is_a_change_without_a_name() -> None:
    assert differences("0123456789abcdef", "c:1") == [""]
    assert differences("changed", "c:1") == [""]


# resets


def test_jobs_are_reset_by_status_and_by_code_of_their_latest_result(desk: Desk) -> None:
    desk.jobs((), (), (), (0,))
    desk.begin()
    finish_all(desk, a=3, b=4)
    ids = {j.name: j.id for j in desk.service.find(Job, desk.workflow_id).items}
    by_code = desk.service.reset_jobs(desk.workflow_id, JobReset(return_code=3, dry_run=True))
    assert (by_code.chosen, by_code.downstream) == ([ids["a"]], [ids["d"]])
    desk.service.retry_job(ids["a"], 1, 5)
    finish_all(desk, a=4)
    with pytest.raises(Invalid, match="no job matches"):
        desk.service.reset_jobs(desk.workflow_id, JobReset(return_code=3))
    by_status = desk.service.reset_jobs(desk.workflow_id, JobReset(statuses=[JobStatus.FAILED]))
    assert by_status.chosen == [ids["a"], ids["b"]]
    assert desk.statuses() == "a=uninitialized b=uninitialized c=completed d=uninitialized"


def test_a_run_of_what_was_reset_leaves_failures_and_changes_to_a_later_one(desk: Desk) -> None:
    chain(desk)
    times = {"f1": 9.0, "f2": 2.0, "f3": 3.0}
    desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[job(desk, "apart").id]))
    found = FileTimes(st_mtimes={1: 9.0, 2: 2.0, 3: 3.0})
    begun = desk.service.begin_run(desk.workflow_id, found, only_reset=True)
    assert (begun.run_id, begun.rerun_jobs, begun.jobs_by_status["ready"]) == (2, [], 1)
    assert finish_all(desk, apart=3) == ["apart"]
    assert set(reasons(desk, **times)) == {"first", "second", "apart"}  # the change of the first file is still to come
    desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[job(desk, "second").id]))
    desk.service.begin_run(desk.workflow_id, found, only_reset=True)
    assert desk.statuses() == "first=completed second=ready apart=failed"


def test_a_run_that_cannot_be_forced_is_not_said_to_be(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    desk.tick(limit=1)
    with pytest.raises(Invalid, match="1 of its jobs are running") as caught:
        desk.service.begin_run(desk.workflow_id, FileTimes(), True, force=True)
    assert "--force" not in str(caught.value.hint)
    with pytest.raises(Invalid, match="1 of its jobs are running") as caught:
        desk.service.reset_workflow_status(desk.workflow_id)
    assert "--force" in str(caught.value.hint)
    desk.service.reset_workflow_status(desk.workflow_id, force=True)


def test_a_reset_of_the_workflow_is_refused_while_allocations_are_under_way(desk: Desk) -> None:
    desk.jobs(())
    allocation = desk.service.create(
        ScheduledComputeNode(
            workflow_id=desk.workflow_id, scheduler_id=7, scheduler_config_id=1, scheduler_type="slurm",
            status="pending",
        )
    )  # fmt: skip
    for status in ("pending", "active"):
        desk.service.update(ScheduledComputeNode, allocation.id, {"status": status})
        with pytest.raises(Invalid, match="1 allocation of it"):
            desk.service.reset_workflow_status(desk.workflow_id)
    assert desk.service.reset_workflow_status(desk.workflow_id, force=True).run_id == 1
    desk.service.update(ScheduledComputeNode, allocation.id, {"status": "complete"})
    assert desk.service.reset_workflow_status(desk.workflow_id).run_id == 2


def test_an_archived_workflow_is_not_reset_even_by_force_and_not_begun(desk: Desk) -> None:
    desk.jobs(())
    desk.service.archive_workflow(desk.workflow_id, Archiving(is_archived=True))
    for call in (
        lambda: desk.service.reset_workflow_status(desk.workflow_id, force=True),
        lambda: desk.service.reset_job_status(desk.workflow_id),
        lambda: desk.service.reset_jobs(desk.workflow_id, JobReset(job_ids=[1])),
        lambda: desk.begin(),
    ):
        with pytest.raises(Invalid, match="is archived"):
            call()
    assert desk.service.get(Workflow, desk.workflow_id).is_archived


def test_the_published_initialization_works_on_an_archived_workflow_as_do_claims(desk: Desk) -> None:
    desk.jobs(())
    desk.service.archive_workflow(desk.workflow_id, Archiving(is_archived=True))
    desk.service.initialize_jobs(desk.workflow_id)
    assert len(desk.service.claim_next_jobs(desk.workflow_id).jobs or ()) == 1
