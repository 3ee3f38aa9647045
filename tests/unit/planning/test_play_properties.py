"""What holds for every schedule, whatever the plan."""

from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.planning.small_plans import GIB, MINUTE, Sketch, machine, run

JOBS = st.lists(
    st.tuples(
        st.integers(0, 4),  # CPUs
        st.integers(0, 4),  # GiB
        st.integers(0, 2),  # GPUs
        st.integers(0, 6),  # minutes
        st.integers(0, 2),  # priority
        st.sets(st.integers(0, 24), max_size=3),  # dependencies, by position modulo the job's own
    ),
    max_size=25,
)
MACHINES = st.tuples(st.integers(1, 6), st.integers(1, 8), st.integers(0, 2))


def sketched(jobs):
    sketch = Sketch()
    for place, (cpus, gib, gpus, long, priority, others) in enumerate(jobs):
        after = {f"j{other % place}" for other in others} if place else ()
        sketch.job(f"j{place}", long, cpus, gib, gpus, after=after, priority=priority)
    return sketch


def in_use(entries, moment):
    """Return the jobs that run just after a moment."""
    return [entry for entry in entries if entry.start_s <= moment < entry.end_s]


def longest(plan, started):
    """Return the longest chain of declared times among the jobs that start, in seconds."""
    ends = {}
    for place, job in enumerate(plan.jobs):
        if place in started:
            own = int(plan.requirements[job.requirements]["runtime"][2:-1]) * MINUTE
            ends[place] = own + max((ends[other] for other in job.depends_on), default=0)
    return max(ends.values(), default=0)


@given(JOBS, MACHINES)
@settings(max_examples=150, deadline=None)
def test_no_capacity_is_exceeded_and_every_dependency_is_kept(jobs, size):
    cpus, gib, gpus = size
    sketch = sketched(jobs)
    schedule = run(sketch, machine(cpus, gib, gpus))
    entries = {entry.position: entry for entry in schedule.entries}
    for moment in {entry.start_s for entry in schedule.entries}:
        running = in_use(schedule.entries, moment)
        assert sum(entry.needs.cpus for entry in running) <= cpus
        assert sum(entry.needs.memory_bytes for entry in running) <= gib * GIB
        held = [gpu for entry in running for gpu in entry.gpu_ids]
        assert len(held) == len(set(held)) == sum(entry.needs.gpus for entry in running) <= gpus
        rows = [entry.row for entry in running]
        assert len(rows) == len(set(rows))
    for place, job in enumerate(sketch.plan.jobs):
        if place in entries:
            assert all(entries[other].end_s <= entries[place].start_s for other in job.depends_on)
            declared = int(sketch.plan.requirements[job.requirements]["runtime"][2:-1]) * MINUTE
            assert entries[place].end_s - entries[place].start_s == declared


@given(JOBS, MACHINES)
@settings(max_examples=150, deadline=None)
def test_a_job_starts_exactly_when_it_and_all_before_it_fit(jobs, size):
    cpus, gib, gpus = size
    sketch = sketched(jobs)
    schedule = run(sketch, machine(cpus, gib, gpus))
    possible = set()
    for place, ((needs_cpus, needs_gib, needs_gpus, *_), job) in enumerate(zip(jobs, sketch.plan.jobs, strict=True)):
        fits = needs_cpus <= cpus and needs_gib <= gib and needs_gpus <= gpus
        if fits and possible.issuperset(job.depends_on):
            possible.add(place)
    assert sorted(entry.position for entry in schedule.entries) == sorted(possible)
    unstarted = [place for group in schedule.unstarted for place in group.positions]
    assert sorted(unstarted) == sorted(set(range(len(jobs))) - possible)


@given(JOBS, MACHINES)
@settings(max_examples=150, deadline=None)
def test_the_makespan_lies_between_its_bounds_and_nothing_idles(jobs, size):
    cpus, gib, gpus = size
    sketch = sketched(jobs)
    schedule = run(sketch, machine(cpus, gib, gpus))
    chain = longest(sketch.plan, {entry.position for entry in schedule.entries})
    assert schedule.critical_seconds == chain <= schedule.makespan_seconds
    assert schedule.cpu_seconds <= schedule.makespan_seconds * cpus
    moments = sorted({0.0, *(entry.end_s for entry in schedule.entries)})
    assert all(in_use(schedule.entries, moment) for moment, _ in pairwise(moments))


@given(JOBS, st.integers(1, 4))
@settings(max_examples=100, deadline=None)
def test_slots_are_never_exceeded_and_everything_starts(jobs, slots):
    schedule = run(sketched(jobs), machine(1, 1, max_parallel_jobs=slots))
    assert len(schedule.entries) == len(jobs)
    assert all(entry.row < slots for entry in schedule.entries)
    assert all(len(in_use(schedule.entries, entry.start_s)) <= slots for entry in schedule.entries)
    total = sum(entry.end_s - entry.start_s for entry in schedule.entries)
    assert total <= schedule.makespan_seconds * slots
