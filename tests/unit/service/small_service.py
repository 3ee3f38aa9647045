"""A service in memory with just enough in it to try connections: workflows, jobs, changes and a counter."""

import threading

from torc_core.errors import NotFound
from torc_core.operations import Operation
from torc_core.records import answers as a
from torc_core.records.record import MAX_LIMIT, Page
from torc_core.records.resources import Workflow
from torc_core.service.api import Service


class SmallService(Service):
    def __init__(self, name="small"):
        self.name = name
        self.records = {}
        self.asked = []
        self.count = 0
        self.version = 1
        self.moved = threading.Condition()
        self.closed = 0
        self.abandoned = False

    def perform(self, op: Operation, arguments):
        self.asked.append((op.name, arguments))
        return super().perform(op, arguments)

    def ping(self):
        return a.Ping(status=self.name)

    def create(self, record):
        kept = self.records.setdefault(type(record), {})
        with self.moved:
            made = record.changed(id=len(kept) + 1)
            kept[made.id] = made
        return made

    def get(self, kind, id):
        if id not in self.records.get(kind, {}):
            raise NotFound(f"there is no {kind.SINGULAR} {id}", hint="See what there is", id=id)
        return self.records[kind][id]

    def find(self, kind, workflow_id=None, offset=0, limit=MAX_LIMIT, sort_by=None, reverse_sort=False, **filters):
        self.asked.append(("find", (workflow_id, offset, limit, sort_by, reverse_sort, filters)))
        found = list(self.records.get(kind, {}).values())
        return Page(found[offset : offset + limit], len(found), offset, limit)

    def update(self, kind, id, changes):
        self.asked.append(("update", changes))
        self.records[kind][id] = self.get(kind, id).changed(**changes)
        return self.records[kind][id]

    def delete(self, kind, id):
        return self.records[kind].pop(id)

    def delete_all(self, kind, workflow_id):
        gone = self.records.pop(kind, {})
        return a.Deleted(count=len(gone))

    def cancel_workflow(self, id):
        with self.moved:
            self.count += 1
            self.version += 1
            self.moved.notify_all()
        return Workflow(id=id, name=f"canceled {self.count} times", user="me")

    def wait_for_change(self, id, version=0, wait_seconds=0.0):
        with self.moved:
            self.moved.wait_for(lambda: self.version != version or self.closed, wait_seconds)
            return a.Change(version=self.version)

    def abandon(self):
        self.abandoned = True

    def close(self):
        with self.moved:
            self.closed += 1
            self.moved.notify_all()
