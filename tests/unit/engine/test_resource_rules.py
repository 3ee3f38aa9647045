"""What counts as a violation and as a likely cause of a failure; the figures are worked out by hand."""

import pytest

from torc_core.engine.resource_rules import Attempt, Needs, Resource, compare, diagnose
from torc_core.records.resources import ResourceRequirements
from torc_core.status import JobStatus

GIB = 2**30
HOUR_AND_2G = Needs.of(ResourceRequirements(id=5, workflow_id=1, name="big", num_cpus=2, memory="2g", runtime="PT1H"))
DEFAULT = Needs.of(ResourceRequirements(id=1, workflow_id=1, name="default"))


def attempt(status="completed", code=0, seconds=60.0, memory=None, cpu=None, needs=HOUR_AND_2G):
    return Attempt(7, "seven", needs, JobStatus(status), code, seconds, memory, cpu)


def test_requirements_are_read_as_numbers():
    assert (HOUR_AND_2G.memory_bytes, HOUR_AND_2G.runtime_seconds, HOUR_AND_2G.are_limits) == (2 * GIB, 3600, True)


def test_each_resource_is_compared_with_what_was_asked_for():
    found = compare(attempt(memory=3 * GIB, cpu=250.0, seconds=1800.0))
    assert [(c.resource, c.over_percent, c.is_violation) for c in found] == [
        (Resource.MEMORY, 50.0, True),  # 3 GiB of 2 GiB
        (Resource.CPU, 25.0, True),  # 250 % of 2 CPUs
        (Resource.RUNTIME, -50.0, False),  # half an hour of one
    ]


def test_exactly_what_was_asked_for_is_no_violation():
    assert not any(c.is_violation for c in compare(attempt(memory=2 * GIB, cpu=200.0, seconds=3600.0)))


def test_what_is_not_known_is_not_compared():
    assert [c.resource for c in compare(attempt())] == [Resource.RUNTIME]


def test_the_default_requirements_limit_nothing():
    assert compare(attempt(memory=9 * GIB, cpu=900.0, seconds=9e5, needs=DEFAULT)) == []


def test_any_use_of_what_was_not_asked_for_at_all_is_a_violation():
    none = HOUR_AND_2G._replace(num_cpus=0)
    [_, cpu, _] = compare(attempt(memory=1, cpu=5.0, needs=none))
    assert cpu.is_violation
    assert cpu.over_percent == float("inf")


@pytest.mark.parametrize(
    ("ended", "oom", "timeout"),
    [
        ({"code": 1, "memory": 2 * GIB + 1}, "memory_exceeded", None),
        ({"code": 1, "memory": 2 * GIB}, None, None),
        ({"code": 137, "memory": 3 * GIB, "seconds": 3500.0}, "memory_exceeded", None),
        ({"code": 137, "seconds": 2879.0}, "sigkill_137", None),  # 80 % of an hour are 2880 s
        ({"code": 137, "seconds": 2880.0}, None, None),
        ({"code": 137, "seconds": 9e9, "needs": DEFAULT}, "sigkill_137", None),
        ({"code": 1, "memory": 9 * GIB, "needs": DEFAULT}, None, None),
        ({"code": 152, "seconds": 10.0}, None, "sigxcpu_152"),
        ({"code": 152, "seconds": 10.0, "needs": DEFAULT}, None, "sigxcpu_152"),
        ({"code": 1, "seconds": 3600.0}, None, None),
        ({"code": 143, "seconds": 10.0}, None, None),
    ],
)
def test_reasons_that_memory_or_time_ran_out(ended, oom, timeout):
    found = diagnose(attempt("failed", **ended))
    assert (found.oom_reason, found.timeout_reason) == (oom, timeout)
    assert found.likely_oom is (oom is not None)


@pytest.mark.parametrize(("seconds", "likely"), [(3240.0, False), (3240.1, True), (4000.0, True)])
def test_more_than_nine_tenths_of_the_run_time_is_a_likely_timeout(seconds, likely):
    found = diagnose(attempt("failed", code=1, seconds=seconds))
    assert (found.likely_timeout, found.is_unknown) == (likely, not likely)


def test_codes_that_a_workflow_sets_count_beside_the_usual_ones():
    assert diagnose(attempt("failed", code=99), oom_code=99).oom_reason == "sigkill_137"
    assert diagnose(attempt("terminated", code=98), timeout_code=98).likely_timeout
    assert diagnose(attempt("failed", code=99)).is_unknown


def test_other_violations_are_told_but_explain_no_failure():
    found = diagnose(attempt("failed", code=1, cpu=201.0))
    assert (found.likely_cpu_violation, found.likely_runtime_violation, found.is_unknown) == (True, False, True)
    assert diagnose(attempt("terminated", code=0, seconds=3601.0)).likely_runtime_violation


@pytest.mark.parametrize(
    ("ended", "sentence"),
    [
        ({"memory": 3 * GIB, "code": 137}, "used 3.0 GiB of memory; it had asked for 2.0 GiB"),
        ({"code": 137}, "was killed (return code 137), probably because memory ran out"),
        ({"code": 152, "seconds": 3630.0}, "ran for 1h 0m 30s; it had asked for 1h 0m 0s"),
        ({"code": 152, "seconds": 30.0, "needs": DEFAULT}, "ran for 30.0s"),
        ({"code": 3}, "ended with return code 3; what it used does not explain that"),
    ],
)
def test_the_sentence_says_what_was_used_and_asked_for(ended, sentence):
    assert diagnose(attempt("failed", **ended)).sentence() == sentence
