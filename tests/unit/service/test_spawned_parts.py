"""What new jobs can have beyond the published operation, and what they do to the graph."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.spawning_desk import by_name, records, run_all, running, spawn, spawn_jobs
from torc_core.errors import Invalid
from torc_core.records.resources import FailureHandler, ResourceRequirements, UserData
from torc_core.service.local import LocalService
from torc_core.service.owner import Owner
from torc_core.service.stored_spec import stored_spec
from torc_core.status import JobStatus
from torc_plugins.storage.sqlite_storage import SqliteStorage


def test_new_jobs_have_all_that_declared_ones_have(desk: Desk) -> None:
    a = running(desk)
    desk.service.create(FailureHandler(workflow_id=desk.workflow_id, name="again", rules=[]))
    desk.service.create(ResourceRequirements(workflow_id=desk.workflow_id, name="big", num_cpus=3, memory="2g"))
    spawn_jobs(
        desk, a,
        {
            "name": "x", "command": "work", "priority": 7, "env": {"MODE": "fast"}, "failure_handler": "again",
            "invocation_script": "nice", "supports_termination": True, "resource_requirements": "big",
            "stdio": {"mode": "none"}, "output_files": ["out"], "input_user_data": ["numbers"],
        },
        files=[{"name": "out", "path": "out.txt"}], user_data=[{"name": "numbers", "data": [1, 2]}],
    )  # fmt: skip
    desk.finished({a: 0})
    (x,) = desk.tick(limit=1).jobs
    assert (x.command, x.invocation_script, x.supports_termination, x.num_cpus) == ("work", "nice", True, 3)
    assert (x.memory_bytes, x.stdio, x.output_files) == (2 * 2**30, {"mode": "none"}, ["out.txt"])
    assert x.env == {"MODE": "fast", "TORC_ORCHESTRATOR_LINEAGE_ID": "a"}
    job = by_name(desk)["x"]
    assert (job.priority, job.failure_handler_id is not None) == (7, True)
    assert records(desk)["numbers"] == [1, 2]


def test_higher_priority_goes_first_among_new_jobs(desk: Desk) -> None:
    a = running(desk)
    spawn_jobs(desk, a, {"name": "x"}, {"name": "y", "priority": 5}, {"name": "z", "labels": ["gpu"]})
    desk.finished({a: 0})
    assert [job.name for job in desk.tick(limit=9).jobs] == ["y", "x"]


def test_labels_of_new_jobs_are_honoured(desk: Desk) -> None:
    a = running(desk)
    spawn_jobs(desk, a, {"name": "z", "labels": ["gpu"]})
    desk.finished({a: 0})
    assert desk.service.claim_next_jobs(desk.workflow_id, 9).jobs == []
    assert [job.name for job in desk.service.claim_next_jobs(desk.workflow_id, 9, ["gpu"]).jobs or ()] == ["z"]


FILES = [{"name": "old", "path": "old.csv"}, {"name": "sum", "path": "sum.csv"}]


def with_files(desk: Desk) -> int:
    """Jobs a (runs), maker (writes old) and merge (reads sum, which nobody writes, and waits for a)."""
    desk.create(
        files=FILES,
        jobs={
            "name": ["a", "maker", "merge"], "command": ["true"] * 3, "depends_on_job_ids": [(), (), (0,)],
            "input_file_ids": [(), (), (1,)], "output_file_ids": [(), (0,), ()],
        },
    )  # fmt: skip
    desk.begin(f1=None, f2=1.0)
    job = desk.tick(limit=1).jobs[0]
    desk.started(job.id)
    return job.id


def test_files_between_new_jobs_and_others_make_dependencies(desk: Desk) -> None:
    a = with_files(desk)
    spawn_jobs(
        desk, a, {"name": "part", "input_files": ["old"], "output_files": ["half"]},
        {"name": "join", "input_files": ["half"], "output_files": ["sum"]}, files=[{"name": "half", "path": "half"}],
    )  # fmt: skip
    desk.finished({a: 0})
    assert desk.statuses() == "a=completed maker=ready merge=blocked part=blocked join=blocked"
    assert run_all(desk) == ["maker", "part", "join", "merge"]


def test_files_and_names_mean_the_same_when_the_workflow_is_read_anew(desk: Desk) -> None:
    a = with_files(desk)
    spawn_jobs(desk, a, {"name": "join", "input_files": ["old"], "output_files": ["sum"]})
    owner: Owner = desk.service._owner
    lists = []
    for _ in range(2):
        lists.append([(d.job_name, d.depends_on_job_name) for d in
                      desk.service.list_job_dependencies(desk.workflow_id).items])  # fmt: skip
        owner.forget(desk.workflow_id)
    assert lists[0] == lists[1]
    assert ("merge", "join") in lists[0]
    desk.finished({a: 0})
    assert run_all(desk) == ["maker", "join", "merge"]


def test_what_has_begun_cannot_wait_for_a_new_job(desk: Desk) -> None:
    a = with_files(desk)
    desk.service.manage_status_change(by_name(desk)["merge"].id, JobStatus.READY, 1)
    with pytest.raises(Invalid, match="'merge' is ready"):
        spawn_jobs(desk, a, {"name": "join", "output_files": ["sum"]})


def test_a_circle_through_jobs_that_were_there_is_refused(desk: Desk) -> None:
    a = with_files(desk)
    with pytest.raises(Invalid, match="wait for each other: join"):
        spawn_jobs(desk, a, {"name": "join", "output_files": ["sum"], "depends_on": ["merge"]})


def test_a_file_that_is_there_may_be_named_again_with_the_same_path(desk: Desk) -> None:
    a = with_files(desk)
    spawn_jobs(desk, a, {"name": "x", "input_files": ["old"]}, files=[FILES[0]])
    with pytest.raises(Invalid, match=r"old\.csv"):
        spawn_jobs(desk, a, {"name": "y", "input_files": ["old"]}, files=[{"name": "old", "path": "new.csv"}])


def test_user_data_between_new_jobs_make_dependencies(desk: Desk) -> None:
    a = running(desk)
    spawn_jobs(
        desk, a, {"name": "reader", "input_user_data": ["n"]}, {"name": "writer", "output_user_data": ["n"]},
        user_data=[{"name": "n"}],
    )  # fmt: skip
    desk.finished({a: 0})
    assert run_all(desk) == ["writer", "reader"]


def test_a_new_run_runs_added_jobs_again_and_a_repeated_request_adds_none(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x")
    desk.finished({a: 0})
    run_all(desk)
    desk.begin()
    assert desk.statuses() == "a=ready x=blocked"
    (job,) = desk.tick(limit=1).jobs
    desk.started(job.id)
    assert spawn(desk, a, "x").iteration == 1
    desk.finished({a: 0})
    assert run_all(desk) == ["x"]


def test_the_world_is_not_read_again_for_new_jobs(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    a = running(desk, *[()] * 20)
    owner: Owner = desk.service._owner
    graph = owner.state(desk.workflow_id).graph
    for step in range(20):
        spawn(desk, a, *(f"x{step}_{i}" for i in range(500)))
    assert owner.state(desk.workflow_id).graph is graph
    assert len(graph) == 20 + 10_000
    ready = graph.ready_count
    desk.finished({a: 0})
    assert graph.ready_count == ready + 10_000


def test_a_request_that_fails_leaves_the_graph_as_it_was(desk: Desk) -> None:
    a = running(desk)
    spawn(desk, a, "x")
    with pytest.raises(Invalid):
        spawn_jobs(desk, a, {"name": "y"}, {"name": "z", "depends_on": ["nobody"]})
    assert len(desk.service._owner.state(desk.workflow_id).graph) == 2
    desk.finished({a: 0})
    assert run_all(desk) == ["x"]


def test_names_are_found_by_index_however_many_jobs_there_are(tmp_path: Path) -> None:
    storage = SqliteStorage(str(tmp_path / "torc.db"))
    desk = Desk(LocalService(storage))
    job_id = running(desk)
    statements: list[str] = []
    storage._db.set_trace_callback(statements.append)
    spawn(desk, job_id, "x")
    storage._db.set_trace_callback(None)
    asked = [text for text in statements if text.startswith('SELECT "name", "id" FROM "jobs"')]
    plans = [row[3] for text in asked for row in storage._db.execute(f"EXPLAIN QUERY PLAN {text}")]
    assert [plan for plan in plans if "jobs_by_workflow_id_name" in plan]
    assert not [plan for plan in plans if plan.endswith("jobs_by_workflow_id (workflow_id=?)")]
    desk.service.close()


def test_a_spec_of_the_workflow_has_neither_new_jobs_nor_what_is_remembered_of_them(desk: Desk) -> None:
    a = running(desk, (), (0,))
    desk.service.create(UserData(workflow_id=desk.workflow_id, name="kept", data=1))
    spawn(desk, a, "x", state={"at": 1})
    spawn_jobs(desk, a, state={"at": 2})
    assert len(records(desk)) == 3
    data = stored_spec(desk.service, desk.workflow_id).data
    assert [job["name"] for job in data["jobs"]] == ["a", "b"]
    assert [record["name"] for record in data["user_data"]] == ["kept"]
