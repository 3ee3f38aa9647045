"""Batch systems for tests: what they know is told to them, what they are asked to end is kept."""

from typing import ClassVar

from torc_core.contracts.executor import Capabilities, Executor, Handle, Observation
from torc_core.plugins import PluginHost
from torc_core.problems import Problem


class Queue(Executor):
    """Knows handles in a state: queued, running, done, or elsewhere, of which it says nothing; all others are lost."""

    capabilities = Capabilities(allocates=True)
    states: ClassVar[dict] = {}
    canceled: ClassVar[list] = []

    def render(self, request):
        return request.command

    def submit(self, requests):
        made = [f"{700 + len(self.states) + place}:x" for place in range(len(requests))]
        self.states.update(dict.fromkeys(made, "queued"))
        return [Handle(self.name, id) for id in made]

    def poll(self, handles):
        known = {handle: self.states.get(handle.id, "lost") for handle in handles}
        return {handle: Observation(state) for handle, state in known.items() if state != "elsewhere"}

    def cancel(self, handles, grace_seconds):
        self.canceled.extend((self.name, handle.id, grace_seconds) for handle in handles)

    def close(self):
        pass


class Unusable(Queue):
    def check(self):
        return [Problem("no-program", "there is no qdel here", hint="Install it")]


class Deaf(Queue):
    def poll(self, handles):
        raise OSError("the daemon does not answer")


class Stubborn(Queue):
    def cancel(self, handles, grace_seconds):
        raise RuntimeError("you are not the owner")


def offer_queues(monkeypatch):
    """Have executors slurm, lsf, unusable, deaf and stubborn beside, or instead of, the real ones; returns Queue."""
    kinds = {"slurm": Queue, "lsf": Queue, "unusable": Unusable, "deaf": Deaf, "stubborn": Stubborn}
    made = {name: type(name.title(), (kind,), {"name": name}) for name, kind in kinds.items()}
    real = PluginHost.executor
    monkeypatch.setattr(PluginHost, "executor", lambda self, name: made[name] if name in made else real(self, name))
    monkeypatch.setattr(Queue, "states", {})
    monkeypatch.setattr(Queue, "canceled", [])
    return Queue
