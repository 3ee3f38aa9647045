"""Workflows as documents: what goes out comes in again, with other ids."""

import json

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.documents import MOMENT, bring_in, by_position, document
from torc_core.errors import Invalid
from torc_core.records import answers as a
from torc_core.records.actions import ActionRun
from torc_core.records.allocations import LocalScheduler, ScheduledComputeNode, SlurmStats
from torc_core.records.provenance import RoCrateEntity
from torc_core.records.record import RECORDS, WorkflowPart
from torc_core.records.resources import (
    ComputeNode,
    Event,
    File,
    Job,
    ResourceRequirements,
    Result,
    SlurmScheduler,
    UserData,
    Workflow,
    WorkflowAction,
)
from torc_core.service.exporting import sections
from torc_core.service.importing import read_document
from torc_core.service.local import LocalService
from torc_core.service.whole import parts
from torc_plugins.storage.memory_storage import MemoryStorage


def finished(service):
    """A workflow with a record of every kind: a has completed, b has failed twice, c is canceled."""
    desk = Desk(service)
    desk.create(
        files=[{"name": "raw", "path": "raw.csv", "st_mtime": 12.5}, {"name": "out", "path": "out.csv"}],
        user_data=[{"name": "seed", "data": {"n": [1, None]}}, {"name": "sum"}],
        resource_requirements=[
            {"name": "big", "num_cpus": 2, "memory": "4g", "runtime": "PT2H"},
            {"name": "default", "num_cpus": 3, "memory": "7m", "runtime": "PT9M"},
        ],
        slurm_schedulers=[{"name": "other", "account": "x"}, {"name": "short", "account": "acme", "nodes": 2}],
        failure_handlers=[{"name": "again", "rules": [{"exit_codes": [9], "max_retries": 3}]}],
        workflow_actions=[
            {
                "trigger_type": "on_jobs_complete", "action_type": "schedule_nodes", "job_ids": [0, 2],
                "action_config": {"scheduler_type": "slurm", "scheduler": 1, "num_allocations": 1},
            }
        ],
        jobs={
            "name": ["a", "b", "c"], "command": ["true"] * 3, "depends_on_job_ids": [(), (), (0, 1)],
            "input_file_ids": [(0,), (), ()], "output_file_ids": [(1,), (), ()],
            "input_user_data_ids": [(0,), (), ()], "output_user_data_ids": [(), (1,), ()],
            "resource_requirements_id": [0, -1, 1], "scheduler_id": [-1, 1, -1], "failure_handler_id": [-1, -1, 0],
            "env": [{"A": "1"}, None, None], "labels": [["x"], None, None],
            "cancel_on_blocking_job_failure": [False, True, True],
        },
    )  # fmt: skip
    id = desk.workflow_id
    a_id, b_id, _ = (job.id for job in service.each(Job, id))
    desk.begin(**{f"f{file.id}": file.st_mtime for file in service.each(File, id)})
    for ends in ({a_id: 0, b_id: 9},):
        desk.tick(10)
        service.claim_next_jobs(id, 10, ["x"])
        desk.started(a_id, b_id)
        desk.finished(ends)
    service.create(LocalScheduler(workflow_id=id, name="here", num_cpus=2))
    metadata = {"@id": f"#job-{a_id}-attempt-1", "list": [f"see #job-{b_id}.", "#job-999999"]}
    file_id = next(iter(service.each(File, id))).id
    entity = {"workflow_id": id, "entity_id": f"#job-{a_id}", "entity_type": "Action", "file_id": file_id}
    service.create(RoCrateEntity(**entity, metadata=metadata))
    scheduler = next(iter(service.each(SlurmScheduler, id)))
    service.create(
        ScheduledComputeNode(
            workflow_id=id, scheduler_id=4711, scheduler_config_id=scheduler.id, scheduler_type="slurm",
            status="complete",
        )
    )  # fmt: skip
    service.create(SlurmStats(workflow_id=id, job_id=a_id, run_id=1, attempt_id=1, max_rss_bytes=5))
    service.create(Event(workflow_id=id, data={"category": "mine"}))
    service.update(ComputeNode, desk.node_id, {"is_active": False})
    return id


@pytest.fixture
def other():
    made = LocalService(MemoryStorage(""))
    for number in range(3):  # so that no id is the same here
        made.create(Workflow(name=f"w{number}", user="ada"))
    made.create(File(workflow_id=1, name="x", path="x"))
    made.create(Job(workflow_id=1, name="x", command="x"))
    yield made
    made.close()


def test_every_kind_of_a_workflow_moves_but_for_secrets_groups_and_tasks():
    stay = {plural for plural, kind in RECORDS.items() if issubclass(kind, WorkflowPart)} - set(parts())
    assert stay <= {"workflow_access_groups", "worker_tokens", "tasks"}
    assert set(parts()) <= set(a.NewWorkflow.FIELDS)


def test_a_move_loses_nothing(service, other):
    exported = document(service, finished(service))
    assert all(exported[plural] for plural in parts() if plural not in ("remote_workers", "action_runs"))
    id, warnings = bring_in(other, exported, as_is=True)
    again = document(other, id)
    left, right = by_position(exported), by_position(again)
    jobs = [job["id"] for job in again["jobs"]]
    assert right["ro_crate_entities"][0]["entity_id"] == f"#job-{jobs[0]}"
    assert right["ro_crate_entities"][0]["metadata"] == {
        "@id": f"#job-{jobs[0]}-attempt-1", "list": [f"see #job-{jobs[1]}.", "#job-999999"]
    }  # fmt: skip
    del left["ro_crate_entities"], right["ro_crate_entities"]
    assert right == left
    assert warnings == []


def test_a_move_into_any_storage_loses_nothing(service, other):
    exported = document(other, finished(other))
    id, _ = bring_in(service, exported, as_is=True)
    again = document(service, id)
    names = {job["name"]: job["id"] for job in again["jobs"]}
    left, right = by_position(exported), by_position(again)
    assert left.pop("ro_crate_entities")[0]["entity_type"] == right.pop("ro_crate_entities")[0]["entity_type"]
    assert right == left
    assert again["ro_crate_entities"][0]["entity_id"] == f"#job-{names['a']}"


def test_a_moved_workflow_goes_on_where_it_stood(service, other):
    id, _ = bring_in(other, document(service, finished(service)), as_is=True)
    desk = Desk(other)
    desk.workflow_id = id
    assert desk.statuses() == "a=completed b=failed c=canceled"
    assert other.process_changed_job_inputs(id, dry_run=True).reinitialized_jobs == []
    [raw, out] = other.each(File, id)
    assert desk.begin(True, **{f"f{raw.id}": 12.5, f"f{out.id}": out.st_mtime or 1.0}).run_id == 2
    [seed, _] = other.each(UserData, id)
    other.update(UserData, seed.id, {"data": "changed"})
    assert other.process_changed_job_inputs(id, dry_run=True).reinitialized_jobs == ["a"]


def test_what_had_changed_before_the_move_has_changed_after_it(service, other):
    id = finished(service)
    seed = next(iter(service.each(UserData, id)))
    service.update(UserData, seed.id, {"data": "changed"})
    new_id, _ = bring_in(other, document(service, id), as_is=True)
    assert other.process_changed_job_inputs(new_id, dry_run=True).reinitialized_jobs == ["a"]


def test_a_copy_has_not_run_and_keeps_the_results(service, other):
    id, _ = bring_in(other, document(service, finished(service)), name="copy")
    workflow = other.get(Workflow, id)
    assert (workflow.name, workflow.user, workflow.is_canceled) == ("copy", "ada", False)
    assert {job.status.value for job in other.each(Job, id)} == {"uninitialized"}
    assert [job.cancel_on_blocking_job_failure for job in other.each(Job, id)] == [False, True, True]
    assert all(file.st_mtime is None for file in other.each(File, id))
    assert len(list(other.each(Result, id, all_runs=True))) == 2
    [node] = other.each(ComputeNode, id)
    assert {result.compute_node_id for result in other.each(Result, id, all_runs=True)} == {node.id}
    needs = {r.name: (r.num_cpus, r.memory, r.runtime) for r in other.each(ResourceRequirements, id)}
    assert needs == {"big": (2, "4g", "PT2H"), "default": (3, "7m", "PT9M")}
    [action] = other.each(WorkflowAction, id)
    short = next(s.id for s in other.each(SlurmScheduler, id) if s.name == "short")
    assert (action.action_config["scheduler_id"], action.trigger_count) == (short, 0)
    files = {file.id: 1.0 for file in other.each(File, id)}
    begun = other.begin_run(id, a.FileTimes(st_mtimes=files))
    assert begun.run_id == 2  # results of run 1 came along


ACTED = """{
  "export_version": "1.0", "workflow": {"id": 1, "name": "acted", "user": "ada", "run_id": 2},
  "jobs": [{"id": 5, "name": "a", "command": "true", "status": "ready"}],
  "compute_nodes": [{"id": 9, "hostname": "h", "pid": 1, "start_time": "2026-01-31T08:00:00.000Z", "num_cpus": 1,
                     "memory_gb": 1.0, "num_gpus": 0, "is_active": true}],
  "workflow_actions": [{"id": 3, "trigger_type": "on_workflow_start", "action_type": "run_commands",
                        "action_config": {"commands": ["echo"]}, "trigger_count": 1, "executed": true,
                        "executed_by": 9}],
  "action_runs": [
    {"id": 1, "action_id": 3, "run_id": 1, "compute_node_id": 9, "status": "completed"},
    {"id": 2, "action_id": 3, "run_id": 2, "compute_node_id": 9, "status": "running"}
  ]
}"""


def test_an_action_that_was_carried_out_at_the_moment_of_a_move_is_lost_and_given_again(other):
    id, _ = bring_in(other, json.loads(ACTED), as_is=True)
    runs = list(other.each(ActionRun, id))
    assert [(run.run_id, run.status.value) for run in runs] == [(1, "completed"), (2, "lost")]
    [node] = other.each(ComputeNode, id)
    [action] = other.each(WorkflowAction, id)
    assert (action.executed, action.executed_by, node.is_active) == (True, node.id, False)


def test_results_without_a_runner_get_none_from_the_one_that_stands_for_all(other):
    first, second = OLDER["results"]
    id, _ = bring_in(other, {**OLDER, "results": [first, {**second, "compute_node_id": 0}]})
    [runner] = other.each(ComputeNode, id)
    found = {result.run_id: result.compute_node_id for result in other.each(Result, id, all_runs=True)}
    assert found == {2: runner.id, 1: 0}


def test_a_position_is_of_a_list_that_the_field_can_mean(other):
    for position in ({"local_scheduler": 1}, {"scheduled_compute_node": 0}, {"local_scheduler": 0, "scheduler": 0}):
        jobs = {"name": ["a"], "command": ["true"], "scheduler_id": [position]}
        new = a.NewWorkflow(workflow={"name": "w", "user": "ada"}, local_schedulers=[{"name": "l"}], jobs=jobs)
        with pytest.raises(Invalid, match="scheduler_id: position"):
            other.create_whole_workflow(new)


def test_results_and_events_can_be_left_out(service, other):
    exported = document(service, finished(service))
    id, _ = bring_in(other, exported, with_results=False, with_events=False)
    for kind in (Result, Event, ComputeNode, SlurmStats):
        assert other.find(kind, id).total_count == 0
    small = document(service, 1, with_results=False, with_events=False)
    assert "results" not in small
    assert "events" not in small
    assert "compute_nodes" not in small
    assert bring_in(other, small)[0]
    assert set(sections()) - set(sections(with_results=False)) >= {"results", "compute_nodes", "slurm_stats"}


def test_what_runs_at_the_moment_of_a_move_is_ready_there_and_its_runner_gone(service, other):
    desk = Desk(service)
    desk.jobs((), ())
    desk.begin()
    desk.tick(1)
    id, warnings = bring_in(other, document(service, desk.workflow_id), as_is=True)
    assert [job.status.value for job in other.each(Job, id)] == ["ready", "ready"]
    assert "1 job running or about to" in warnings[0]
    assert [node.is_active for node in other.each(ComputeNode, id)] == [False]


OLDER = {
    "export_version": "1.0",
    "exported_at": "2025-01-01T00:00:00Z",
    "workflow": {
        "id": 40, "name": "old", "user": "bob", "status_id": 40, "timestamp": MOMENT, "metadata": '{"a": 1}',
        "resource_monitor_config": '{"enabled": true}', "jobs_sort_method": "none",
    },
    "files": [{"id": 9, "workflow_id": 40, "name": "f", "path": "f.txt", "st_mtime": 3.0}],
    "user_data": [],
    "resource_requirements": [
        {"id": 70, "workflow_id": 40, "name": "default", "num_cpus": 1, "num_gpus": 0, "num_nodes": 1, "memory": "1m",
         "runtime": "P0DT1M"},
    ],
    "slurm_schedulers": [{"id": 5, "workflow_id": 40, "name": "s", "account": "x", "nodes": 1, "walltime": "01:00:00"}],
    "local_schedulers": [{"id": 5, "workflow_id": 40, "name": "l", "memory": "1g", "num_cpus": 1}],
    "failure_handlers": [{"id": 3, "workflow_id": 40, "name": "h", "rules": '[{"exit_codes": [1], "max_retries": 2}]'}],
    "jobs": [
        {"id": 501, "workflow_id": 40, "name": "one", "command": "true", "status": "completed", "output_file_ids": [9],
         "resource_requirements_id": 70, "scheduler_id": None, "cancel_on_blocking_job_failure": False},
        {"id": 502, "workflow_id": 40, "name": "two", "command": "true", "status": "failed", "input_file_ids": [9],
         "depends_on_job_ids": [501], "resource_requirements_id": 70, "scheduler_id": 5, "failure_handler_id": 3,
         "cancel_on_blocking_job_failure": False},
    ],
    "workflow_actions": [
        {"id": 1, "workflow_id": 40, "trigger_type": "on_jobs_ready", "action_type": "schedule_nodes",
         "action_config": {"scheduler_type": "slurm", "scheduler_id": 5, "num_allocations": 1}, "job_ids": [502],
         "trigger_count": 1, "required_triggers": 1, "executed": True, "persistent": False, "is_recovery": False},
    ],
    "results": [
        {"id": 8, "job_id": 501, "workflow_id": 40, "run_id": 2, "attempt_id": 1, "compute_node_id": 77,
         "return_code": 0, "exec_time_minutes": 1.0, "completion_time": MOMENT, "status": "completed"},
        {"id": 7, "job_id": 501, "workflow_id": 40, "run_id": 1, "attempt_id": 1, "compute_node_id": 76,
         "return_code": 1, "exec_time_minutes": 1.0, "completion_time": MOMENT, "status": "failed"},
    ],
}  # fmt: skip
"""As the program wrote it that this one follows: text where we have JSON, no runners, one number for two schedulers."""


def test_an_export_of_the_original_is_read(other):
    id, _ = bring_in(other, OLDER)
    workflow = other.get(Workflow, id)
    assert (workflow.metadata, workflow.resource_monitor_config) == ({"a": 1}, {"enabled": True})
    one, two = other.each(Job, id, include_relationships=True)
    assert (two.depends_on_job_ids, two.cancel_on_blocking_job_failure) == ([one.id], False)
    slurm, local = (next(iter(other.each(kind, id))) for kind in (SlurmScheduler, LocalScheduler))
    [action] = other.each(WorkflowAction, id)
    assert (two.scheduler_id, action.action_config["scheduler_id"], local.name) == (slurm.id, slurm.id, "l")
    assert (action.job_ids, action.executed) == ([two.id], False)
    [node] = other.each(ComputeNode, id)
    assert (node.hostname, node.is_active) == ("imported", False)
    [latest] = other.each(Result, id)
    assert (latest.run_id, latest.compute_node_id) == (2, node.id)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"export_version": "2.0"}, "export version 2.0"),
        ({"export_version": None}, "export version None"),
        ({"workflow": []}, "workflow must be an object"),
        ({"files": {"a": 1}}, "files must be a list of objects"),
        ({"jobs": [{"id": 1, "name": "a", "command": "b", "depends_on_job_ids": [2]}]}, "no jobs 2"),
        ({"jobs": [{"id": 1, "name": "a", "command": "b"}, {"id": 1, "name": "c", "command": "b"}]}, "the same id"),
        ({"jobs": [{"id": 1, "name": "a"}], "results": [], "workflow_actions": []}, "command"),
        ({"results": [{"id": 1, "job_id": 9, "run_id": 1}]}, "no jobs 9"),
        ({"scheduled_compute_nodes": [{"id": 1, "scheduler_type": [], "scheduler_config_id": 5}]}, "scheduler_type"),
    ],
)
def test_a_document_that_is_wrong_stores_nothing(other, change, said):
    before = other.find(Workflow).total_count
    with pytest.raises(Invalid, match=said):
        bring_in(other, {**OLDER, **change})
    assert other.find(Workflow).total_count == before


def test_what_is_no_export_is_refused():
    for text, said in (("{", "not JSON"), ("[1]", "not an export"), ('{"name": "x", "jobs": []}', "not an export")):
        with pytest.raises(Invalid, match=said):
            read_document(text, "x.json")


def test_a_later_minor_version_is_read(other):
    assert bring_in(other, {**OLDER, "export_version": "1.7", "new_things": [1]})[0]
