"""The transaction of a recovery."""

import pytest

from tests.unit.service.conftest import end
from torc_core.errors import Invalid, NotFound, TorcError
from torc_core.records.answers import Archiving, RequirementsChange
from torc_core.records.answers.recovery import Recovery
from torc_core.records.resources import Event, Job, ResourceRequirements, Workflow
from torc_core.status import JobStatus


@pytest.fixture
def failed(desk):
    """Jobs a and b have failed; c waits for a, d for a and b, e has completed."""
    desk.create(
        resource_requirements=[{"name": "small", "num_cpus": 1, "memory": "1g", "runtime": "PT1H"}],
        jobs={
            "name": list("abcde"), "command": ["true"] * 5, "depends_on_job_ids": [(), (), (0,), (0, 1), ()],
            "resource_requirements_id": [0] * 5,
        },
    )  # fmt: skip
    desk.begin()
    ids = {job.name: job.id for job in desk.service.each(Job, desk.workflow_id)}
    desk.tick(10)
    desk.started(ids["a"], ids["b"], ids["e"])
    desk.finished({ids["a"]: 137, ids["b"]: 3, ids["e"]: 0})
    assert desk.statuses() == "a=failed b=failed c=canceled d=canceled e=completed"
    return desk, ids


def small_of(desk):
    return next(r for r in desk.service.each(ResourceRequirements, desk.workflow_id) if r.name == "small")


def change(desk, **more):
    fields = {"resource_requirements_id": small_of(desk).id, "num_cpus": 1, "memory": "4g", "runtime": "PT1H"}
    return RequirementsChange(**{**fields, **more})


def test_only_the_chosen_jobs_and_what_follows_run_again(failed):
    desk, ids = failed
    done = desk.service.recover_jobs(desk.workflow_id, Recovery(job_ids=[ids["a"]]))
    assert (done.run_id, done.job_ids, done.downstream_job_ids) == (2, [ids["a"]], [ids["c"], ids["d"]])
    assert desk.statuses() == "a=ready b=failed c=blocked d=blocked e=completed"
    assert [(job.id, job.attempt_id) for job in desk.tick(10).jobs] == [(ids["a"], 1)]
    desk.started(ids["a"])
    desk.finished({ids["a"]: 0})
    # d also waits for b, which has failed and was left alone
    assert desk.statuses() == "a=completed b=failed c=ready d=canceled e=completed"


def test_requirements_change_in_the_same_transaction(failed):
    desk, ids = failed
    small = small_of(desk)
    request = Recovery(job_ids=[ids["a"]], changes=[change(desk, job_ids=[ids["a"]])], report={"oom_fixed": 1})
    [own] = desk.service.recover_jobs(desk.workflow_id, request).resource_requirements_ids
    assert desk.service.get(ResourceRequirements, own).memory == "4g"
    assert desk.service.get(Job, ids["a"]).resource_requirements_id == own
    assert desk.service.get(Job, ids["b"]).resource_requirements_id == small.id
    assert [(job.name, job.memory_bytes) for job in desk.tick(10).jobs] == [("a", 4 * 2**30)]
    events = [event.data for event in desk.service.each(Event, desk.workflow_id)]
    [event] = [data for data in events if data.get("action") == "recover"]
    assert (event["run_id"], event["job_ids"], event["report"]) == (2, [ids["a"]], {"oom_fixed": 1})


@pytest.mark.parametrize(
    ("request_of", "error", "said"),
    [
        (lambda desk, ids: Recovery(job_ids=[]), Invalid, "no jobs"),
        (lambda desk, ids: Recovery(job_ids=[ids["a"], ids["e"]]), Invalid, "is completed"),
        (lambda desk, ids: Recovery(job_ids=[ids["a"], 99_999]), NotFound, "99999"),
        (
            lambda desk, ids: Recovery(job_ids=[ids["a"]], changes=[change(desk, memory="4 elephants")]),
            Invalid,
            "eleph",
        ),
        (
            lambda desk, ids: Recovery(job_ids=[ids["a"]], changes=[change(desk), change(desk, num_cpus=-1)]),
            Invalid,
            "num_cpus",
        ),
    ],
)
def test_what_is_wrong_changes_nothing(failed, request_of, error, said):
    desk, ids = failed
    with pytest.raises(error, match=said):
        desk.service.recover_jobs(desk.workflow_id, request_of(desk, ids))
    assert desk.statuses() == "a=failed b=failed c=canceled d=canceled e=completed"
    assert small_of(desk).memory == "1g"
    assert desk.service.get(Workflow, desk.workflow_id).run_id == 1


def test_it_is_refused_while_jobs_are_held_or_the_workflow_is_archived(desk):
    desk.jobs((), ())
    desk.begin()
    first, second = (job.id for job in desk.service.each(Job, desk.workflow_id))
    desk.tick(10)
    desk.started(first, second)
    desk.finished({first: 1})
    with pytest.raises(TorcError, match="running"):
        desk.service.recover_jobs(desk.workflow_id, Recovery(job_ids=[first]))
    desk.finished({second: 0})
    desk.service.archive_workflow(desk.workflow_id, Archiving(is_archived=True))
    with pytest.raises(Invalid, match="archived"):
        desk.service.recover_jobs(desk.workflow_id, Recovery(job_ids=[first]))


def test_a_canceled_workflow_goes_on_with_the_chosen_jobs(desk):
    desk.jobs((), (), (0,))
    desk.begin()
    first = next(job.id for job in desk.service.each(Job, desk.workflow_id))
    desk.tick(1)
    desk.started(first)
    desk.finished({first: 1})
    desk.service.cancel_workflow(desk.workflow_id)
    desk.service.recover_jobs(desk.workflow_id, Recovery(job_ids=[first]))
    assert desk.service.get(Workflow, desk.workflow_id).is_canceled is False
    assert desk.statuses() == "a=ready b=ready c=blocked"


@pytest.mark.parametrize("left", ["pending_failed", "terminated"])
def test_what_was_not_chosen_is_left_as_it_is(desk, left):
    desk.jobs((), (), (1,))
    desk.begin()
    first, second, _ = (job.id for job in desk.service.each(Job, desk.workflow_id))
    desk.tick(2)
    desk.started(first, second)
    desk.finished({first: 137})
    desk.tick(finished=[end(second, 9).changed(status=JobStatus(left))])
    waiting = "blocked" if left == "pending_failed" else "canceled"
    assert desk.statuses() == f"a=failed b={left} c={waiting}"
    desk.service.recover_jobs(desk.workflow_id, Recovery(job_ids=[first]))
    assert desk.statuses() == f"a=ready b={left} c={waiting}"
