"""Defects are planted in the engine, one at a time; the comparison with the model has to find each."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.unit.engine.test_engine_agrees_with_model import EngineAndModel
from torc_core.engine import build, transitions
from torc_core.engine import graph as graph_module
from torc_core.engine import ready as ready_module

DEFECTS = {
    "a failed dependency counts as a good one": (
        transitions,
        "is_bad = IS_BAD[status[node]]\n"
        "        for dependent in dependents[first[node] : last[node]]:\n            left",
        "is_bad = status[node] == CANCELED\n"
        "        for dependent in dependents[first[node] : last[node]]:\n            left",
    ),
    "cancellation stops after one level": (
        transitions,
        "                canceled.append(dependent)\n                queue.append(dependent)",
        "                canceled.append(dependent)",
    ),
    "the cancel flag is not asked": (
        transitions,
        "elif bad[dependent] and flags[dependent] & CANCEL_ON_FAILURE:\n"
        "                status[dependent] = CANCELED\n                canceled",
        "elif bad[dependent]:\n                status[dependent] = CANCELED\n                canceled",
    ),
    "a job becomes ready when its first dependency has ended": (
        transitions,
        "if left or status[dependent] != BLOCKED:",
        "if status[dependent] != BLOCKED:",
    ),
    "a canceled workflow still hands out jobs": (transitions, "if graph.canceled or limit <= 0:", "if limit <= 0:"),
    "canceled jobs are not counted as over": (
        transitions,
        "graph.unfinished -= len(changes.canceled)",
        "graph.unfinished -= 0",
    ),
    "a retry leaves what became ready because of the failure": (
        transitions,
        "    if IS_COMPLETE[before]:\n        _take_back(graph, node, before, changes)\n    if until is None",
        "    if until is None",
    ),
    "a job that is ready twice is given twice": (
        ready_module,
        "while heap and heap[0] == node:",
        "while heap and heap[0] == -1:",
    ),
    "a reset goes through jobs that run": (
        transitions,
        "_STAYING = (DISABLED, PENDING, RUNNING)",
        "_STAYING = (DISABLED,)",
    ),
    "a job that waits for a moment is free when its dependencies have ended": (
        graph_module,
        "if node not in self.held:\n            self.remaining[node] += 1",
        "if node in self.held:\n            self.remaining[node] += 1",
    ),
    "a moment that has come frees a job that waits for others": (
        transitions,
        "in graph.take_due(now):\n        if not graph.remaining[node]:",
        "in graph.take_due(now):\n        if True:",
    ),
    "a job that was set to another status still waits for its moment": (
        transitions,
        "    graph.let_go(node)\n    graph.status[node] = status\n",
        "    graph.status[node] = status\n",
    ),
    "a gate keeps its end when the counts are made anew": (
        graph_module,
        "        for node in self._gates:\n            status[node] = BLOCKED\n",
        "",
    ),
}


class Searching(EngineAndModel):
    """The same comparison, searched with a fixed seed."""


@pytest.mark.parametrize("defect", DEFECTS)
def test_the_comparison_finds(defect: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module, right, wrong = DEFECTS[defect]
    plant(module, right, wrong, monkeypatch)
    with pytest.raises((AssertionError, IndexError, KeyError, ValueError)):
        search(3000)


@pytest.mark.parametrize("module", [transitions, ready_module, graph_module], ids=lambda module: module.__name__)
def test_it_finds_nothing_where_nothing_was_planted(module: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    first = source_of(module).splitlines()[0]
    plant(module, first, first, monkeypatch)
    search(200)


def source_of(module: ModuleType) -> str:
    return Path(str(module.__file__)).read_text(encoding="utf-8")


def plant(module: ModuleType, right: str, wrong: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a module with a defect in the place of the right one."""
    source = source_of(module)
    assert source.count(right) == 1, "the defect no longer fits the source"
    changed: dict[str, Any] = {"__name__": module.__name__}
    exec(compile(source.replace(right, wrong), str(module.__file__), "exec"), changed)
    for name, value in changed.items():
        if callable(value) and getattr(value, "__module__", "") == module.__name__ and name in vars(module):
            monkeypatch.setattr(module, name, value)
    if module is ready_module:
        monkeypatch.setattr(graph_module, "ReadyQueue", changed["ReadyQueue"])
    if module is graph_module:
        monkeypatch.setattr(build, "WorkflowGraph", changed["WorkflowGraph"])


def search(sequences: int) -> None:
    quick = settings(
        max_examples=sequences, stateful_step_count=30, deadline=None, derandomize=True, database=None,
        phases=[Phase.generate], suppress_health_check=list(HealthCheck), print_blob=False, report_multiple_bugs=False,
    )  # fmt: skip
    run_state_machine_as_test(Searching, settings=quick)
