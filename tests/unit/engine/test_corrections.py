"""Better requirements from what was used; every figure is worked out by hand from the rules of the reference."""

import inspect

import pytest

from torc_core.engine import corrections
from torc_core.engine.corrections import (
    Correction,
    Multipliers,
    plan_corrections,
    whole_cpus,
    whole_memory,
    whole_minutes,
)
from torc_core.engine.resource_rules import Attempt, Needs
from torc_core.records.resources import ResourceRequirements
from torc_core.status import JobStatus

MIB, GIB = 2**20, 2**30


def needs(id=5, name="big", cpus=2, memory="2g", runtime="PT1H"):
    return Needs.of(
        ResourceRequirements(id=id, workflow_id=1, name=name, num_cpus=cpus, memory=memory, runtime=runtime)
    )


NEEDS = needs()


def ended(job_id, status="completed", code=0, seconds=1800.0, memory=GIB, cpu=150.0, of=NEEDS):
    return Attempt(job_id, f"job{job_id}", of, JobStatus(status), code, seconds, memory, cpu)


def only(attempts, jobs=None, *factors, **options):
    """Return the only adjustment of jobs that all have one record."""
    found = plan_corrections(attempts, {5: jobs or [a.job_id for a in attempts]}, Multipliers(*factors), **options)
    assert len(found) == 1, found
    return found[0]


@pytest.mark.parametrize(
    ("size", "text"),
    [
        (3 * GIB * 1.2, "4g"),  # 3.6 GiB
        (2 * GIB, "2g"),
        (2 * GIB + 1, "3g"),
        (GIB - 1, "1024m"),
        (500 * MIB * 1.2, "600m"),
        (100 * MIB + 1, "101m"),
        (2049, "3k"),
        (1, "1k"),
        (0, "1k"),
    ],
)
def test_memory_is_rounded_up_to_whole_units(size, text):
    assert whole_memory(size) == text


@pytest.mark.parametrize(
    ("seconds", "above", "text"),
    [
        (3600 * 1.4, 0, "PT1H24M"),
        (5430.0, 0, "PT1H30M"),  # 1 h 30 min 30 s
        (7200, 0, "PT2H"),
        (59, 0, "PT1M"),
        (90_000, 0, "PT25H"),
        (72.0, 60, "PT2M"),  # without its seconds it would be what was too short before
        (3600.0, 3600, "PT1H1M"),
        (60 * 1.1, 60, "PT2M"),
    ],
)
def test_run_times_are_whole_minutes_and_longer_than_what_was_too_short(seconds, above, text):
    assert whole_minutes(seconds, above) == text


@pytest.mark.parametrize(("percent", "cpus"), [(250 * 1.2, 3), (250.1 * 1.2, 4), (5.0, 1), (0.0, 1), (800, 8)])
def test_cpus_are_rounded_up_to_whole_ones(percent, cpus):
    assert whole_cpus(percent) == cpus


def test_more_memory_comes_from_the_highest_peak_of_all_that_lacked_it():
    found = only([ended(1, "failed", 137, memory=3 * GIB), ended(2, "failed", 1, memory=5 * GIB)])
    assert found.correction == Correction(2, "6g", "PT1H")
    assert (found.job_ids, found.in_place) == ([1, 2], True)


def test_without_a_peak_the_memory_asked_for_is_multiplied():
    assert only([ended(1, "failed", 137, memory=None)], None, 1.5).correction.memory == "3g"


def test_a_kill_below_the_memory_asked_for_never_lowers_it():
    assert only([ended(1, "failed", 137, memory=GIB)], None, 1.5).correction.memory == "3g"


def test_a_timeout_multiplies_the_run_time_asked_for():
    assert only([ended(1, "terminated", 152, seconds=3600.0)]).correction == Correction(2, "2g", "PT1H12M")


def test_a_job_that_ended_well_but_late_gives_its_own_run_time():
    assert only([ended(1, seconds=7200.0)]).correction == Correction(2, "2g", "PT2H24M")


def test_more_cpus_come_from_the_peak():
    assert only([ended(1, cpu=410.0)]).correction == Correction(5, "2g", "PT1H")  # 410 % x 1.2 = 4.92


def test_each_multiplier_is_for_its_resource():
    found = only([ended(1, seconds=4000.0, memory=4 * GIB, cpu=300.0)], None, 2.0, 3.0, 4.0)
    assert found.correction == Correction(12, "8g", "PT3H20M")


def test_jobs_that_lacked_nothing_keep_their_record():
    found = only([ended(1), ended(2, memory=3 * GIB), ended(3)], [1, 2, 3, 4])
    assert (found.job_ids, found.in_place) == ([2], False)


def test_jobs_that_have_not_ended_keep_their_record():
    assert not only([ended(2, memory=3 * GIB)], [2, 9]).in_place


def test_nothing_is_lowered_unless_asked_for():
    assert plan_corrections([ended(1)], {5: [1]}) == []


def test_what_all_jobs_leave_unused_is_lowered():
    attempts = [
        ended(1, seconds=600.0, memory=100 * MIB, cpu=50.0),
        ended(2, seconds=900.0, memory=200 * MIB, cpu=60.0),
    ]
    found = only(attempts, lower=True)
    assert (found.correction, found.in_place) == (Correction(1, "240m", "PT18M"), True)


@pytest.mark.parametrize(
    "attempts",
    [
        [ended(1, seconds=600.0, memory=MIB), ended(2, "failed", 1, seconds=600.0, memory=MIB)],
        [ended(1, seconds=600.0, memory=MIB)],  # job 2 has not ended
    ],
)
def test_nothing_is_lowered_before_all_jobs_have_ended_well(attempts):
    assert plan_corrections(attempts, {5: [1, 2]}, lower=True) == []


def test_memory_is_not_lowered_to_next_to_nothing():
    assert only([ended(1, memory=MIB)], lower=True).correction.memory == "64m"
    tiny = needs(memory="10m")
    assert plan_corrections([ended(1, seconds=3600.0, memory=MIB, of=tiny)], {5: [1]}, lower=True) == []


def test_only_what_is_known_of_every_job_is_lowered():
    found = only([ended(1, memory=None, cpu=None), ended(2, memory=MIB, cpu=None)], lower=True)
    assert found.correction == Correction(2, "2g", "PT36M")  # half an hour x 1.2


def test_one_record_can_get_more_of_one_thing_and_less_of_another():
    found = only([ended(1, seconds=600.0, memory=3 * GIB)], lower=True)
    assert found.correction == Correction(2, "4g", "PT12M")


def test_what_failed_jobs_used_lowers_nothing():
    found = only([ended(1, "failed", 137, seconds=60.0, memory=3 * GIB, cpu=10.0)], lower=True)
    assert found.correction == Correction(2, "4g", "PT1H")


def test_those_left_behind_by_jobs_that_lacked_something_are_lowered_in_place():
    attempts = [ended(1, memory=3 * GIB), ended(2, seconds=600.0, memory=MIB, cpu=10.0)]
    raised, lowered = plan_corrections(attempts, {5: [1, 2]}, lower=True)
    # 150 % and 1800 s are less than 2 CPUs and an hour: the record that job 1 gets for itself fits it in all
    assert (raised.job_ids, raised.in_place, raised.correction) == ([1], False, Correction(2, "4g", "PT36M"))
    assert (lowered.job_ids, lowered.in_place, lowered.correction) == ([2], True, Correction(1, "64m", "PT12M"))


def test_a_use_just_below_what_was_asked_for_changes_nothing():
    assert plan_corrections([ended(1, seconds=3599.0, memory=2 * GIB, cpu=199.0)], {5: [1]}, lower=True) == []


@pytest.mark.parametrize("code", [137, 152])
def test_how_a_job_was_killed_under_other_requirements_says_nothing_about_these(code):
    assert plan_corrections([ended(1, "failed", code, seconds=60.0)._replace(is_outdated=True)], {5: [1]}) == []


def test_what_a_job_used_under_other_requirements_counts():
    assert only([ended(1, "failed", 137, memory=3 * GIB)._replace(is_outdated=True)]).correction.memory == "4g"


def test_records_are_judged_apart():
    other = needs(6, "small", 1, "100m", "PT10M")
    attempts = [ended(1, memory=3 * GIB), ended(2, seconds=60.0, memory=50 * MIB, cpu=10.0, of=other)]
    found = plan_corrections(attempts, {5: [1], 6: [2]})
    assert [(a.needs.name, a.correction.memory) for a in found] == [("big", "4g")]


def test_the_default_record_is_left_alone():
    default = needs(1, "default", 1, "1m", "PT1M")
    assert plan_corrections([ended(1, "failed", 137, memory=GIB, of=default)], {1: [1]}, lower=True) == []


def test_somebody_else_may_decide():
    seen = []

    def decide(adjustment):
        seen.append(adjustment.correction.memory)
        return adjustment.correction._replace(memory="64g") if adjustment.job_ids == [1] else None

    other = needs(6, "small", 1, "1g", "PT1H")
    attempts = [ended(1, memory=3 * GIB), ended(2, memory=2 * GIB, cpu=1.0, of=other)]
    found = plan_corrections(attempts, {5: [1], 6: [2]}, decide=decide)
    assert (seen, [a.correction.memory for a in found]) == (["4g", "3g"], ["64g", "3g"])


def test_a_decision_to_change_nothing_is_obeyed():
    assert plan_corrections([ended(1, memory=3 * GIB)], {5: [1]}, decide=lambda a: Correction.none(a.needs)) == []


@pytest.mark.parametrize(
    "wrong",
    [
        Correction(-1, "1g", "PT1H"),
        Correction(1, "1 gig", "PT1H"),
        Correction(1, "1g", "1h"),
        Correction("2", "1g", "PT1H"),
    ],
)
def test_a_decision_that_no_record_can_hold_is_refused(wrong):
    with pytest.raises(ValueError, match="expected"):
        wrong.check()


def test_the_report_names_only_what_changes():
    body = only([ended(1, "failed", 137, memory=3 * GIB), ended(2, "failed", 137, memory=None, cpu=None)]).as_json()
    assert body == {
        "resource_requirements_id": 5, "job_ids": [1, 2], "job_names": ["job1", "job2"], "memory_adjusted": True,
        "original_memory": "2g", "new_memory": "4g", "max_peak_memory_bytes": 3 * GIB, "runtime_adjusted": False,
        "max_peak_cpu_percent": 150.0,
    }  # fmt: skip
    body = only([ended(1, seconds=7200.0, cpu=410.0, memory=None)]).as_json()
    assert body == {
        "resource_requirements_id": 5, "job_ids": [1], "job_names": ["job1"], "memory_adjusted": False,
        "runtime_adjusted": True, "original_runtime": "PT1H", "new_runtime": "PT2H24M", "cpu_adjusted": True,
        "original_cpus": 2, "new_cpus": 5, "max_peak_cpu_percent": 410.0,
    }  # fmt: skip


WRONG_SUMS = {
    "the lowest peak counts": ("peak = max((d.attempt.peak_memory_bytes or 0 for d in starved), default=0)",
                               "peak = min((d.attempt.peak_memory_bytes or 0 for d in starved), default=0)"),
    "a kill below the request lowers it": ("max(peak, needs.memory_bytes) *", "(peak or needs.memory_bytes) *"),
    "memory is rounded down": ("-(-whole // unit)", "whole // unit"),
    "cpus take the memory multiplier": ("max(busy) * factors.cpu", "max(busy) * factors.memory"),
    "a correction may end where it began": ("if minutes * MINUTE <= above:", "if False:"),
    "all jobs of a record get the new values": ("in_place=not left", "in_place=True"),
    "failed jobs do not stop lowering": ("and not any(a.has_failed for a in others)", ""),
    "jobs that failed for want of something lower the rest": (
        "if lower and not any(attempt.has_failed for attempt in short):", "if lower:"
    ),
    "unfinished jobs do not stop lowering": ("left <= {a.job_id for a in others}", "True"),
    "unknown use counts as none": ("len(values) == len(attempts)", "bool(values)"),
}  # fmt: skip


def failing_with(source):
    """Return how many tests above fail when they are run against another source of the module."""
    planted = {"__name__": "planted"}
    exec(compile(source, "planted", "exec"), planted)
    names = {"plan_corrections", "whole_memory", "whole_minutes", "whole_cpus", "Correction", "Multipliers"}
    kept = {name: globals()[name] for name in names}
    globals().update({name: planted[name] for name in names})
    try:
        return sum(fails(check) for check in CHECKS)
    finally:
        globals().update(kept)


@pytest.mark.parametrize("name", WRONG_SUMS)
def test_a_planted_wrong_sum_is_found(name):
    right, wrong = WRONG_SUMS[name]
    source = inspect.getsource(corrections)
    assert source.count(right) == 1, right
    assert failing_with(source.replace(right, wrong))


def test_nothing_is_found_where_nothing_is_planted():
    assert failing_with(inspect.getsource(corrections)) == 0


def fails(check):
    marks = [mark for mark in getattr(check, "pytestmark", []) if mark.name == "parametrize"]
    names, cases = marks[0].args if marks else ((), [()])
    for case in cases:
        try:
            check(*(case if isinstance(names, tuple) else (case,)))
        except Exception:
            return True
    return False


CHECKS = [
    check for name, check in list(globals().items())
    if name.startswith("test_") and "planted" not in name and "refused" not in name
]  # fmt: skip
