"""Which failed jobs run again, and with what."""

import pytest

from torc_core.diagnosis.recovery import Cause, plan_recovery
from torc_core.engine.resource_rules import Attempt, Needs
from torc_core.records.resources import ResourceRequirements
from torc_core.status import JobStatus

GIB = 2**30


def needs(name="small", id=5):
    record = ResourceRequirements(
        id=id, workflow_id=1, name=name, num_cpus=2, num_gpus=0, num_nodes=1, memory="2g", runtime="PT1H"
    )
    return Needs.of(record)


def attempt(job_id, code, seconds=60.0, memory=None, cpu=None, asked=None):
    return Attempt(job_id, f"j{job_id}", asked or needs(), JobStatus.FAILED, code, seconds, memory, cpu)


@pytest.mark.parametrize(
    ("code", "seconds", "memory", "cause"),
    [
        (1, 60.0, 3 * GIB, Cause.MEMORY),  # more than was asked for
        (137, 60.0, None, Cause.MEMORY),  # killed early
        (137, 2879.0, None, Cause.MEMORY), (137, 2880.0, None, Cause.UNKNOWN),  # 80 % of an hour
        (137, 3300.0, None, Cause.TIMEOUT),  # killed late: more than 90 %
        (152, 60.0, None, Cause.TIMEOUT), (1, 3241.0, None, Cause.TIMEOUT), (1, 3240.0, None, Cause.UNKNOWN),
        (1, 60.0, GIB, Cause.UNKNOWN), (139, 60.0, None, Cause.UNKNOWN), (-128, 60.0, None, Cause.LOST),
    ],
)  # fmt: skip
def test_a_failure_has_a_cause(code, seconds, memory, cause):
    plan = plan_recovery([attempt(1, code, seconds, memory)], {5: [1]})
    assert [failure.cause for failure in plan.failures] == [cause]
    assert bool(plan.retried) is (cause is not Cause.UNKNOWN)


def test_only_what_was_asked_for_is_tried_again():
    ended = [attempt(1, 137), attempt(2, 1), attempt(3, -128)]
    plan = plan_recovery(ended, {5: [1, 2, 3]})
    assert plan.job_ids == [1, 3]
    assert [failure.attempt.job_id for failure in plan.left] == [2]
    plan = plan_recovery(ended, {5: [1, 2, 3]}, retry_unknown=True)
    assert plan.job_ids == [1, 2, 3]
    assert [plan.count(cause) for cause in Cause] == [1, 0, 1, 1]


def test_only_those_that_lacked_something_get_more():
    [adjustment] = plan_recovery([attempt(1, 137), attempt(2, 1)], {5: [1, 2]}, retry_unknown=True).adjustments
    assert (adjustment.job_ids, adjustment.correction.memory, adjustment.in_place) == ([1], "3g", False)
    assert plan_recovery([attempt(3, -128)], {5: [3]}).adjustments == []


def test_the_multipliers_count_for_what_was_used():
    ended = [attempt(1, 1, memory=4 * GIB, cpu=310.0)]
    [adjustment] = plan_recovery(ended, {5: [1]}, memory_multiplier=2.0).adjustments
    assert (adjustment.correction.memory, adjustment.correction.num_cpus) == ("8g", 7)  # 310 % x 2 = 6.2 CPUs
    [adjustment] = plan_recovery([attempt(1, 152)], {5: [1]}, runtime_multiplier=2.5).adjustments
    assert adjustment.correction.runtime == "PT2H30M"


def test_a_job_without_requirements_of_its_own_is_not_tried_again_for_nothing():
    plan = plan_recovery([attempt(1, 137, asked=needs("default"))], {5: [1]})
    assert (plan.failures[0].cause, plan.retried, plan.adjustments) == (Cause.UNKNOWN, [], [])
    assert "give it resource requirements" in plan.failures[0].text


def test_other_codes_can_stand_for_memory_and_time():
    plan = plan_recovery([attempt(1, 99), attempt(2, 98)], {5: [1, 2]}, oom_code=99, timeout_code=98)
    assert [failure.cause for failure in plan.failures] == [Cause.MEMORY, Cause.TIMEOUT]


def test_a_plugin_may_decide_otherwise():
    plan = plan_recovery([attempt(1, 137)], {5: [1]}, decide=lambda a: a.correction._replace(memory="64g"))
    assert plan.adjustments[0].correction.memory == "64g"
