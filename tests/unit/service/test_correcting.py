"""Requirements that are corrected, and the attempts that say how."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.service.conftest import MOMENT, Desk
from torc_core.engine.corrections import plan_corrections
from torc_core.errors import Invalid, NotFound
from torc_core.records.answers import FinishedJob, RequirementsChange, RequirementsChanges
from torc_core.records.resources import Event, Job, ResourceRequirements
from torc_core.service.correcting import apply_adjustments
from torc_core.service.resource_use import ENDED_WELL, resource_use
from torc_core.status import JobStatus

GIB = 2**30


@pytest.fixture
def desk(desk: Desk) -> Desk:
    """Jobs a, b and c that share the requirements "big" (id 2, after "default"), and d without any."""
    big = {"name": "big", "num_cpus": 2, "memory": "2g", "runtime": "PT1H"}
    desk.create(
        jobs={"name": list("abcd"), "command": ["true"] * 4, "resource_requirements_id": [0, 0, 0, -1]},
        resource_requirements=[big],
    )
    return desk


def needs_by_name(desk: Desk) -> dict[str, ResourceRequirements]:
    return {needs.name: needs for needs in desk.service.each(ResourceRequirements, desk.workflow_id)}


def job_ids(desk: Desk) -> dict[str, int]:
    return {job.name: job.id for job in desk.service.each(Job, desk.workflow_id)}


def change(desk: Desk, **values: Any) -> RequirementsChanges:
    big = needs_by_name(desk)["big"].id
    fields = {"resource_requirements_id": big, "num_cpus": 3, "memory": "4g", "runtime": "PT2H", **values}
    return RequirementsChanges(changes=[RequirementsChange(**fields)])


def names_of_needs(desk: Desk) -> dict[str, str]:
    names = {needs.id: name for name, needs in needs_by_name(desk).items()}
    return {job.name: names[job.resource_requirements_id] for job in desk.service.each(Job, desk.workflow_id)}


def test_a_record_is_changed_for_all_its_jobs(desk: Desk) -> None:
    answer = desk.service.correct_requirements(desk.workflow_id, change(desk))
    big = needs_by_name(desk)["big"]
    assert (big.num_cpus, big.memory, big.runtime) == (3, "4g", "PT2H")
    assert answer.resource_requirements_ids == [big.id]
    assert names_of_needs(desk) == {"a": "big", "b": "big", "c": "big", "d": "default"}


def test_some_jobs_get_a_record_of_their_own(desk: Desk) -> None:
    ids = job_ids(desk)
    desk.service.correct_requirements(desk.workflow_id, change(desk, job_ids=[ids["a"], ids["c"]]))
    desk.service.correct_requirements(desk.workflow_id, change(desk, job_ids=[ids["b"]], memory="8g"))
    records = needs_by_name(desk)
    assert [(records[name].memory, records[name].num_cpus) for name in ("big", "big_corrected", "big_corrected_2")] == [
        ("2g", 2), ("4g", 3), ("8g", 3),
    ]  # fmt: skip
    assert names_of_needs(desk) == {"a": "big_corrected", "b": "big_corrected_2", "c": "big_corrected", "d": "default"}


def test_each_change_is_an_event_and_counts_for_what_is_claimed_next(desk: Desk) -> None:
    desk.begin()
    ids = job_ids(desk)
    desk.service.correct_requirements(desk.workflow_id, change(desk, job_ids=[ids["a"]]))
    [event] = desk.service.each(Event, desk.workflow_id)
    assert event.data["action"] == "update_resource_requirements"
    assert (event.data["name"], event.data["memory"]) == ("big_corrected", "4g")
    launched = {job.name: job.memory_bytes for job in desk.tick(limit=4).jobs}
    assert launched == {"a": 4 * GIB, "b": 2 * GIB, "c": 2 * GIB, "d": 2**20}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"memory": "4 gigs"}, "memory: cannot read '4 gigs'"),
        ({"runtime": "2h"}, "runtime: cannot read '2h'"),
        ({"num_cpus": -1}, "num_cpus must be at least 0"),
        ({"job_ids": [99]}, "no jobs 99"),
    ],
)
def test_all_changes_or_none(desk: Desk, values: dict[str, Any], said: str) -> None:
    both = [*change(desk, memory="64g").changes, *change(desk, **values).changes]
    with pytest.raises(Invalid, match=said):
        desk.service.correct_requirements(desk.workflow_id, RequirementsChanges(changes=both))
    assert needs_by_name(desk)["big"].memory == "2g"
    assert set(needs_by_name(desk)) == {"default", "big"}


def test_records_and_jobs_of_other_workflows_are_refused(desk: Desk) -> None:
    ours, ids, theirs = change(desk), job_ids(desk), desk.workflow_id
    desk.jobs(())
    with pytest.raises(Invalid, match="not of workflow"):
        desk.service.correct_requirements(desk.workflow_id, ours)
    with pytest.raises(NotFound):
        desk.service.correct_requirements(theirs, change_of(999))
    with pytest.raises(Invalid, match="no jobs"):
        desk.service.correct_requirements(desk.workflow_id, change_of(needs_by_name(desk)["default"].id, [ids["a"]]))


def change_of(id: int, job_ids: list[int] | None = None) -> RequirementsChanges:
    made = RequirementsChange(resource_requirements_id=id, num_cpus=1, memory="1g", runtime="PT1H", job_ids=job_ids)
    return RequirementsChanges(changes=[made])


def finish(desk: Desk, name: str, code: int = 0, attempt: int = 1, **used: Any) -> None:
    status = JobStatus.FAILED if code else JobStatus.COMPLETED
    desk.tick(
        finished=[
            FinishedJob(
                job_id=job_ids(desk)[name], attempt_id=attempt, status=status, return_code=code, exec_time_minutes=30.0,
                completion_time=MOMENT, **used,
            )
        ]
    )  # fmt: skip


@pytest.fixture
def ran(desk: Desk) -> Desk:
    """All four have run: a used too much memory, b failed, c was fine."""
    desk.begin()
    desk.tick(limit=4)
    desk.started(*job_ids(desk).values())
    finish(desk, "a", peak_memory_bytes=3 * GIB, peak_cpu_percent=150.0)
    finish(desk, "b", code=3)
    finish(desk, "c", peak_memory_bytes=GIB, peak_cpu_percent=50.0)
    finish(desk, "d", peak_memory_bytes=GIB)
    return desk


def test_attempts_are_read_with_what_they_asked_for(ran: Desk) -> None:
    use = resource_use(ran.service, ran.workflow_id)
    by_name = {attempt.job_name: attempt for attempt in use.attempts}
    a, b = by_name["a"], by_name["b"]
    assert (a.needs.name, a.needs.memory_bytes, a.peak_memory_bytes, a.peak_cpu_percent) == (
        "big",
        2 * GIB,
        3 * GIB,
        150.0,
    )
    assert (a.seconds, a.status, b.status, b.return_code, b.peak_memory_bytes) == (
        1800.0,
        "completed",
        "failed",
        3,
        None,
    )
    ids, big = job_ids(ran), needs_by_name(ran)["big"].id
    assert use.jobs[big] == [ids["a"], ids["b"], ids["c"]]
    assert (use.oom_code, use.timeout_code) == (137, 152)


def test_attempts_can_be_narrowed_by_status_and_job(ran: Desk) -> None:
    well = resource_use(ran.service, ran.workflow_id, ENDED_WELL)
    assert {attempt.job_name for attempt in well.attempts} == {"a", "c", "d"}
    some = resource_use(ran.service, ran.workflow_id, job_ids=[job_ids(ran)["b"]])
    assert [attempt.job_name for attempt in some.attempts] == ["b"]
    assert len(some.jobs) == len(well.jobs)


def test_the_last_attempt_of_a_run_counts(ran: Desk) -> None:
    ran.service.retry_job(job_ids(ran)["b"], 1, 5)
    ran.tick(limit=1)
    ran.started(job_ids(ran)["b"])
    finish(ran, "b", attempt=2, peak_memory_bytes=5)
    for run_id in (None, 1):
        [again] = [x for x in resource_use(ran.service, ran.workflow_id, run_id=run_id).attempts if x.job_name == "b"]
        assert (again.return_code, again.peak_memory_bytes) == (0, 5)
    assert resource_use(ran.service, ran.workflow_id, run_id=7).attempts == []


def test_corrections_are_carried_out(ran: Desk) -> None:
    use = resource_use(ran.service, ran.workflow_id)
    adjustments = plan_corrections(use.attempts, use.jobs)
    [id] = apply_adjustments(ran.service, ran.workflow_id, adjustments)
    made = needs_by_name(ran)["big_corrected"]
    assert (made.id, made.memory, made.num_cpus, made.runtime) == (id, "4g", 2, "PT1H")  # 3 GiB x 1.2
    assert names_of_needs(ran) == {"a": "big_corrected", "b": "big", "c": "big", "d": "default"}


def test_attempts_that_ran_before_a_correction_are_told_apart(ran: Desk) -> None:
    ran.service.correct_requirements(ran.workflow_id, change(ran, job_ids=[job_ids(ran)["b"]]))
    use = resource_use(ran.service, ran.workflow_id)
    assert {attempt.job_name: attempt.is_outdated for attempt in use.attempts} == {
        "a": False, "b": True, "c": False, "d": False,
    }  # fmt: skip


def test_nothing_to_correct_asks_nothing_of_the_service() -> None:
    assert apply_adjustments(None, 1, []) == []  # type: ignore[arg-type]
