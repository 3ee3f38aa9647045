"""Random claims of random runners, against the rules in their most obvious form; and defects that this has to find."""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from torc_core.engine import graph as graph_module
from torc_core.engine import lanes as lanes_module
from torc_core.engine import ready as ready_module
from torc_core.engine import transitions
from torc_core.engine.build import JobColumns, build_graph
from torc_core.engine.lanes import Lane, Room
from torc_core.status import COMPLETED

SEQUENCES = int(os.environ.get("TORC_TEST_SEQUENCES", "200"))
GIB = 2**30
LABELS = st.sampled_from([frozenset(), frozenset("a"), frozenset("ab")])

LANES = st.builds(
    Lane,
    priority=st.integers(0, 2),
    gpus=st.integers(0, 2),
    runtime_s=st.sampled_from([60, 120]),
    memory_bytes=st.sampled_from([0, GIB, 3 * GIB]),
    cpus=st.integers(0, 4),
    nodes=st.sampled_from([1, 1, 1, 2]),
    scheduler=st.sampled_from([0, 0, 1, 2]),
    labels=LABELS,
)
ROOMS = st.fixed_dictionaries(
    {
        "cpus": st.integers(1, 6), "memory_bytes": st.sampled_from([GIB, 4 * GIB, 9 * GIB]), "gpus": st.integers(0, 3),
        "nodes": st.integers(1, 4), "time_s": st.sampled_from([60, 90, 600]), "scheduler": st.integers(0, 2),
        "labels": LABELS, "strict_scheduler": st.booleans(),
    }
)  # fmt: skip


def fits(jobs: list[Lane], room: Room) -> bool:
    """Whether jobs fit side by side: those for several machines take these whole, the others share what is left."""
    left = room.nodes - sum(job.nodes for job in jobs if job.nodes > 1)
    shared = [job for job in jobs if job.nodes == 1]
    return (
        left >= 0
        and sum(job.cpus for job in shared) <= left * room.cpus
        and sum(job.memory_bytes for job in shared) <= left * room.memory_bytes
        and sum(job.gpus for job in shared) <= left * room.gpus
    )


def admitted(job: Lane, room: Room, any_scheduler: bool) -> bool:
    """Whether a runner could ever take a job; amounts are those of one machine."""
    return (
        job.cpus <= room.cpus
        and job.memory_bytes <= room.memory_bytes
        and job.gpus <= room.gpus
        and job.nodes <= room.nodes
        and job.runtime_s <= room.time_s
        and (any_scheduler or job.scheduler == 0 or job.scheduler == room.scheduler)
        and (job.labels <= room.labels if room.labels else not job.labels)
        and bool(job.labels) == bool(room.labels)
    )


def expected(lanes: list[Lane], ready: set[int], limit: int, room: Room) -> list[int]:
    """Return what a claim gives, by looking at every job that is ready, one after the other."""
    candidates = [n for n in ready if admitted(lanes[n], room, any_scheduler=False)]
    if not candidates and not room.strict_scheduler:
        candidates = [n for n in ready if admitted(lanes[n], room, any_scheduler=True)]
    order = sorted(
        candidates,
        key=lambda n: (
            -lanes[n].priority, -lanes[n].gpus, -lanes[n].runtime_s, -lanes[n].memory_bytes, -lanes[n].cpus, n,
        ),
    )  # fmt: skip
    taken: list[int] = []
    for node in order:
        if len(taken) < limit and fits([lanes[n] for n in [*taken, node]], room):
            taken.append(node)
    return taken


def first(lanes: list[Lane], ready: set[int], limit: int, labels: frozenset[str]) -> list[int]:
    """Return what a claim without regard to needs gives."""
    fine = [
        n for n in ready if (lanes[n].labels <= labels if labels else True) and bool(lanes[n].labels) == bool(labels)
    ]
    return sorted(fine, key=lambda n: (-lanes[n].priority, n))[:limit]


def compare(data: st.DataObject) -> None:
    """Claim, release and complete at random until nothing is ready any more or the steps are used up."""
    kinds = data.draw(st.lists(LANES, min_size=1, max_size=4))
    kinds += [kind._replace(nodes=3 - kind.nodes, scheduler=0) for kind in kinds]  # equal ranks go by id
    lanes = data.draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=12))
    count = len(lanes)
    graph = build_graph(JobColumns(range(1, count + 1), bytes(count), lanes, bytes(count)))
    transitions.initialize(graph)
    ready, held = set(range(count)), set()
    for _ in range(data.draw(st.integers(1, 8))):
        limit = data.draw(st.integers(0, 5))
        if data.draw(st.booleans()):
            asked = data.draw(ROOMS)
            wanted = expected(lanes, ready, limit, Room(**asked))
            given_out = transitions.claim(graph, limit, Room(**asked)).claimed
        else:
            labels = data.draw(LABELS)
            wanted = first(lanes, ready, limit, labels)
            given_out = transitions.claim(graph, limit, None, labels).claimed
        assert given_out == wanted
        ready -= set(wanted)
        held |= set(wanted)
        back = data.draw(st.sets(st.sampled_from(sorted(held)))) if held else set()
        if data.draw(st.booleans()):
            transitions.release(graph, sorted(back))
            ready |= back
        else:
            transitions.complete(graph, [(node, COMPLETED) for node in sorted(back)])
        held -= back
        assert graph.ready_count == len(ready)


@given(st.data())
@settings(max_examples=SEQUENCES, deadline=None, suppress_health_check=list(HealthCheck))
def test_claims_give_what_the_obvious_rules_give(data: st.DataObject) -> None:
    compare(data)


DEFECTS = {
    "memory is not packed": (lanes_module, "if lane.memory_bytes:\n", "if False:\n"),
    "gpus are not packed": (lanes_module, "if lane.gpus:\n", "if False:\n"),
    "jobs for several machines do not count": (lanes_module, "_nodes_used += lane.nodes * count", "_nodes_used += 0"),
    "labels are offers that nobody has to need": (lanes_module, "bool(wanted) == bool(offered) and wanted", "wanted"),
    "a long job goes to a runner whose time is nearly over": (
        lanes_module, "lane.runtime_s <= self.time_s", "lane.runtime_s <= 2 * self.time_s",
    ),
    "another scheduler's jobs are taken at once": (ready_module, "any_scheduler=False", "any_scheduler=True"),
    "a strict match is not": (ready_module, "if first is None and not room.strict_scheduler:", "if first is None:"),
    "equal jobs go by lane, not by id": (
        ready_module, "numbers[0] if alone else min(numbers, key=self._head)", "numbers[0]",
    ),
    "what does not fit keeps out what would": (
        ready_module, "if not count or not self._counts[lane]:", "if not count:\n                    return taken\n"
        "                if not self._counts[lane]:",
    ),
    "the limit is that of each kind of job": (
        ready_module, "min(limit - len(taken) if alone else 1", "min(limit if alone else 1",
    ),
}  # fmt: skip


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_comparison_finds(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, right, wrong = DEFECTS[defect]
    plant(module, right, wrong, monkeypatch)
    with pytest.raises((AssertionError, IndexError)):
        search()


@pytest.mark.parametrize("module", [lanes_module, ready_module], ids=lambda module: module.__name__)
def test_it_finds_nothing_where_nothing_was_planted(module: object, monkeypatch: pytest.MonkeyPatch) -> None:
    plant(module, "", "", monkeypatch)
    search()


def plant(module, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module with a defect in the place of the right one."""
    with open(module.__file__, encoding="utf-8") as file:
        source = file.read()
    assert not right or source.count(right) == 1, "the defect no longer fits the source"
    changed: dict[str, object] = {"__name__": module.__name__}
    exec(compile(source.replace(right, wrong) if right else source, module.__file__, "exec"), changed)
    if module is lanes_module:
        for method in ("copies", "occupy", "admits"):
            monkeypatch.setattr(Room, method, getattr(changed["Room"], method))
        monkeypatch.setattr(ready_module, "are_offered", changed["are_offered"])
    else:
        monkeypatch.setattr(graph_module, "ReadyQueue", changed["ReadyQueue"])


@given(st.data())
@settings(
    max_examples=2000, deadline=None, derandomize=True, database=None, phases=[Phase.generate],
    suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
)  # fmt: skip
def search(data: st.DataObject) -> None:
    compare(data)
