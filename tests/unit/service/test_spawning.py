"""Running jobs add jobs: the published operation, and lineages."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.spawning_desk import by_name, records, run_all, running, spawn, spawn_jobs
from torc_core.errors import Invalid, NotFound
from torc_core.records.answers.spawning import SpawnRequest
from torc_core.records.resources import File, Job, ResourceRequirements, UserData, Workflow

# what the published operation does


def test_new_jobs_wait_for_the_one_that_adds_them(desk: Desk) -> None:
    a = running(desk)
    answer = spawn(desk, a, "x", "y")
    jobs = by_name(desk)
    assert answer.spawned_job_ids == [jobs["x"].id, jobs["y"].id]
    assert answer.iteration == 1
    assert desk.statuses() == "a=running x=blocked y=blocked"
    assert (jobs["x"].depends_on_job_ids, jobs["x"].origin, jobs["a"].origin) == ([a], "spawn", None)
    desk.finished({a: 0})
    assert desk.statuses() == "a=completed x=ready y=ready"


def test_a_workflow_is_not_complete_while_somebody_may_add_to_it(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x")
    answer = desk.finished({a: 0})
    assert (answer.is_complete, answer.unfinished_count) == (False, 1)
    assert run_all(desk) == ["x"]
    assert desk.tick().is_complete


@pytest.mark.parametrize(("flag", "status"), [(True, "canceled"), (False, "ready")])
def test_the_failure_of_the_adding_job_cancels_what_it_added_by_their_flag(desk: Desk, flag: bool, status: str) -> None:
    a = running(desk)
    spawn_jobs(desk, a, {"name": "x", "cancel_on_blocking_job_failure": flag})
    desk.finished({a: 1})
    assert desk.statuses() == f"a=failed x={status}"


def test_a_retry_takes_back_what_the_failure_canceled(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x")
    desk.finished({a: 1})
    desk.service.retry_job(a, 1, 3)
    assert desk.statuses() == "a=ready x=blocked"
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    assert spawn(desk, a, "x").iteration == 1
    desk.finished({a: 0}, attempt=2)
    assert desk.statuses() == "a=completed x=ready"


def test_new_jobs_may_wait_for_each_other_and_for_jobs_that_were_there(desk: Desk) -> None:
    a = running(desk, (), ())
    spawn_jobs(desk, a, {"name": "second", "depends_on": ["first", "b"]}, {"name": "first"})
    jobs = by_name(desk)
    assert jobs["second"].depends_on_job_ids == sorted([a, jobs["first"].id, jobs["b"].id])
    desk.finished({a: 0})
    assert desk.statuses() == "a=completed b=ready second=blocked first=ready"
    assert run_all(desk) == ["b", "first", "second"]


def test_what_has_ended_is_not_waited_for(desk: Desk) -> None:
    a = running(desk, (), ())
    (other,) = desk.tick(limit=1).jobs
    desk.finished({other.id: 0})
    spawn_jobs(desk, a, {"name": "x", "depends_on": ["b"]})
    desk.finished({a: 0})
    assert run_all(desk) == ["x"]


def test_a_request_that_is_repeated_adds_nothing(desk: Desk) -> None:
    a = running(desk)
    first = spawn(desk, a, "x", "y", state={"step": 1})
    again = spawn(desk, a, "y", "x", state={"step": 2})
    assert again.spawned_job_ids == first.spawned_job_ids[::-1]
    assert again.iteration == 1
    assert records(desk)["__torc_lineage__a__g000001"]["state"] == {"step": 1}
    assert len(by_name(desk)) == 3


REFUSED: dict[str, Any] = {
    "a name twice": {"jobs": [{"name": "x", "command": "c"}, {"name": "x", "command": "d"}]},
    "some are there": {"jobs": [{"name": "a", "command": "c"}, {"name": "x", "command": "d"}]},
    "a dependency that is nowhere": {"jobs": [{"name": "x", "command": "c", "depends_on": ["nobody"]}]},
    "a circle": {
        "jobs": [
            {"name": "x", "command": "c", "depends_on": ["y"]}, {"name": "y", "command": "c", "depends_on": ["x"]},
        ],
    },
    "itself": {"jobs": [{"name": "x", "command": "c", "depends_on": ["x"]}]},
    "requirements that are nowhere": {"jobs": [{"name": "x", "command": "c", "resource_requirements": "huge"}]},
    "a bad label": {"jobs": [{"name": "x", "command": "c", "labels": ["a,b"]}]},
    "a bad variable": {"jobs": [{"name": "x", "command": "c", "env": {"1A": "x"}}]},
    "a file that is nowhere": {"jobs": [{"name": "x", "command": "c", "input_files": ["f"]}]},
    "data that are nowhere": {"jobs": [{"name": "x", "command": "c", "output_user_data": ["d"]}]},
    "a handler that is nowhere": {"jobs": [{"name": "x", "command": "c", "failure_handler": "h"}]},
    "a file twice": {
        "jobs": [{"name": "x", "command": "c"}],
        "files": [{"name": "f", "path": "1"}, {"name": "f", "path": "2"}],
    },
}  # fmt: skip


@pytest.mark.parametrize("what", REFUSED)
def test_what_makes_no_sense_is_refused_and_nothing_is_kept(desk: Desk, what: str) -> None:
    a = running(desk)
    before = (by_name(desk), records(desk), desk.service.find(File, desk.workflow_id).items)
    with pytest.raises(Invalid):
        desk.service.spawn_jobs(a, SpawnRequest.read(REFUSED[what]))
    assert (by_name(desk), records(desk), desk.service.find(File, desk.workflow_id).items) == before
    assert desk.statuses() == "a=running"
    assert spawn(desk, a, "fine").iteration == 1


@pytest.mark.parametrize(
    "body",
    [
        {"jobs": [{"name": "x", "command": "c", "priority": -1}]},
        {"jobs": [{"name": "x"}]},
        {"jobs": [{"name": "x", "command": "c", "resources": "big"}]},
        {"jobs": [], "generation": 3},
        {},
    ],
)
def test_a_request_with_other_members_or_without_needed_ones_cannot_be_read(body: Any) -> None:
    with pytest.raises(Invalid):
        SpawnRequest.read(body)


@pytest.mark.parametrize("status", ["ready", "pending", "completed"])
def test_only_a_running_job_adds_jobs(desk: Desk, status: str) -> None:
    desk.jobs(())
    desk.begin()
    (a,) = [job.id for job in desk.service.find(Job, desk.workflow_id).items]
    if status != "ready":
        desk.tick(limit=1)
    if status == "completed":
        desk.finished({a: 0})
    with pytest.raises(Invalid, match="only a running job"):
        spawn(desk, a, "x")
    with pytest.raises(Invalid, match="only a running job"):
        spawn(desk, a, state=1)
    with pytest.raises(NotFound):
        spawn(desk, 9999, "x")


def test_without_default_requirements_they_must_be_named(desk: Desk) -> None:
    a = running(desk)
    for record in desk.service.find(ResourceRequirements, desk.workflow_id).items:
        desk.service.update(ResourceRequirements, record.id, {"name": "small", "num_cpus": 2})
    with pytest.raises(Invalid, match="'default'"):
        spawn(desk, a, "x")
    spawn_jobs(desk, a, {"name": "x", "resource_requirements": "small"})
    desk.finished({a: 0})
    assert [(job.name, job.num_cpus) for job in desk.tick(limit=1).jobs] == [("x", 2)]


# lineages


def test_each_call_that_adds_jobs_is_counted_and_its_state_kept(desk: Desk) -> None:
    a = running(desk)
    assert spawn(desk, a, "x1", state={"loss": 0.5}).iteration == 1
    assert spawn(desk, a, "x2").iteration == 2
    assert records(desk) == {
        "__torc_lineage__a__g000001": {"generation": 1, "spawn_count": 1, "state": {"loss": 0.5}},
        "__torc_lineage__a__g000002": {"generation": 2, "spawn_count": 2, "state": None},
    }
    assert all(d.is_ephemeral for d in desk.service.find(UserData, desk.workflow_id).items)


def test_a_call_without_jobs_keeps_the_last_state_and_counts_nothing(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x")
    assert spawn(desk, a, state={"loss": 0.1}).wire() == {"spawned_job_ids": [], "iteration": 1}
    assert spawn(desk, a, state={"loss": 0.01}).iteration == 1
    assert spawn(desk, a).iteration == 1
    assert records(desk)["__torc_lineage__a__final"] == {
        "generation": 1, "spawn_count": 1, "state": {"loss": 0.01}, "final": True,
    }  # fmt: skip
    assert len(records(desk)) == 2


def test_lineages_count_by_themselves_and_their_names_are_plain_text(desk: Desk) -> None:
    a = running(desk)
    assert spawn(desk, a, "x", lineage="run_1%").iteration == 1
    assert spawn(desk, a, "y", lineage="runX1%").iteration == 1
    assert spawn(desk, a, "z", lineage="run_1%").iteration == 2
    assert spawn(desk, a, "w", lineage="RUN_1%").iteration == 1
    variables = {job.name: (job.env or {}).get("TORC_ORCHESTRATOR_LINEAGE_ID") for job in by_name(desk).values()}
    assert variables == {"a": None, "x": "run_1%", "y": "runX1%", "z": "run_1%", "w": "RUN_1%"}


def test_a_new_job_goes_on_in_the_lineage_that_it_is_told(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x", lineage="search")
    desk.finished({a: 0})
    (x,) = desk.tick(limit=1).jobs
    assert x.env == {"TORC_ORCHESTRATOR_LINEAGE_ID": "search"}
    desk.started(x.id)
    assert spawn(desk, x.id, "y", lineage="search").iteration == 2


def test_a_lineage_that_never_ends_is_stopped(desk: Desk) -> None:
    a = running(desk)
    desk.service.update(Workflow, desk.workflow_id, {"dynamic_jobs": {"max_iterations": 2}})
    spawn(desk, a, "x1")
    spawn(desk, a, "x2")
    with pytest.raises(Invalid, match="2 times"):
        spawn(desk, a, "x3")
    assert spawn(desk, a, "x2").iteration == 2
    assert spawn(desk, a, "x3", lineage="other").iteration == 1
