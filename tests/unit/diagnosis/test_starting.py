"""Why nothing starts: one small workflow for each cause, with the sentence that it must lead to."""

import pytest

from torc_core.diagnosis.facts import Facts, JobFacts, RunnerFacts, room
from torc_core.diagnosis.packing import numbers
from torc_core.diagnosis.starting import diagnose
from torc_core.engine.lanes import Lane
from torc_core.status import JobStatus as S

GIB = 2**30
SMALL = room(4, 8 * GIB)
HERE = RunnerFacts(1, "here", SMALL)
BIG = RunnerFacts(1, "a", room(4, 8 * GIB, labels=["big"]))


def job(id, status, *waits_for, **more):
    needs = Lane(**{"runtime_s": 60, "memory_bytes": GIB, **more.pop("needs", {})})
    return JobFacts(id, f"j{id}", status, needs, waits_for, **more)


def ready(id, **needs):
    return job(id, S.READY, needs=needs)


def only(*jobs, **facts):
    [finding] = diagnose(Facts(3, jobs, **facts))
    return finding


@pytest.mark.parametrize(
    ("jobs", "facts", "code", "message", "then"),
    [
        ((ready(1),), {"is_archived": True}, "archived", "The workflow is archived.", "torc workflows archive false 3"),
        ((job(1, S.CANCELED),), {"is_canceled": True}, "canceled",
         "The workflow is canceled: no more jobs are given out.",
         "torc workflows reinit 3 && torc run 3"),
        ((), {}, "no-jobs", "The workflow has no jobs.", "torc jobs create 3 --name NAME --command COMMAND"),
        ((job(1, S.UNINITIALIZED), job(2, S.UNINITIALIZED)), {}, "uninitialized",
         "No run was begun: all 2 jobs are uninitialized.", "torc run 3"),
        ((job(1, S.UNINITIALIZED), job(2, S.COMPLETED)), {}, "uninitialized",
         "The next run was not begun: 1 job is uninitialized.", "torc workflows reinit 3 && torc run 3"),
        ((ready(1), ready(2)), {}, "no-runner", "2 ready jobs wait, and no runner is active.", "torc run 3"),
        ((ready(1, labels=frozenset({"gpu", "big"})),), {}, "no-runner", "1 ready job waits, and no runner is active.",
         "torc run 3 --label big,gpu"),
        ((ready(1, labels=frozenset({"gpu"})), ready(2)), {}, "no-runner",
         "2 ready jobs wait, and no runner is active.", "torc run 3"),
        ((ready(1),), {"pending_allocations": 2}, "in-queue", "1 ready job waits for 2 allocations in the queue.",
         "torc status 3"),
        ((ready(1, cpus=64), ready(2)), {"runners": [RunnerFacts(1, "a", room(8, GIB)), HERE]}, "too-much-cpus",
         "1 ready job needs 64 CPUs, and no runner has more than 8 CPUs.", "torc jobs list-resource-requirements 3"),
        ((ready(1, memory_bytes=16 * GIB), ready(2, memory_bytes=16 * GIB)), {"runners": [HERE]}, "too-much-memory",
         "2 ready jobs need 16.0 GiB of memory, and no runner has more than 8.0 GiB of memory.",
         "torc jobs list-resource-requirements 3"),
        ((ready(1, gpus=1),), {"runners": [HERE]}, "too-much-gpus",
         "1 ready job needs 1 GPU, and no runner has more than 0 GPUs.", "torc jobs list-resource-requirements 3"),
        ((ready(1, nodes=2),), {"runners": [HERE]}, "too-much-nodes",
         "1 ready job needs 2 nodes, and no runner has more than 1 node.", "torc jobs list-resource-requirements 3"),
        ((ready(1, runtime_s=7200),), {"runners": [HERE._replace(seconds_left=3600.0)]}, "too-much-runtime",
         "1 ready job needs 2h 0m 0s of run time, and no runner has more than 1h 0m 0s left.", "torc run 3"),
        ((ready(1, labels=frozenset({"big", "fast"})),), {"runners": [BIG]},
         "too-much-labels", "1 ready job wants a runner with the labels big, fast, and none offers them all.",
         "torc run 3 --label LABEL"),
        ((ready(1),), {"runners": [BIG]}, "too-much-labels",
         "1 ready job has no labels, and runners with labels take only jobs that have some.",
         "torc run 3 --label LABEL"),
        ((job(1, S.PENDING_FAILED),), {}, "undecided", "1 job that failed waits for a decision: try again, or fail.",
         "torc jobs resolve --all --workflow-id 3 --retry (or --fail)"),
        ((job(1, S.RUNNING, holder=7),), {"runners": [HERE._replace(id=7, is_dead=True)]}, "runner-gone",
         "1 runner that ended without a word still holds 1 job.", "torc run 3"),
        ((job(1, S.BLOCKED, retry_at="2026-01-31T08:00:00.000Z"),), {}, "retry-later",
         "1 job waits for its next attempt, until 2026-01-31T08:00:00.000Z.", "torc run 3"),
        (tuple(job(id, S.BLOCKED, retry_at=f"2026-01-31T0{hour}:00:00.000Z") for id, hour in ((1, 9), (2, 8))),
         {"runners": [HERE]}, "retry-later",
         "2 jobs wait for their next attempts, the first until 2026-01-31T08:00:00.000Z.", ""),
        ((job(1, S.COMPLETED), job(2, S.DISABLED)), {}, "complete",
         "The workflow is complete: all jobs have ended.", ""),
    ],
)  # fmt: skip
def test_a_cause_is_said_with_a_number_and_the_next_command(jobs, facts, code, message, then):
    found = diagnose(Facts(3, jobs, **facts))[0]
    assert (found.code, found.message, found.next) == (code, message, then)


def test_what_fits_beside_what_does_not_is_told_apart():
    facts = Facts(3, [ready(1, cpus=9), ready(2), ready(3), job(4, S.RUNNING)], [HERE])
    assert [(f.code, f.job_ids) for f in diagnose(facts)] == [("too-much-cpus", (1,)), ("busy", (2, 3))]
    assert diagnose(facts)[1].message == "2 ready jobs fit the 1 active runner, which is busy with 1 job."


def test_runners_that_have_left_tell_what_another_like_them_could_not_run():
    facts = Facts(3, [ready(1, cpus=9), ready(2), ready(4, labels=frozenset(["fast"]))], past=[HERE, BIG])
    found = diagnose(facts)
    assert [(f.code, f.job_ids, f.next) for f in found] == [
        ("too-much-cpus", (1,), "torc jobs list-resource-requirements 3"), ("no-runner", (2, 4), "torc run 3"),
    ]  # fmt: skip
    assert found[0].message == "1 ready job needs 9 CPUs, and no runner so far had more than 4 CPUs."
    [only_labels] = diagnose(facts._replace(jobs=facts.jobs[2:]))
    assert only_labels.next == "torc run 3 --label fast"


def test_a_job_may_take_two_minutes_longer_than_a_runner_has_left():
    left = [HERE._replace(seconds_left=100.0)]
    assert only(ready(1, runtime_s=220), runners=left).code == "busy"
    assert only(ready(1, runtime_s=221), runners=left).code == "too-much-runtime"


def test_a_job_that_fits_neither_of_two_runners_is_told_with_what_they_have():
    runners = [RunnerFacts(1, "wide", room(64, GIB)), RunnerFacts(2, "fat", room(2, 64 * GIB))]
    assert only(ready(1, cpus=8, memory_bytes=32 * GIB), runners=runners).message == (
        "1 ready job needs 32.0 GiB of memory, and no runner with 8 CPUs has more than 1.0 GiB of memory."
    )


def test_dead_runners_take_no_jobs():
    found = diagnose(Facts(3, [ready(1)], [HERE._replace(is_dead=True)]))
    assert [finding.code for finding in found] == ["runner-gone", "no-runner"]


@pytest.mark.parametrize(
    ("root", "code", "then"),
    [
        (S.PENDING_FAILED, "behind-pending-failed", "torc jobs resolve --all --workflow-id 3 --retry (or --fail)"),
        (S.DISABLED, "behind-disabled", "torc jobs reset-status 1 --reinit"),
        (S.UNINITIALIZED, "behind-uninitialized", "torc workflows reinit 3 && torc run 3"),
        (S.RUNNING, "behind-running", ""), (S.READY, "behind-ready", ""),
    ],
)  # fmt: skip
def test_blocked_jobs_are_walked_up_to_what_they_wait_for_in_the_end(root, code, then):
    jobs = [
        job(1, root, writes=[("file", 5)]), job(2, S.BLOCKED, reads=[("file", 5)], writes=[("data", 1)]),
        job(3, S.BLOCKED, reads=[("data", 1)]), job(4, S.BLOCKED, 3), job(5, S.COMPLETED, 1),
    ]  # fmt: skip
    found = {finding.code: finding for finding in diagnose(Facts(3, jobs, [HERE]))}
    assert (found[code].number, found[code].next, found[code].job_ids) == (3, then, (1,))
    assert "3 blocked jobs wait for job 'j1'" in found[code].message


def test_the_job_that_holds_up_most_is_named():
    jobs = [job(1, S.RUNNING), job(2, S.RUNNING), job(3, S.BLOCKED, 1), job(4, S.BLOCKED, 2), job(5, S.BLOCKED, 2)]
    [finding] = diagnose(Facts(3, jobs, [HERE]))
    assert finding.message == "3 blocked jobs wait for jobs like 'j2', that is running (2 of them for job 'j2')."


def test_failures_are_told_with_what_they_led_to():
    jobs = [job(1, S.FAILED), job(2, S.CANCELED, 1), job(3, S.CANCELED, 2), job(4, S.COMPLETED)]
    [finding] = diagnose(Facts(3, jobs))
    assert finding.message == "1 job failed or was terminated, like 'j1'; 2 jobs that wait for it were canceled."
    assert finding.next == "torc recover 3 --dry-run"


def test_missing_inputs_are_named():
    facts = Facts(3, [job(1, S.UNINITIALIZED)], missing_files=["a", "b", "c", "d"], missing_data=["seed"])
    messages = [finding.message for finding in diagnose(facts)]
    assert messages[1] == "4 input files are not there: a, b, c and 1 more."
    assert messages[2] == "1 user data record is without a value, and no job makes one: seed."


def test_many_to_many_files_are_walked_once():
    wide = 2000
    jobs = [job(id, S.RUNNING, writes=[("file", 1)]) for id in range(1, wide)]
    jobs += [job(wide + id, S.BLOCKED, reads=[("file", 1)]) for id in range(wide)]
    [finding] = diagnose(Facts(3, jobs, [HERE]))
    assert finding.number == wide


# the figures of the published report


def test_the_figures_compare_run_times_with_the_time_left():
    runners = [HERE._replace(seconds_left=s) for s in (600.0, 1800.0, 1200.0)]
    jobs = [ready(1, runtime_s=60), ready(2, runtime_s=1920), ready(3, runtime_s=1921), job(4, S.BLOCKED)]
    assert numbers(Facts(3, jobs, runners)) == {
        "active_allocations": 3, "allocations_with_walltime": 3, "allocations_unlimited": 0,
        "has_unlimited_allocation": False, "ready_jobs": 3, "ready_jobs_with_runtime": 3,
        "allocation_remaining": {"count": 3, "min_seconds": 600.0, "median_seconds": 1200.0, "max_seconds": 1800.0},
        "ready_job_runtime": {"count": 3, "min_seconds": 60.0, "median_seconds": 1920.0, "max_seconds": 1921.0},
        "runtime_blocked_jobs": 1, "allocations_too_short_for_longest": 3, "runtime_blocked": True,
    }  # fmt: skip


def test_a_runner_without_an_end_blocks_nothing_but_for_other_labels():
    long = ready(1, runtime_s=99_999)
    assert numbers(Facts(3, [long], [HERE]))["runtime_blocked"] is False
    labeled = ready(2, runtime_s=99_999, labels=frozenset({"big"}))
    short = RunnerFacts(2, "b", room(4, GIB, labels=["big"]), seconds_left=60.0)
    assert numbers(Facts(3, [long, labeled], [HERE, short]))["runtime_blocked_jobs"] == 1


def test_without_runners_there_is_nothing_to_compare():
    found = numbers(Facts(3, [ready(1)]))
    assert (found["active_allocations"], found["runtime_blocked"], "allocation_remaining" in found) == (0, False, False)
