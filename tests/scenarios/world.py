"""Where a scenario happens: a folder with a database of its own, or a server; the commands are the same everywhere."""

import json
import sys

from tests.cli.programs import Folder, Started

SETTINGS = ("embedded", "server", "PostgreSQL server")
TORC = f"{sys.executable} -m torc_core.cli"
"""For jobs that are clients themselves."""


class World(Folder):
    """A working folder; what is asked for goes to the database or the server of the setting."""

    def __init__(self, path, capture, env, start):
        super().__init__(path, capture)
        self.env = env
        self._start = start

    def make(self, jobs, **sections):
        """Store a workflow; returns its id. ``jobs`` are fields by name, or just commands."""
        listed = [{"name": name, **({"command": job} if isinstance(job, str) else job)} for name, job in jobs.items()]
        spec = {"name": "scenario", "jobs": listed, **sections}
        return self.json("create", self.write("spec.json", json.dumps(spec)))["workflow_id"]

    def run(self, id, *words, code=0):
        """Run to the end, with any number of jobs at a time."""
        return self("run", id, "-j", "8", "-p", "1", *words, code=code)

    def start(self, *words):
        """Start a program that goes on beside the test."""
        return self._start(self.path, *map(str, words), **self.env)

    def statuses(self, id):
        return {job["name"]: job["status"] for job in self.items("jobs", "list", id)}

    def ids(self, id):
        return {job["name"]: job["id"] for job in self.items("jobs", "list", id)}

    def results(self, id):
        """Return (run, attempt, return code) of every attempt, by job."""
        names = {number: name for name, number in self.ids(id).items()}
        found = {}
        for r in self.items("results", "list", id, "--all-runs"):
            found.setdefault(names[r["job_id"]], []).append((r["run_id"], r["attempt_id"], r["return_code"]))
        return {name: sorted(ends) for name, ends in found.items()}

    def ends(self, id):
        """Return (return code, status, reason) of the latest attempt, by job."""
        names = {number: name for name, number in self.ids(id).items()}
        listed = self.items("results", "list", id)
        return {names[r["job_id"]]: (r["return_code"], r["status"], r.get("reason")) for r in listed}

    def events(self, id, *types):
        """Return the data of the events of these types (or categories), in order."""
        found = [event["data"] for event in self.items("events", "list", id)]
        return [data for data in found if data.get("event_type", data.get("category")) in types]

    def text(self, name):
        return (self.path / name).read_text()

    def lines(self, name):
        file = self.path / name
        return file.read_text().splitlines() if file.exists() else []


__all__ = ["SETTINGS", "TORC", "Started", "World"]
