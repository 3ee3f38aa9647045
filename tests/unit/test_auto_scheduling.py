"""When ``torc watch --auto-schedule`` asks for nodes: a table of moments, with a service that says what it is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from torc_core.cli.auto_scheduling import AutoSchedule, Rules
from torc_core.records.answers import StatusSummary
from torc_core.records.resources import Job
from torc_core.status import JobStatus


class Service:
    """Has ready jobs, some of which were tried before."""

    def __init__(self):
        self.jobs = []

    def each(self, kind, workflow_id, status, origin_is_set=False):
        assert (kind, workflow_id, status) == (Job, 1, JobStatus.READY)
        return [job for job in self.jobs if job.origin or not origin_is_set]


def job(origin=None, labels=None):
    return Job(id=1, workflow_id=1, name="j", command="true", origin=origin, labels=labels)


class Watch:
    """An ``AutoSchedule`` with the default rules; notes for how many jobs nodes were asked for."""

    def __init__(self, **rules):
        self.service, self.asked, self.said = Service(), [], []
        self.answer = True
        self.auto = AutoSchedule(self.service, 1, Rules(**rules), self._ask, self.said.append)

    def _ask(self, count):
        self.asked.append(count)
        return self.answer

    def look(self, now, *, retried=0, new=0, labeled=0, workers=0, ended=0, pending=0, canceled=False):
        self.service.jobs = [job("retry")] * retried + [job()] * new + [job("retry", ["gpu"])] * labeled
        counts = dict.fromkeys((status.value for status in JobStatus), 0)
        counts |= {"ready": retried + new + labeled, "completed": ended}
        before = len(self.asked)
        self.auto.look(
            StatusSummary.of(
                {
                    "workflow_id": 1, "jobs_by_status": counts, "is_complete": False, "is_canceled": canceled,
                    "active_compute_nodes": workers, "pending_scheduled_nodes": pending, "active_scheduled_nodes": 0,
                }
            ),
            now,
        )  # fmt: skip
        return self.asked[before:]


def test_beside_runners_five_retries_are_reason_enough_and_four_are_not():
    watch = Watch()
    assert watch.look(0, retried=4, workers=1) == []
    assert watch.look(60, retried=5, workers=1) == [5]
    assert watch.said == ["5 jobs wait to run again"]


def test_jobs_that_were_not_tried_yet_are_the_business_of_those_who_run():
    assert Watch().look(0, new=100, workers=1) == []


def test_an_allocation_in_the_queue_counts_as_a_runner():
    assert Watch().look(0, new=100, pending=1) == []


def test_one_that_waits_for_two_hours_is_not_left_alone():
    watch = Watch()
    assert watch.look(0, retried=1, workers=1) == []
    assert watch.look(7199, retried=1, workers=1) == []
    assert watch.look(7200, retried=1, workers=1) == [1]


def test_who_was_taken_meanwhile_has_not_waited():
    watch = Watch()
    watch.look(0, retried=1, workers=1)
    watch.look(7000, workers=1)
    assert watch.look(7200, retried=1, workers=1) == []
    assert watch.look(7200 + 7200, retried=1, workers=1) == [1]


def test_without_a_limit_one_waits_for_ever():
    watch = Watch(stranded_timeout=0)
    watch.look(0, retried=1, workers=1)
    assert watch.look(10**6, retried=1, workers=1) == []


def test_after_a_request_there_is_none_for_half_an_hour():
    watch = Watch()
    assert watch.look(0, retried=5, workers=1) == [5]
    assert watch.look(1799, retried=9, workers=2) == []
    assert watch.look(1800, retried=9, workers=2) == [9]


def test_a_refused_request_is_not_repeated_at_every_look():
    watch = Watch()
    watch.answer = False
    assert watch.look(0, retried=5, workers=1) == [5]
    assert watch.look(60, retried=5, workers=1) == []


def test_when_nobody_works_any_ready_job_is_reason_enough():
    watch = Watch()
    assert watch.look(0, new=1) == [1]
    assert watch.said == ["1 job waits for a runner, and there is none"]


def test_nodes_on_which_nothing_ends_are_not_asked_for_again_and_again():
    watch = Watch()
    assert watch.look(0, new=3) == [3]
    assert watch.look(60, new=3) == []
    assert watch.look(120, new=2, ended=1) == [2]
    assert watch.look(180, new=2, ended=1) == []
    assert watch.look(120 + 1800, new=2, ended=1) == [2]


def test_jobs_with_labels_are_left_out():
    watch = Watch()
    assert watch.look(0, labeled=9) == []
    assert watch.look(0, labeled=9, retried=4, workers=1) == []


@pytest.mark.parametrize("more", [{"canceled": True}, {"ended": 5}])
def test_nothing_is_asked_for_where_nothing_waits(more):
    assert Watch().look(0, retried=9 if "canceled" in more else 0, **more) == []


def test_without_the_option_there_is_none():
    given = dict.fromkeys(("scheduler", "scheduler_type", "num_allocations", "max_parallel_jobs"))
    given |= {"start_one_worker_per_node": False, "auto_schedule": False}
    given |= {f"auto_schedule_{name}": 1 for name in Rules._fields} | {"output_dir": "kept"}
    assert AutoSchedule.of(SimpleNamespace(), 1, given, None, print) is None
    assert given == {"output_dir": "kept"}
