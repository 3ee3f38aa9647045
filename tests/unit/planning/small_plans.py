"""Plans in a few words for the tests of planning."""

from torc_core.planning.needs import Capacity
from torc_core.planning.play import play
from torc_core.spec.plan import Plan, PlannedData, PlannedFile, PlannedJob
from torc_plugins.executors.dry_run import DryRunExecutor

MINUTE = 60
GIB = 2**30


class Sketch:
    """A plan that grows job by job; jobs are named when they are referred to."""

    def __init__(self):
        self.plan = Plan()
        self.plan.workflow = {"name": "sketch"}
        self._position = {}

    def job(self, name, minutes=1, cpus=1, gib=0, gpus=0, nodes=1, after=(), template=None, **more):
        needs = {
            "name": f"for_{name}", "num_cpus": cpus, "memory": f"{gib}g", "num_gpus": gpus, "num_nodes": nodes,
            "runtime": f"PT{minutes}M",
        }  # fmt: skip
        self.plan.requirements.append(needs)
        return self.bare(name, after, template, requirements=len(self.plan.requirements) - 1, **more)

    def bare(self, name, after=(), template=None, **more):
        job = PlannedJob(name, f"run {name}", ("jobs", template) if template is not None else (), **more)
        job.depends_on = tuple(sorted(self._position[other] for other in after))
        self._position[name] = len(self.plan.jobs)
        self.plan.jobs.append(job)
        return self

    def files(self, count):
        self.plan.files = [PlannedFile(f"f{i}", f"f{i}.txt") for i in range(count)]
        return self

    def data(self, count):
        self.plan.data = [PlannedData(f"d{i}", None, False) for i in range(count)]
        return self

    def positions(self, *names):
        return [self._position[name] for name in names]


def machine(cpus=1, gib=1024, gpus=0, **more):
    return Capacity(cpus, gib * GIB, tuple(str(i) for i in range(gpus)), **more)


def run(sketch, capacity, executor=None):
    return play(sketch.plan, capacity, executor or DryRunExecutor())


def minutes(schedule):
    """Return start and end of each job, in minutes."""
    return {entry.name: (entry.start_s / MINUTE, entry.end_s / MINUTE) for entry in schedule.entries}


def never(schedule):
    """Return the names of the jobs that never start, by reason."""
    return {group.reason: group.names for group in schedule.unstarted}
