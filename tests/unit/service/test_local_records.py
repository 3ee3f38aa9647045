"""Records in the local service: checks at creation and change, filters, whole workflows, deletion."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import Desk
from torc_core.errors import Conflict, Invalid, NotFound
from torc_core.records.answers import JobList, NewWorkflow
from torc_core.records.resources import File, Job, ResourceRequirements, UserData, Workflow
from torc_core.service.local import LocalService
from torc_core.status import JobStatus


def test_a_new_workflow_has_default_requirements_that_jobs_get(service: LocalService) -> None:
    workflow = service.create(Workflow(name="w", user="me"))
    (needs,) = service.find(ResourceRequirements, workflow.id).items
    assert (needs.name, needs.num_cpus, needs.memory, needs.runtime) == ("default", 1, "1m", "PT1M")
    job = service.create(Job(workflow_id=workflow.id, name="j", command="true", status=JobStatus.COMPLETED))
    assert job.resource_requirements_id == needs.id
    assert service.get(Job, job.id).status is JobStatus.UNINITIALIZED


def test_names_are_unique_in_a_workflow_and_only_there(service: LocalService) -> None:
    one, two = (service.create(Workflow(name="same")).id for _ in range(2))
    service.create(Job(workflow_id=one, name="j", command="true"))
    service.create(Job(workflow_id=two, name="j", command="true"))
    with pytest.raises(Conflict, match="j"):
        service.create(Job(workflow_id=one, name="j", command="true"))


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"depends_on_job_ids": [77]}, "no jobs 77"),
        ({"input_file_ids": [1]}, "no files 1"),
        ({"resource_requirements_id": 77}, "no resource requirements 77"),
        ({"env": {"1X": "a"}}, "not a variable name"),
        ({"labels": ["a,b"]}, "commas"),
    ],
)
def test_impossible_jobs_are_refused(service: LocalService, fields: dict[str, Any], said: str) -> None:
    workflow = service.create(Workflow(name="w"))
    with pytest.raises(Invalid, match=said):
        service.create(Job(workflow_id=workflow.id, name="j", command="true", **fields))
    assert service.find(Job, workflow.id).total_count == 0


def test_parts_of_workflows_that_are_not_there_are_refused(service: LocalService) -> None:
    with pytest.raises(NotFound, match="workflow with id 5"):
        service.create(File(workflow_id=5, name="f", path="p"))
    with pytest.raises(NotFound):
        service.find(Job, 5)
    with pytest.raises(NotFound, match="job with id 9"):
        service.get(Job, 9)


def test_many_jobs_are_stored_all_or_none(service: LocalService) -> None:
    workflow = service.create(Workflow(name="w"))
    new = [Job(workflow_id=workflow.id, name=name, command="true") for name in ("a", "b", "a")]
    with pytest.raises(Conflict):
        service.create_jobs(JobList(jobs=new))
    assert service.find(Job, workflow.id).total_count == 0
    assert len(service.create_jobs(JobList(jobs=new[:2])).jobs or []) == 2


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"name": ["a", "b"], "command": ["true"]}, "list of 2 values"),
        ({"name": ["a"], "command": ["true"], "depends_on_job_ids": [(4,)]}, "outside 0 to 0"),
        ({"name": ["a"], "command": [1]}, "expected text, found 1"),
        ({"name": ["a"], "command": ["true"], "priority": [-1]}, "at least 0"),
        ({"name": ["a"], "command": ["true"], "status": [5]}, "not a field"),
        ({"name": ["a"]}, "'command' is missing"),
        ({"name": ["a"], "command": ["x"], "resource_requirements_id": [3]}, "outside 0 to -1"),
    ],
)
def test_impossible_columns_are_refused_and_nothing_is_kept(
    service: LocalService, columns: dict[str, Any], said: str
) -> None:
    with pytest.raises(Invalid, match=said):
        service.create_whole_workflow(NewWorkflow(workflow={"name": "w"}, jobs=columns))
    assert service.find(Workflow).total_count == 0


@pytest.mark.parametrize(
    "parts",
    [
        {"jobs": [1]},
        {"jobs": {"name": "a"}},
        {"files": ["x"]},
        {"jobs": {"name": ["a"], "command": ["x"], "depends_on_job_ids": [["x"]]}},
        {"jobs": {"name": ["a"], "command": ["x"], "env": [5]}},
        {"jobs": {"name": ["a"], "command": ["x"], "env": [{"A": 1}]}},
        {"jobs": {"name": ["a"], "command": ["x"], "labels": [5]}},
        {"jobs": {"name": ["a"], "command": ["x"], "priority": [2**70]}},
        {"workflow_actions": [{"trigger_type": "t", "action_type": "a", "action_config": {}, "job_ids": [7]}]},
        {"workflow_actions": [{"trigger_type": "t", "action_type": "a", "action_config": {"scheduler": 9}}]},
    ],
)
def test_what_is_of_the_wrong_kind_is_refused(service: LocalService, parts: dict[str, Any]) -> None:
    with pytest.raises(Invalid):
        service.create_whole_workflow(NewWorkflow(workflow={"name": "w"}, **parts))
    assert service.find(Workflow).total_count == 0


def test_positions_become_ids(desk: Desk) -> None:
    desk.create()  # so that ids and positions differ
    desk.create(
        files=[{"name": "f0", "path": "p0"}, {"name": "f1", "path": "p1"}],
        user_data=[{"name": "d0", "data": [1, 2]}],
        resource_requirements=[{"name": "big", "num_cpus": 8, "memory": "4g", "runtime": "PT2H"}],
        jobs={
            "name": ["a", "b"], "command": ["x", "y"], "depends_on_job_ids": [(), (0,)], "input_file_ids": [(), (1,)],
            "output_file_ids": [(1,), ()], "input_user_data_ids": [(0,), ()], "resource_requirements_id": [0, -1],
            "env": [{"A": "1"}, None], "labels": [["z", "a", "z"], None], "priority": [5, 0],
        },
    )  # fmt: skip
    a, b = desk.service.find(Job, desk.workflow_id).items
    files = {f.name: f.id for f in desk.service.find(File, desk.workflow_id).items}
    needs = {r.name: r.id for r in desk.service.find(ResourceRequirements, desk.workflow_id).items}
    (data,) = desk.service.find(UserData, desk.workflow_id).items
    full = {job.name: job for job in desk.service.find(Job, desk.workflow_id, include_relationships=True).items}
    assert full["b"].depends_on_job_ids == [a.id]
    assert full["b"].input_file_ids == full["a"].output_file_ids == [files["f1"]]
    assert full["a"].input_user_data_ids == [data.id]
    assert data.data == [1, 2]
    assert (a.resource_requirements_id, b.resource_requirements_id) == (needs["big"], needs["default"])
    assert (a.env, a.labels, a.priority, b.env, b.labels) == ({"A": "1"}, ["a", "z"], 5, None, None)


def test_lists_leave_links_out_unless_asked(desk: Desk) -> None:
    desk.jobs((), (0,))
    assert desk.service.find(Job, desk.workflow_id).items[1].depends_on_job_ids is None


def test_filters_narrow_lists(desk: Desk) -> None:
    desk.create(
        files=[{"name": n, "path": n} for n in ("in", "out", "free")],
        user_data=[{"name": "Alpha"}, {"name": "beta"}],
        resource_requirements=[{"name": "hour", "runtime": "PT1H"}, {"name": "sixty", "runtime": "PT60M"}],
        jobs={
            "name": ["a", "b", "c"], "command": ["x"] * 3, "depends_on_job_ids": [(), (0,), (1,)],
            "input_file_ids": [(0,), (), ()], "output_file_ids": [(1,), (), ()], "input_user_data_ids": [(0,), (), ()],
        },
    )  # fmt: skip
    service, w = desk.service, desk.workflow_id
    first = service.find(Job, w).items[0].id

    def names(kind: type[Any], **filters: Any) -> list[str]:
        return [record.name for record in service.find(kind, w, **filters).items]

    assert names(File, produced_by_job_id=first) == ["out"]
    assert names(File, is_output=True) == ["out"]
    assert names(File, is_output=False) == ["in", "free"]
    assert names(UserData, name="ALPHA") == ["Alpha"]
    assert names(UserData, consumer_job_id=first) == ["Alpha"]
    assert names(ResourceRequirements, runtime=3600) == ["hour", "sixty"]
    assert names(ResourceRequirements, job_id=first) == ["default"]
    assert names(Job, upstream_job_id=first) == ["b"]
    assert names(Job, needs_file_id=service.find(File, w).items[0].id) == ["a"]
    assert names(Job, status=JobStatus.UNINITIALIZED) == ["a", "b", "c"]
    with pytest.raises(Invalid, match="cannot be filtered by colour"):
        names(Job, colour="red")


def test_pages_are_cut_and_sorted(desk: Desk) -> None:
    desk.jobs((), (), (), priority=[2, 9, 2])
    page = desk.service.find(Job, desk.workflow_id, 1, 1, "priority", True)
    assert ([job.name for job in page.items], page.total_count, page.has_more) == (["a"], 3, True)
    with pytest.raises(Invalid, match="cannot sort"):
        desk.service.find(Job, desk.workflow_id, sort_by="nothing")
    with pytest.raises(Invalid, match="limit"):
        desk.service.find(Job, desk.workflow_id, limit=-1)


def test_a_jobs_definition_is_fixed_once_it_is_initialized(desk: Desk) -> None:
    desk.jobs((), ())
    a, b = (job.id for job in desk.service.find(Job, desk.workflow_id).items)
    desk.service.update(Job, b, {"depends_on_job_ids": [a]})
    desk.begin()
    assert desk.statuses() == "a=ready b=blocked"
    with pytest.raises(Invalid, match="before it is initialized"):
        desk.service.update(Job, b, {"depends_on_job_ids": []})
    with pytest.raises(Invalid, match="status of job"):
        desk.service.update(Job, a, {"status": JobStatus.COMPLETED})
    desk.service.update(Job, a, {"priority": 7})
    assert desk.tick(limit=1).jobs[0].id == a


def test_deleting_what_jobs_refer_to_leaves_no_trace(desk: Desk) -> None:
    desk.create(
        files=[{"name": "f", "path": "p"}],
        jobs={
            "name": ["a", "b"],
            "command": ["x", "y"],
            "depends_on_job_ids": [(), (0,)],
            "input_file_ids": [(0,), ()],
        },
    )
    a = desk.service.find(Job, desk.workflow_id).items[0]
    desk.service.delete(File, desk.service.find(File, desk.workflow_id).items[0].id)
    assert desk.service.get(Job, a.id).input_file_ids is None
    desk.service.delete(Job, a.id)
    (b,) = desk.service.find(Job, desk.workflow_id, include_relationships=True).items
    assert (b.name, b.depends_on_job_ids) == ("b", None)
    desk.begin()
    assert desk.statuses() == "b=ready"
    desk.service.delete(Workflow, desk.workflow_id)
    with pytest.raises(NotFound):
        desk.statuses()


def test_a_running_job_is_not_deleted(desk: Desk) -> None:
    desk.jobs(())
    desk.begin()
    (job,) = desk.tick(limit=1).jobs
    with pytest.raises(Invalid, match="cannot be deleted"):
        desk.service.delete(Job, job.id)


def test_requirements_in_use_are_not_deleted_and_their_jobs_stay(desk: Desk) -> None:
    desk.create(
        resource_requirements=[{"name": "big"}, {"name": "idle"}],
        jobs={"name": ["a"], "command": ["x"], "resource_requirements_id": [0]},
    )
    ids = {needs.name: needs.id for needs in desk.service.find(ResourceRequirements, desk.workflow_id).items}
    with pytest.raises(Invalid, match="in use by 1 job of workflow"):
        desk.service.delete(ResourceRequirements, ids["big"])
    desk.service.delete(ResourceRequirements, ids["idle"])
    assert desk.service.find(Job, desk.workflow_id).items[0].resource_requirements_id == ids["big"]
