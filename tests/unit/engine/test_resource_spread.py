"""How use is spread over jobs with the same requirements, and who is given others; figures worked out by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torc_core.engine.corrections import Correction, plan_corrections
from torc_core.engine.resource_rules import Attempt, Needs, Resource
from torc_core.engine.resource_spread import WORTH_PARTING, parted, spread_of
from torc_core.records.resources import ResourceRequirements
from torc_core.status import JobStatus

MIB, GIB = 2**20, 2**30


def needs(id=5, memory="2g", runtime="PT1H"):
    return Needs.of(
        ResourceRequirements(id=id, workflow_id=1, name=f"n{id}", num_cpus=2, memory=memory, runtime=runtime)
    )


def ended(job_id, memory, seconds=1800.0, cpu=150.0, of=None):
    return Attempt(job_id, f"job{job_id}", of or needs(), JobStatus.COMPLETED, 0, seconds, memory, cpu)


def spreads(attempts):
    [record] = spread_of(attempts)
    return {spread.resource: spread for spread in record.spreads}


def test_ten_jobs_have_the_fifth_and_the_ninth_as_median_and_nine_tenths():
    found = spreads([ended(i, i * MIB, seconds=11.0 - i) for i in range(1, 11)])
    memory, runtime = found[Resource.MEMORY], found[Resource.RUNTIME]
    assert memory[1:] == (2 * GIB, 10, MIB, 5 * MIB, 9 * MIB, 10 * MIB)
    assert runtime[1:] == (3600, 10, 1.0, 5.0, 9.0, 10.0)


def test_one_job_is_all_there_is_and_what_is_not_known_is_not_counted():
    found = spreads([ended(1, None, cpu=70.0), ended(2, 3 * MIB, cpu=None)])
    assert found[Resource.MEMORY][2:] == (1, 3 * MIB, 3 * MIB, 3 * MIB, 3 * MIB)
    assert found[Resource.CPU][1:] == (200, 1, 70.0, 70.0, 70.0, 70.0)
    assert spreads([ended(1, None)])[Resource.MEMORY].known == 0


def test_each_record_has_its_own():
    found = spread_of([ended(1, MIB, of=needs(7)), ended(2, MIB, of=needs(5)), ended(3, MIB, of=needs(7))])
    assert [(record.needs.id, record.jobs) for record in found] == [(5, 1), (7, 2)]


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ([], []),
        ([5], [[5]]),
        ([1, 1, 1, 10], [[1, 1, 1], [10]]),  # saves 27 of 40
        ([7, 8, 9, 10], [[7, 8, 9, 10]]),  # would save 4 of 40
        ([1, 2], [[1], [2]]),  # a quarter of 4 is just worth it
        ([1.1, 2], [[1.1, 2]]),
        ([1, 2, 4, 8], [[1], [2], [4], [8]]),  # 12 of 32, then 4 of 12, then 1 of 4
        ([3, 3, 3], [[3, 3, 3]]),
    ],
)
def test_sizes_are_parted_where_that_saves_a_quarter(sizes, expected):
    assert [[sizes[place] for place in part] for part in parted(sizes)] == expected


@given(st.lists(st.floats(1, 1e12), max_size=40).map(sorted))
def test_parts_follow_each_other_and_are_not_parted_again(sizes):
    parts = parted(sizes)
    assert [place for part in parts for place in part] == list(range(len(sizes)))
    for part in parts:
        own = [sizes[place] for place in part]
        assert parted(own) == [range(len(own))]
        assert all(n * (own[-1] - own[n - 1]) < WORTH_PARTING * own[-1] * len(own) for n in range(1, len(own)))


def plan(attempts, jobs, **options):
    return plan_corrections(attempts, {5: jobs}, lower=True, regroup=True, **options)


def test_those_who_need_little_get_requirements_of_their_own_and_the_others_keep_the_record():
    small, large = plan([ended(i, 100 * MIB) for i in (1, 2, 3)] + [ended(4, GIB)], [1, 2, 3, 4])
    assert (small.job_ids, small.correction, small.in_place) == ([1, 2, 3], Correction(2, "120m", "PT36M"), False)
    assert (large.job_ids, large.correction, large.in_place) == ([4], Correction(2, "2g", "PT36M"), True)


def test_the_record_is_left_to_those_for_whom_it_is_right():
    """Job 1 needs as long as it asked for, so what job 2 does not need is not taken from both."""
    [only] = plan([ended(1, int(0.9 * GIB), seconds=3000.0), ended(2, int(1.9 * GIB), seconds=600.0)], [1, 2])
    assert (only.job_ids, only.correction, only.in_place) == ([2], Correction(2, "2g", "PT12M"), False)


@pytest.mark.parametrize(
    ("attempts", "jobs"),
    [
        ([ended(1, MIB), ended(2, GIB)], [1, 2, 3]),  # one has not ended
        ([ended(1, None), ended(2, GIB)], [1, 2]),  # of one it is not known
    ],
)
def test_nobody_is_parted_from_others_without_knowing_all(attempts, jobs):
    assert all(len(adjustment.job_ids) == 2 for adjustment in plan(attempts, jobs))
