"""When ``torc watch --auto-schedule`` asks for nodes: a table of moments, with a service that says what it is told."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from torc_core.cli.auto_scheduling import AutoSchedule, Rules
from torc_core.records.answers import StatusSummary
from torc_core.records.resources import Job, Result
from torc_core.status import JobStatus


class Service:
    """Has ready jobs, some of which were tried before, and results by their codes."""

    def __init__(self):
        self.jobs, self.codes = [], []

    def find(self, kind, workflow_id, limit, sort_by, reverse_sort, all_runs):
        assert (kind, workflow_id, sort_by, reverse_sort, all_runs) == (Result, 1, "id", True, True)
        newest = [SimpleNamespace(id=place + 1, return_code=code) for place, code in enumerate(self.codes)][::-1]
        return SimpleNamespace(items=newest[:limit])

    def each(self, kind, workflow_id, status, origin_is_set=False):
        assert (kind, workflow_id, status) == (Job, 1, JobStatus.READY)
        return [job for job in self.jobs if job.origin or not origin_is_set]


def job(id, origin=None, labels=None):
    return Job(id=id, workflow_id=1, name="j", command="true", origin=origin, labels=labels)


class Watch:
    """An ``AutoSchedule`` with the default rules; notes for how many jobs nodes were asked for."""

    def __init__(self, **rules):
        self.service, self.asked, self.said = Service(), [], []
        self.answer = True
        named = {f"auto_schedule_{name}": value for name, value in rules.items()}
        self.auto = AutoSchedule(self.service, 1, Rules(**named), self._ask, lambda level, text: self.said.append(text))

    def _ask(self, count):
        self.asked.append(count)
        return self.answer

    def look(self, now, *, retried=(), new=0, labeled=0, workers=0, pending=0, **more):
        """``retried`` are the ids of jobs that wait to run again, or how many there are."""
        retried = range(1, retried + 1) if isinstance(retried, int) else retried
        self.service.jobs = [job(id, "retry") for id in retried] + [job(100 + n) for n in range(new)]
        self.service.jobs += [job(200 + n, "retry", ["gpu"]) for n in range(labeled)]
        counts = dict.fromkeys((status.value for status in JobStatus), 0) | {"ready": len(self.service.jobs)}
        before = len(self.asked)
        self.auto.look(
            StatusSummary.of(
                {
                    "workflow_id": 1, "jobs_by_status": counts, "is_complete": False, "is_canceled": False,
                    "is_archived": False, "active_compute_nodes": workers, "pending_scheduled_nodes": pending,
                    "active_scheduled_nodes": 0, **more,
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


def test_it_is_one_job_that_has_to_wait_so_long_not_one_or_another():
    watch = Watch()
    watch.look(0, retried=[1], workers=1)
    assert watch.look(7200, retried=[2], workers=1) == []
    assert watch.look(7200 + 7199, retried=[2, 3], workers=1) == []
    assert watch.look(7200 + 7200, retried=[2, 3], workers=1) == [2]


def test_without_a_limit_one_waits_for_ever():
    watch = Watch(stranded_timeout=0)
    watch.look(0, retried=1, workers=1)
    assert watch.look(10**6, retried=1, workers=1) == []


def test_after_a_request_there_is_none_for_half_an_hour():
    watch = Watch()
    assert watch.look(0, retried=5, workers=1) == [5]
    assert watch.look(1799, retried=9, workers=2) == []
    assert watch.look(1800, retried=9, workers=2) == [9]


def test_a_refused_request_is_repeated_after_a_minute_then_two_then_four_up_to_the_cool_down():
    watch = Watch(cooldown=200)
    watch.answer = False
    assert watch.look(0, new=1) == [1]
    assert watch.said[-1] == "Asked again in 60 s"
    for last, due in ((0, 60), (60, 180), (180, 380), (380, 580)):
        assert watch.look(due - 1, new=1) == [], last
        assert watch.look(due, new=1) == [1]


def test_when_nobody_works_any_ready_job_is_reason_enough():
    watch = Watch()
    assert watch.look(0, new=1) == [1]
    assert watch.said == ["1 job waits for a runner, and there is none"]


def test_nodes_on_which_nothing_ends_are_not_asked_for_again_and_again():
    watch = Watch()
    assert watch.look(0, new=3) == [3]
    assert watch.look(60, new=3) == []
    watch.service.codes = [-128, -128]
    assert watch.look(120, new=3) == [], "what was lost with its runner has not ended"
    assert watch.look(1800, new=3) == [3]


@pytest.mark.parametrize("code", [0, 1])
def test_what_has_ended_since_is_progress_whatever_became_of_it(code):
    """A recovery makes what had failed ready again, so there may be no more ended jobs than before."""
    watch = Watch()
    watch.service.codes = [0]
    assert watch.look(0, new=1) == [1]
    watch.service.codes += [code, -128]
    assert watch.look(60, new=1) == [1]
    assert watch.look(120, new=1) == []


def test_jobs_with_labels_are_left_out():
    watch = Watch()
    assert watch.look(0, labeled=9) == []
    assert watch.look(0, labeled=9, retried=4, workers=1) == []


@pytest.mark.parametrize("state", ["is_complete", "is_canceled", "is_archived"])
def test_nothing_is_asked_for_where_nothing_would_run(state):
    assert Watch().look(0, retried=9, **{state: True}) == []
