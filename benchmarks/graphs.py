"""The same graph of jobs, written for torc, ninja, make and xargs. Every job leaves two log files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple


class Task(NamedTuple):
    """A job; ``after`` names the group all of which has to end first."""

    name: str
    group: str
    after: str = ""


class Graph(NamedTuple):
    """Jobs in groups; in one of files each job writes one and reads those of the group before it."""

    tasks: list[Task]
    has_files: bool = False

    @property
    def groups(self) -> dict[str, list[str]]:
        """Names of jobs by group."""
        groups: dict[str, list[str]] = {}
        for task in self.tasks:
            groups.setdefault(task.group, []).append(task.name)
        return groups


def independent(count: int) -> Graph:
    """Jobs that wait for nothing."""
    return Graph([Task(f"j{i}", "all") for i in range(count)])


def chain(count: int) -> Graph:
    """Jobs of which each waits for the one before."""
    return Graph([Task(f"j{i}", f"g{i}", f"g{i - 1}" if i else "") for i in range(count)])


def layers(count: int, width: int) -> Graph:
    """Layers of which each waits for all of the one before."""
    return Graph([Task(f"l{i}x{k}", f"l{i}", f"l{i - 1}" if i else "") for i in range(count) for k in range(width)])


def gather(count: int) -> Graph:
    """Jobs that write a file each, and one that reads them all."""
    return Graph([*(Task(f"w{i}", "parts") for i in range(count)), Task("sum", "whole", "parts")], has_files=True)


def write_spec(graph: Graph, folder: Path) -> None:
    """Write ``spec.yaml``: a job a line, a group that is waited for as a whole by a pattern."""
    groups = graph.groups
    lines = ["name: bench", "jobs:"]
    for task in graph.tasks:
        parts = [f"name: {task.name}", f'command: "{_command(graph, task)}"']
        before = groups.get(task.after, [])
        if graph.has_files:
            parts.append(f"output_files: [{task.name}]")
            if before:
                parts.append(f"input_files: [{', '.join(before)}]")
        elif len(before) == 1:
            parts.append(f"depends_on: [{before[0]}]")
        elif before:
            parts.append(f"depends_on_regexes: ['^{task.after}x']")
        lines.append(f"  - {{{', '.join(parts)}}}")
    if graph.has_files:
        lines.append("files:")
        lines += [f"  - {{name: {task.name}, path: {task.name}.dat}}" for task in graph.tasks]
    (folder / "spec.yaml").write_text("\n".join([*lines, ""]))


def write_ninja(graph: Graph, folder: Path) -> None:
    """Write ``build.ninja``; a group that is waited for as a whole is a phony target, ninja's cheapest way."""
    groups = graph.groups
    waited = {task.after for task in graph.tasks}
    end = ".dat" if graph.has_files else ".o"
    lines = ["rule true", "  command = true > $out 2> $log.e"]
    if graph.has_files:
        lines = [
            "rule write", "  command = echo x > $out 2> $log.e; : > $log.o",
            "rule read", "  command = cat $in > $out 2> $log.e; : > $log.o",
        ]  # fmt: skip
    for task in graph.tasks:
        rule = ("read" if task.after else "write") if graph.has_files else "true"
        before = [name + end for name in groups.get(task.after, [])]
        if len(before) > 1 and not graph.has_files:
            before = [task.after]
        lines += [f"build {task.name}{end}: {rule} {' '.join(before)}", f"  log = {task.name}"]
    if not graph.has_files:
        lines += [
            f"build {group}: phony {' '.join(name + end for name in names)}"
            for group, names in groups.items()
            if group in waited and len(names) > 1
        ]
    (folder / "build.ninja").write_text("\n".join([*lines, ""]))


def write_make(graph: Graph, folder: Path) -> None:
    """Write ``Makefile``."""
    groups = graph.groups
    end = ".dat" if graph.has_files else ".o"
    lines = ["all: " + " ".join(task.name + end for task in graph.tasks)]
    for task in graph.tasks:
        before = " ".join(name + end for name in groups.get(task.after, []))
        command = f"true > $@ 2> {task.name}.e"
        if graph.has_files:
            command = f"{'cat $^' if before else 'echo x'} > $@ 2> {task.name}.e; : > {task.name}.o"
        lines += [f"{task.name}{end}: {before}", f"\t@{command}"]
    (folder / "Makefile").write_text("\n".join([*lines, ""]))


def _command(graph: Graph, task: Task) -> str:
    if not graph.has_files:
        return "true"
    return f"cat w*.dat > {task.name}.dat" if task.after else f"echo x > {task.name}.dat"
