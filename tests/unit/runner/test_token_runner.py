"""A runner with a worker token: what it does as a matter of course must be within its rights."""

from types import SimpleNamespace

from tests.unit.service.access_world import World
from torc_core.contracts.executor import Capabilities, SubmitError
from torc_core.records.actions import ActionRunStatus
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers.actions import ActionLaunch
from torc_core.records.resources import Workflow
from torc_core.runner.allocating import Allocator
from torc_core.runner.options import RunnerOptions


class FullExecutor:
    """A cluster that takes nothing."""

    capabilities = Capabilities(allocates=True)

    def check(self):
        return []

    def submit(self, requests):
        return [SubmitError(request.key, "the queue is full") for request in requests]

    def close(self):
        pass


def test_an_allocation_that_is_refused_is_over_although_a_token_deletes_nothing(tmp_path):
    world = World()
    service, workflow_id = world.as_user("token"), world.mine["workflows"]
    scene = SimpleNamespace(
        service=service, host=SimpleNamespace(executor=lambda name: FullExecutor), options=RunnerOptions(str(tmp_path)),
        workflow=service.get(Workflow, workflow_id), launcher=SimpleNamespace(worker_environment=dict),
    )  # fmt: skip
    config = {"scheduler_type": "local", "num_allocations": 1}
    action = ActionLaunch(
        action_run_id=1, action_id=1, trigger_type="on_workflow_start", action_type="schedule_nodes",
        action_config=config,
    )  # fmt: skip
    reports = []
    allocator = Allocator(scene)
    before = service.find(ScheduledComputeNode, workflow_id).total_count
    allocator.begin(action, reports.append)
    allocator.close()
    assert [(report.status, report.reason) for report in reports] == [(ActionRunStatus.FAILED, "the queue is full")]
    found = service.find(ScheduledComputeNode, workflow_id).items[before:]
    assert [node.status for node in found] == ["complete"]
