"""A service in memory, as simple as can be, with what runners need of it."""

from __future__ import annotations

import itertools
import time

from torc_core.errors import Invalid
from torc_core.records.answers import Change, JobIds, JobLaunch, StatusSummary, TickAnswer
from torc_core.records.record import Page
from torc_core.records.resources import ComputeNode, Job, ResourceRequirements, Workflow
from torc_core.service.api import Service
from torc_core.status import JobStatus


class FakeService(Service):
    """Jobs are given as dictionaries: fields of JobLaunch, and ``after``: names of the jobs they wait for."""

    def __init__(self, jobs, **workflow):
        self.workflow = Workflow(
            **{"id": 1, "name": "w", "run_id": 1, "timestamp": "2026-01-01T00:00:00.000Z", **workflow}
        )
        self.launches = {}
        self.after = {}
        self.status = {}
        self.holder = {}
        self.attempt = {}
        self.results = {}  # by job and attempt, as reported
        self.nodes = {}
        self.ticks = []
        self.adopted = []
        self.failing = []  # errors for the next ticks, one each
        self.listeners = []
        self.version = 0
        self.is_canceled = False
        self.waiting = {}  # jobs that wait for a moment
        ids = {job["name"]: i for i, job in enumerate(jobs, 1)}
        for job in jobs:
            id = ids[job["name"]]
            fields = {name: value for name, value in job.items() if name not in {"after", "labels"}}
            self.launches[id] = JobLaunch.of({"id": id, "attempt_id": 1, **fields})
            self.after[id] = [ids[name] for name in job.get("after", ())]
            self.attempt[id] = 1
            self.status[id] = "blocked" if self.after[id] else "ready"
        self.ready = [id for id, status in self.status.items() if status == "ready"]
        self.dependents = {id: [other for other in self.after if id in self.after[other]] for id in self.after}
        self.unfinished = len(self.status)
        self._ids = itertools.count(11)

    # what tests ask

    def named(self, name):
        return next(id for id, launch in self.launches.items() if launch.name == name)

    def result(self, name, attempt=1):
        return self.results[self.named(name), attempt]

    # what runners call

    def get(self, kind, id):
        assert kind is Workflow
        assert id == 1
        return self.workflow

    def create(self, record):
        assert isinstance(record, ComputeNode)
        node = record.changed(id=next(self._ids))
        self.nodes[node.id] = node
        return node

    def update(self, kind, id, changes):
        self.nodes[id] = self.nodes[id].changed(**changes)
        return self.nodes[id]

    def find(self, kind, workflow_id=None, offset=0, limit=100_000, sort_by=None, reverse_sort=False, **filters):
        if kind is ResourceRequirements:
            items = [
                ResourceRequirements(
                    id=id, workflow_id=1, name=job.requirements_name, num_cpus=job.num_cpus, num_gpus=job.num_gpus,
                    num_nodes=job.num_nodes, memory=str(job.memory_bytes), runtime=f"PT{job.runtime_seconds}S",
                )
                for id, job in self.launches.items()
            ]  # fmt: skip
        elif kind is ComputeNode:
            assert filters == {"is_active": True}
            items = [node for node in self.nodes.values() if node.is_active]
        else:
            assert kind is Job
            assert filters == {"status": JobStatus.READY}
            items = [
                Job(id=id, workflow_id=1, name=job.name, command="", resource_requirements_id=id)
                for id, job in self.launches.items()
                if self.status[id] == "ready"
            ]
        return Page(items[offset : offset + limit], len(items), offset, limit)

    def get_workflow_status(self, id):
        active = sum(bool(node.is_active) for node in self.nodes.values())
        counts = {status.value: list(self.status.values()).count(status.value) for status in JobStatus}
        return StatusSummary(
            workflow_id=id, workflow_name="w", workflow_user="", run_id=1, total_jobs=len(self.status),
            jobs_by_status=counts, total_exec_time_minutes=0.0, active_compute_nodes=active,
            is_complete=not self.unfinished or self.is_canceled, is_canceled=self.is_canceled,
        )  # fmt: skip

    def on_change(self, workflow_id, notify):
        self.listeners.append(notify)
        return lambda: self.listeners.remove(notify)

    def wait_for_change(self, id, version=0, wait_seconds=0.0):
        return Change(version=self.version)

    def adopt_orphans(self, id, compute_node_ids, fail=False):
        self.adopted += compute_node_ids
        for id in compute_node_ids:
            if id in self.nodes:
                self.nodes[id] = self.nodes[id].changed(is_active=False)
        mine = [job for job, node in self.holder.items() if node in compute_node_ids]
        for job in mine:
            self._free(job)
        self._changed()
        return JobIds(job_ids=mine, count=len(mine))

    def tick(self, id, turn):
        self.ticks.append(turn)
        if self.failing:
            error = self.failing.pop(0)
            if error is not None:
                raise error
        if turn.run_id != self.workflow.run_id:
            raise Invalid(f"run id {turn.run_id} is not the present one")
        node, lost, refused = turn.compute_node_id, [], []
        for job_id in [id for id, at in self.waiting.items() if at <= time.monotonic()]:
            del self.waiting[job_id]
            self.ready.append(job_id)
        lost += [held.job_id for held in turn.held or () if self.holder.get(held.job_id) != node]
        for start in turn.started or ():
            if self.holder.get(start.job_id) == node:
                self.status[start.job_id] = "running"
            else:
                lost.append(start.job_id)
        for end in turn.finished or ():
            self._finish(end, node, lost, refused)
        for job_id in turn.released or ():
            assert self.holder[job_id] == node
            self._free(job_id)
        given = []
        if turn.resend:
            given += [job for job, who in self.holder.items() if who == node and self.status[job] == "pending"]
        if not self.is_canceled and turn.limit and not lost:
            given += self._claim(turn.limit, turn.room, node)
        if turn.started or turn.finished or turn.released or given:
            self._changed()
        return TickAnswer.of(
            {
                "jobs": [self.launches[i].changed(attempt_id=self.attempt[i]) for i in given],
                "refused": refused,
                "lost": lost,
                "is_complete": not self.unfinished or self.is_canceled,
                "is_canceled": self.is_canceled,
                "ready_count": len(self.ready),
                "unfinished_count": self.unfinished,
                "ready_in_seconds": max(0.0, min(self.waiting.values()) - time.monotonic()) if self.waiting else None,
                "version": self.version,
            }
        )

    # what others do

    def cancel(self):
        self.is_canceled = True
        self.ready.clear()
        for job_id in self.holder:
            self.status[job_id] = "canceled"
        self._changed()

    def take_away(self, name):
        self.holder.pop(self.named(name))
        self._changed()

    def _changed(self):
        self.version += 1
        for notify in list(self.listeners):
            notify()

    def _free(self, job_id):
        self.holder.pop(job_id)
        self.status[job_id] = "ready"
        self.ready.append(job_id)

    def _finish(self, end, node, lost, refused):
        job_id = end.job_id
        if (job_id, end.attempt_id) in self.results:
            return
        if self.holder.get(job_id) != node or end.attempt_id != self.attempt[job_id]:
            lost.append(job_id)
            refused.append({"job_id": job_id, "attempt_id": end.attempt_id, "message": f"job {job_id} is not yours"})
            return
        self.results[job_id, end.attempt_id] = end
        if end.again:
            self.attempt[job_id] += 1
            self._free(job_id)
            if end.retry_delay_seconds:
                self.ready.remove(job_id)
                self.waiting[job_id] = time.monotonic() + end.retry_delay_seconds
            return
        del self.holder[job_id]
        self.status[job_id] = str(end.status)
        if self.status[job_id] == "pending_failed":
            return
        self.unfinished -= 1
        for other in self.dependents[job_id]:
            if self.status[other] == "blocked" and all(self.status[i] not in _OPEN for i in self.after[other]):
                self.status[other] = "ready"
                self.ready.append(other)

    def _claim(self, limit, room, node):
        given, left = [], list(self.ready)
        if room is not None:
            cpus, memory, gpus = (
                int(each * room.num_nodes) for each in (room.num_cpus, room.memory_gb * 2**30, room.num_gpus)
            )
            left = []
            for job_id in self.ready:
                job = self.launches[job_id]
                fits_node = job.num_cpus <= room.num_cpus and job.memory_bytes <= room.memory_gb * 2**30
                fits_node = fits_node and job.num_gpus <= room.num_gpus and job.num_nodes <= room.num_nodes
                if fits_node and job.num_cpus <= cpus and job.memory_bytes <= memory and job.num_gpus <= gpus:
                    left.append(job_id)
                    cpus, memory, gpus = cpus - job.num_cpus, memory - job.memory_bytes, gpus - job.num_gpus
        given = left[:limit]
        gone = set(given)
        self.ready = [job_id for job_id in self.ready if job_id not in gone]
        for job_id in given:
            self.status[job_id] = "pending"
            self.holder[job_id] = node
        return given


_OPEN = {"blocked", "ready", "pending", "running", "pending_failed"}
