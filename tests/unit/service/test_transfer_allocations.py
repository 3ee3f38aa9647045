"""Allocations and schedulers in documents: ids of several kinds in one field, and requests that are the original's."""

import pytest

from tests.unit.service.conftest import Desk
from tests.unit.service.documents import MOMENT, bring_in, document
from torc_core.records.actions import ActionRun
from torc_core.records.allocations import LocalScheduler, ScheduledComputeNode
from torc_core.records.resources import ComputeNode, Job, Result, SlurmScheduler, Workflow, WorkflowAction
from torc_core.service.local import LocalService
from torc_plugins.storage.memory_storage import MemoryStorage

as_is_or_not = pytest.mark.parametrize("as_is", [True, False], ids=["as-is", "copy"])


def crowd(service):
    """Have another workflow take ids, of each kind another number of them."""
    id = service.create(Workflow(name="crowd", user="ada")).id
    for number in range(20):
        service.create(SlurmScheduler(workflow_id=id, name=f"s{number}", account="x"))
        service.create(
            ScheduledComputeNode(
                workflow_id=id, scheduler_id=1, scheduler_config_id=0, scheduler_type="lsf", status="complete"
            )
        )
    for number in range(7):
        service.create(LocalScheduler(workflow_id=id, name=f"l{number}"))


def allocated(service):
    """A workflow with allocations of all types and runners of two; Slurm and local schedulers have the same ids."""
    desk = Desk(service)
    id = desk.create(
        slurm_schedulers=[{"name": "short", "account": "acme"}, {"name": "long", "account": "acme"}],
        local_schedulers=[{"name": "small"}, {"name": "large"}, {"name": "huge"}],
        jobs={"name": ["a", "b", "c"], "command": ["true"] * 3, "scheduler_id": [1, 0, {"local_scheduler": 2}]},
    )
    short, long = (scheduler.id for scheduler in service.each(SlurmScheduler, id))
    small, large, huge = (scheduler.id for scheduler in service.each(LocalScheduler, id))
    assert (short, long, huge) == (small, large, long + 1)
    asked = [
        ("slurm", long, "pending", "501"), ("slurm", short, "active", "502"), ("local", small, "active", "77:1"),
        ("local", large, "pending", None), ("local", 0, "complete", "78:1"), ("lsf", 0, "pending", "9[1]"),
        ("lsf", 0, "complete", "9[2]"),
    ]  # fmt: skip
    made = [
        service.create(
            ScheduledComputeNode(
                workflow_id=id, scheduler_id=number, scheduler_config_id=config_id, scheduler_type=kind, status=status,
                handle=handle, process="h:1:2", asked_at=MOMENT,
                request={"scheduler_type": kind, "scheduler_id": config_id, "output_dir": "out"},
            )
        )
        for number, (kind, config_id, status, handle) in enumerate(asked, 500)
    ]  # fmt: skip
    for allocation, config_id in ((made[1], short), (made[2], None)):
        scheduler = {"type": allocation.scheduler_type, "scheduler_id": allocation.id}
        service.create(
            ComputeNode(
                workflow_id=id, hostname="h", pid=1, start_time=MOMENT, num_cpus=4, memory_gb=8.0, num_gpus=0,
                is_active=True, scheduler=scheduler, scheduler_config_id=config_id,
            )
        )  # fmt: skip
    for kind, scheduler_id in (("local", large), ("lsf", 0)):
        config = {"scheduler_type": kind, "scheduler_id": scheduler_id}
        service.create(
            WorkflowAction(
                workflow_id=id, trigger_type="on_workflow_start", action_type="schedule_nodes", action_config=config
            )
        )
    return id


def named(service, id):
    """The schedulers of a workflow: id by name."""
    return {s.name: s.id for kind in (SlurmScheduler, LocalScheduler) for s in service.each(kind, id)}


@as_is_or_not
@pytest.mark.parametrize("way", ["here", "there", "back"])
def test_allocations_move_with_the_schedulers_they_were_asked_of(service, as_is, way):
    source = LocalService(MemoryStorage("")) if way == "back" else service
    target = LocalService(MemoryStorage("")) if way == "there" else service
    exported = document(source, allocated(source))
    crowd(target)
    id, _ = bring_in(target, exported, as_is=as_is)
    ids = named(target, id)
    found = list(target.each(ScheduledComputeNode, id))
    of = [ids[name] if name else 0 for name in ("long", "short", "small", "large", None, None, None)]
    assert [node.scheduler_type for node in found] == ["slurm"] * 2 + ["local"] * 3 + ["lsf"] * 2
    assert [node.scheduler_config_id for node in found] == of
    assert [node.request["scheduler_id"] for node in found] == of
    assert {node.request["output_dir"] for node in found} == {"out"}
    assert [job.scheduler_id for job in target.each(Job, id)] == [ids["long"], ids["short"], ids["huge"]]
    assert [a.action_config["scheduler_id"] for a in target.each(WorkflowAction, id)] == [ids["large"], 0]


@as_is_or_not
def test_a_copy_has_no_part_in_what_the_original_waits_for_and_works_in(service, as_is):
    exported = document(service, allocated(service))
    id, warnings = bring_in(service, exported, as_is=as_is)
    found = list(service.each(ScheduledComputeNode, id))
    assert {(node.status, node.handle, node.process) for node in found} == {("complete", None, None)}
    assert [node.scheduler_id for node in found] == list(range(500, 507))
    assert warnings == ["5 allocations waiting or active when the export was made: complete here"]
    runners = list(service.each(ComputeNode, id))
    assert [node.is_active for node in runners] == [False, False]
    own = [{"type": found[at].scheduler_type, "scheduler_id": found[at].id} for at in (1, 2)]
    assert [node.scheduler for node in runners] == (own if as_is else [None, None])
    short = named(service, id)["short"] if as_is else None
    assert [node.scheduler_config_id for node in runners] == [short, None]
    [original] = {node["workflow_id"] for node in exported["scheduled_compute_nodes"]}
    again = [node.wire() for node in service.each(ScheduledComputeNode, original)]
    assert [(n["status"], n["handle"]) for n in again[:3]] == [
        ("pending", "501"),
        ("active", "502"),
        ("active", "77:1"),
    ]


@as_is_or_not
def test_what_mentions_something_that_is_gone_mentions_nothing_after_a_move(service, as_is):
    desk = Desk(service)
    id = desk.create(
        slurm_schedulers=[{"name": "short", "account": "acme"}],
        local_schedulers=[{"name": "small"}],
        jobs={"name": ["a", "b"], "command": ["true"] * 2, "scheduler_id": [0, {"local_scheduler": 0}]},
    )
    ids = named(service, id)
    for kind, scheduler in (("slurm", "short"), ("local", "small")):
        config = {"scheduler_type": kind, "scheduler_id": ids[scheduler]}
        service.create(
            WorkflowAction(
                workflow_id=id, trigger_type="on_workflow_start", action_type="schedule_nodes", action_config=config
            )
        )
        service.create(
            ScheduledComputeNode(
                workflow_id=id, scheduler_id=5, scheduler_config_id=ids[scheduler], scheduler_type=kind,
                status="complete", request=config,
            )
        )  # fmt: skip
    exported = document(service, id)
    exported["slurm_schedulers"] = exported["local_schedulers"] = []
    exported["compute_nodes"] = [
        {"id": 3, "hostname": "h", "pid": 1, "start_time": MOMENT, "num_cpus": 1, "memory_gb": 1.0, "num_gpus": 0,
         "scheduler": {"type": "slurm", "scheduler_id": 99}, "scheduler_config_id": ids["short"]}
    ]  # fmt: skip
    result = {
        "job_id": exported["jobs"][0]["id"], "return_code": 0, "status": "completed", "exec_time_minutes": 1.0,
        "completion_time": MOMENT, "attempt_id": 1,
    }  # fmt: skip
    exported["results"] = [
        {**result, "id": run, "run_id": run, "compute_node_id": node} for run, node in ((1, 0), (2, 99), (3, 3))
    ]
    exported["workflow_actions"][0] |= {"executed": True, "executed_by": 99}
    exported["action_runs"] = [
        {"id": 1, "action_id": exported["workflow_actions"][0]["id"], "run_id": 1, "compute_node_id": 99,
         "status": "completed"}
    ]  # fmt: skip
    crowd(service)
    id, _ = bring_in(service, exported, as_is=as_is)
    assert [job.scheduler_id for job in service.each(Job, id)] == [None, None]
    nodes = list(service.each(ScheduledComputeNode, id))
    assert [(node.scheduler_config_id, node.request["scheduler_id"]) for node in nodes] == [(0, 0), (0, 0)]
    actions = list(service.each(WorkflowAction, id))
    assert [(action.action_config["scheduler_id"], action.executed_by) for action in actions] == [(0, None)] * 2
    [runner] = service.each(ComputeNode, id)
    assert runner.scheduler_config_id is None
    assert runner.scheduler == ({"type": "slurm", "scheduler_id": 0} if as_is else None)
    results = sorted(service.each(Result, id, all_runs=True), key=lambda result: result.run_id)
    assert [result.compute_node_id for result in results] == [0, 0, runner.id]
    assert [run.compute_node_id for run in service.each(ActionRun, id)] == [None]
