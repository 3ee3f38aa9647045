"""Nodes that actions ask for: what an executor is given, what is written down, and what is when it refuses."""

from __future__ import annotations

from types import SimpleNamespace
from typing import ClassVar

import pytest

from torc_core.contracts.executor import Capabilities, Handle, SubmitError
from torc_core.errors import NotFound, Unavailable
from torc_core.problems import Problem
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers.actions import ActionLaunch
from torc_core.records.resources import ComputeNode, SlurmScheduler, Workflow
from torc_core.runner.allocating import Allocator, allocation_of, come_up
from torc_core.runner.environment import worker_environment
from torc_core.runner.node_requests import NodeRequests, worker_command
from torc_core.service.local import LocalService
from torc_plugins.storage.sqlite_storage import SqliteStorage


class Batch:
    """A batch system that numbers what it is asked for from 500, and refuses as often as it is told to."""

    name = "slurm"
    capabilities = Capabilities(allocates=True)
    asked: ClassVar[list] = []
    problems: ClassVar[list] = []
    takes: ClassVar[int] = 99

    def check(self):
        return self.problems

    def close(self):
        pass

    def submit(self, requests):
        [request] = requests
        if len(self.asked) == self.takes:
            return [SubmitError(request.key, "the queue is closed")]
        self.asked.append(request)
        return [Handle("slurm", f"{499 + len(self.asked)}:x")]


class Plain(Batch):
    """Runs commands, and allocates nothing."""

    capabilities = Capabilities()


class Host:
    def executor(self, name):
        if name == "plain":
            return Plain
        if name == "slurm":
            return type("Fresh", (Batch,), {})
        raise NotFound(f"no executor {name!r}")


@pytest.fixture
def scene(tmp_path):
    Batch.asked, Batch.problems, Batch.takes = [], [], 99
    service = LocalService(SqliteStorage(str(tmp_path / "torc.db")))
    workflow = service.create(Workflow(name="w", user="me"))
    launcher = SimpleNamespace(worker_environment=lambda: {"TORC_DB": "torc.db"})
    options = SimpleNamespace(output_dir="out")
    yield SimpleNamespace(service=service, workflow=workflow, host=Host(), launcher=launcher, options=options)
    service.close()


def carry_out(scene, done=0, **config):
    """Carry an action out; returns its reports."""
    reports = []
    config = {"scheduler_type": "slurm", "num_allocations": 2, **config}
    launch = ActionLaunch(
        action_run_id=7, action_id=3, trigger_type="on_workflow_start", action_type="schedule_nodes",
        action_config=config, done=done,
    )  # fmt: skip
    allocator = Allocator(scene)
    allocator.begin(launch, reports.append)
    allocator.close()
    return [(report.status.value, report.done) for report in reports], reports


def nodes(scene):
    return scene.service.find(ScheduledComputeNode, scene.workflow.id).items


def test_only_executors_that_allocate_and_are_usable_serve_a_type(scene):
    allocator = Allocator(scene)
    assert allocator.can("schedule_nodes:slurm")
    for kind in ("schedule_nodes:plain", "schedule_nodes:unknown", "run_commands", "schedule_nodes"):
        assert not allocator.can(kind)
    Batch.problems = [Problem("executor-missing", "there is no sbatch")]
    assert not allocator.can("schedule_nodes:slurm")
    scene.host = None
    assert not Allocator(scene).can("schedule_nodes:slurm")


def test_each_allocation_is_asked_for_and_written_down_with_its_number(scene):
    made = scene.service.create(
        SlurmScheduler(workflow_id=scene.workflow.id, account="a", nodes=4, walltime="01:00:00")
    )
    said, _ = carry_out(scene, scheduler_id=made.id, max_parallel_jobs=3)
    assert said == [("running", 1), ("running", 2), ("completed", 2)]
    assert [(n.scheduler_id, n.scheduler_config_id, n.scheduler_type, n.status) for n in nodes(scene)] == [
        (500, made.id, "slurm", "pending"), (501, made.id, "slurm", "pending"),
    ]  # fmt: skip
    first = Batch.asked[0]
    assert (first.nodes, first.allocation["walltime"], first.allocation["max_parallel_jobs"]) == (4, "01:00:00", 3)
    assert first.env == {"TORC_DB": "torc.db", "TORC_SCHEDULED_NODE": f"slurm:{nodes(scene)[0].id}:{made.id}"}
    assert [n.handle for n in nodes(scene)] == ["500:x", "501:x"]
    assert f"run {scene.workflow.id} --output-dir out --max-parallel-jobs 3" in first.command
    assert first.stdout == first.stderr == f"out/worker_wf{scene.workflow.id}_n{nodes(scene)[0].id}.log"


def test_who_goes_on_with_it_asks_only_for_what_is_left(scene):
    said, _ = carry_out(scene, done=1, num_allocations=3)
    assert said == [("running", 2), ("running", 3), ("completed", 3)]
    assert len(Batch.asked) == len(nodes(scene)) == 2


def test_a_refused_allocation_leaves_no_record_and_fails_the_action(scene):
    Batch.takes = 1
    said, reports = carry_out(scene)
    assert said == [("running", 1), ("failed", 1)]
    assert reports[-1].reason == "the queue is closed"
    assert [node.scheduler_id for node in nodes(scene)] == [500]


def test_what_cannot_be_asked_for_fails_the_action(scene):
    said, reports = carry_out(scene, scheduler_id=99)
    assert said == [("failed", 0)]
    assert "99" in reports[-1].reason
    said, reports = carry_out(scene, scheduler_type="plain")
    assert (said, reports[-1].reason) == ([("failed", 0)], "executor 'plain' allocates no nodes")


def test_the_command_of_a_worker_on_this_machine_has_the_limits_of_its_scheduler():
    made = worker_command(4, "a folder", {"scheduler_type": "local"}, {"num_cpus": 2, "memory": "512m"})
    assert made.endswith("run 4 --output-dir 'a folder' --num-cpus 2 --memory-gb 0.5")


def test_a_worker_knows_its_allocation_and_the_scheduler_whose_jobs_come_first():
    assert allocation_of({"TORC_SCHEDULED_NODE": "slurm:12:3"}) == ({"type": "slurm", "scheduler_id": 12}, 3)
    assert allocation_of({"TORC_SCHEDULED_NODE": "slurm:12:0"}) == ({"type": "slurm", "scheduler_id": 12}, None)
    assert allocation_of({"TORC_SCHEDULED_NODE": "local:12:3"}) == ({"type": "local", "scheduler_id": 12}, None)
    assert allocation_of({}) == (None, None)


def node_of(scene, allocation_id):
    """Register the runner of a worker."""
    return scene.service.create(
        ComputeNode(
            workflow_id=scene.workflow.id, hostname="h", pid=1, start_time="2026-01-31T08:00:00Z", num_cpus=1,
            memory_gb=1.0, num_gpus=0, is_active=True, scheduler={"type": "slurm", "scheduler_id": allocation_id},
        )
    )  # fmt: skip


@pytest.mark.parametrize("ends", ["signs off", "is gone", "is deleted"])
def test_an_allocation_is_active_from_its_first_worker_to_the_end_of_its_last(scene, ends):
    carry_out(scene, num_allocations=2)
    record, _ = nodes(scene)
    voice = SimpleNamespace(say=lambda text, level: pytest.fail(text))
    workers = [node_of(scene, record.id), node_of(scene, record.id)]
    come_up(scene.service, record.id, voice)
    assert [node.status for node in nodes(scene)] == ["active", "pending"]
    for worker, after in zip(workers, ("active", "complete"), strict=True):
        if ends == "signs off":
            scene.service.update(ComputeNode, worker.id, {"is_active": False})
        elif ends == "is gone":
            scene.service.adopt_orphans(scene.workflow.id, [worker.id])
        else:
            scene.service.delete(ComputeNode, worker.id)
        assert [node.status for node in nodes(scene)] == [after, "pending"]


def test_a_worker_whose_allocation_is_not_known_says_so_and_works(scene):
    said = []
    come_up(scene.service, 99, SimpleNamespace(say=lambda text, level: said.append((text, level))))
    assert said[0][1] == "WARN"
    assert "cannot be set active" in said[0][0]


@pytest.mark.parametrize(
    ("handle", "number"),
    [("500:x", 500), ("828799.pbs-server", 828799), ("job-x", 0), ("12_3", 12), ("9" * 30, 10**18 - 1)],
)
def test_the_number_of_an_allocation_is_what_its_handle_begins_with(scene, handle, number, monkeypatch):
    monkeypatch.setattr(Batch, "submit", lambda self, requests: [Handle("slurm", handle)])
    carry_out(scene, num_allocations=1)
    assert [(n.scheduler_id, n.handle) for n in nodes(scene)] == [(number, handle)]


def test_an_executor_that_breaks_leaves_no_record_and_is_named(scene, monkeypatch):
    monkeypatch.setattr(Batch, "submit", lambda self, requests: 1 / 0)
    said, reports = carry_out(scene)
    assert (said, nodes(scene)) == ([("failed", 0)], [])
    assert reports[-1].reason == "executor 'slurm' failed: ZeroDivisionError: division by zero"


def test_what_was_asked_for_is_kept_and_who_asked_only_until_there_is_an_answer(scene):
    carry_out(scene, num_allocations=1, max_parallel_jobs=3)
    [record] = nodes(scene)
    wanted = {"scheduler_type": "slurm", "num_allocations": 1, "max_parallel_jobs": 3, "output_dir": "out"}
    assert (record.request, record.process) == (wanted, None)


def test_a_worker_is_nobodys_job_and_nobodys_leftover():
    job = dict.fromkeys(("TORC_RUNNER_ID", "TORC_JOB_ID", "TORC_JOB_NAME", "TORC_ATTEMPT_ID", "TORC_RUN_ID"), "1")
    kept = {"PATH": "/bin", "TORC_DB": "/d", "TORC_TOKEN": "t", "CUDA_VISIBLE_DEVICES": "1"}
    assert worker_environment(job | kept | {"TORC_WORKFLOW_ID": "1"}) == kept


@pytest.mark.parametrize("answer", [[7], ["700:x"], [Handle("slurm", 700)]])
def test_an_answer_that_is_no_handle_is_the_executors_fault(scene, monkeypatch, answer):
    monkeypatch.setattr(Batch, "submit", lambda self, requests: answer)
    said, reports = carry_out(scene)
    assert (said, nodes(scene)) == ([("failed", 0)], [])
    assert "executor 'slurm' answered" in reports[-1].reason


def test_what_was_had_and_cannot_be_recorded_is_named(scene, monkeypatch):
    update = scene.service.update

    def away(kind, id, changes):
        if kind is ScheduledComputeNode:
            raise Unavailable("the server is away")
        return update(kind, id, changes)

    monkeypatch.setattr(scene.service, "update", away)
    _, reports = carry_out(scene)
    assert "slurm was asked, and knows the allocation as 500:x" in reports[-1].reason
    assert len(nodes(scene)) == 1


def test_what_was_had_for_a_record_that_is_gone_is_given_back(scene, monkeypatch):
    submit, canceled = Batch.submit, []

    def slow(self, requests):
        [record] = nodes(scene)
        scene.service.delete(ScheduledComputeNode, record.id)
        return submit(self, requests)

    monkeypatch.setattr(Batch, "submit", slow)
    monkeypatch.setattr(Batch, "cancel", lambda self, handles, grace: canceled.extend(handles), raising=False)
    _, reports = carry_out(scene)
    assert (reports[-1].reason, canceled) == (
        "the allocation was deleted while it was asked for, and is given back", [Handle("slurm", "500:x")],
    )  # fmt: skip


def test_an_interrupt_leaves_the_record_of_what_may_have_been_had(scene, monkeypatch):
    def interrupted(self, requests):
        raise KeyboardInterrupt

    monkeypatch.setattr(Batch, "submit", interrupted)
    requests = NodeRequests(scene.service, scene.workflow.id, "out", {})
    with pytest.raises(KeyboardInterrupt):
        requests.ask(Batch(), {"scheduler_type": "slurm"}, {})
    [record] = nodes(scene)
    assert (record.status, record.process is None) == ("pending", False)


def test_a_service_that_is_away_gives_the_action_back_with_what_was_had(scene, monkeypatch):
    create, count = scene.service.create, []

    def away(record):
        count.append(record)
        if len(count) == 2:
            raise Unavailable("the server is away")
        return create(record)

    monkeypatch.setattr(scene.service, "create", away)
    said, reports = carry_out(scene, num_allocations=3)
    assert said == [("running", 1), ("lost", 1)]
    assert reports[-1].reason == "the server is away"
