"""The same graph of jobs, written for torc, ninja, make and xargs. Every job leaves two log files."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

_PART = "part.txt"


class Task(NamedTuple):
    """A job; ``after`` names the group all of which has to end first."""

    name: str
    group: str
    after: str = ""


class Graph(NamedTuple):
    """Jobs in groups, and what they do.

    ``nothing``: the program ``true``. ``files``: a program writes a file, or reads those of the group before and writes
    one. ``shell``: the same in the words of a shell.
    """

    tasks: list[Task]
    work: str = "nothing"

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


def gather(count: int, work: str = "files") -> Graph:
    """Jobs that write a file each, and one that reads them all."""
    return Graph([*(Task(f"w{i}", "parts") for i in range(count)), Task("sum", "whole", "parts")], work)


def write_spec(graph: Graph, folder: Path) -> None:
    """Write ``spec.yaml``: a job a line, a group that is waited for as a whole by a pattern."""
    groups = graph.groups
    lines = ["name: bench", "jobs:"]
    for task in graph.tasks:
        before = groups.get(task.after, [])
        parts = [f"name: {task.name}", f'command: "{_command(graph, task)}"']
        if graph.work != "nothing":
            parts.append(f"output_files: [{task.name}]")
            if before:
                parts.append(f"input_files: [{', '.join(before)}]")
        elif len(before) == 1:
            parts.append(f"depends_on: [{before[0]}]")
        elif before:
            parts.append(f"depends_on_regexes: ['^{task.after}x']")
        lines.append(f"  - {{{', '.join(parts)}}}")
    if graph.work != "nothing":
        lines.append("files:")
        lines += [f"  - {{name: {task.name}, path: {task.name}.dat}}" for task in graph.tasks]
    _write(folder / "spec.yaml", lines, folder)


def write_ninja(graph: Graph, folder: Path) -> None:
    """Write ``build.ninja``; a group that is waited for as a whole is a phony target, ninja's cheapest way."""
    groups, end = graph.groups, _ending(graph)
    waited = {task.after for task in graph.tasks}
    lines = ["rule run", "  command = $work > $log.o 2> $log.e"]
    for task in graph.tasks:
        before = [name + end for name in groups.get(task.after, [])]
        if len(before) > 1 and graph.work == "nothing":
            before = [task.after]
        lines += [
            f"build {task.name}{end}: run {' '.join(before)}",
            f"  work = {_grouped(graph, task)}",
            f"  log = {task.name}",
        ]
    if graph.work == "nothing":
        lines += [
            f"build {group}: phony {' '.join(name + end for name in names)}"
            for group, names in groups.items()
            if group in waited and len(names) > 1
        ]
    _write(folder / "build.ninja", lines, folder)


def write_make(graph: Graph, folder: Path) -> None:
    """Write ``Makefile``."""
    groups, end = graph.groups, _ending(graph)
    lines = ["all: " + " ".join(task.name + end for task in graph.tasks)]
    for task in graph.tasks:
        before = " ".join(name + end for name in groups.get(task.after, []))
        lines += [
            f"{task.name}{end}: {before}",
            f"\t@{_grouped(graph, task)} > {task.name}.o 2> {task.name}.e",
        ]
    _write(folder / "Makefile", lines, folder)


def _ending(graph: Graph) -> str:
    """Return what the name of a job becomes a file with, by which ninja and make know that it has run."""
    return ".o" if graph.work == "nothing" else ".dat"


def _command(graph: Graph, task: Task) -> str:
    if graph.work == "nothing":
        return "true"
    if graph.work == "shell":
        return f"cat w*.dat > {task.name}.dat" if task.after else f"echo x > {task.name}.dat"
    if task.after:
        return f"sort -o {task.name}.dat {' '.join(name + '.dat' for name in graph.groups[task.after])}"
    return f"cp {_PART} {task.name}.dat"


def _grouped(graph: Graph, task: Task) -> str:
    """Return the command so that its output as a whole can go elsewhere."""
    command = _command(graph, task)
    return f"{{ {command}; }}" if graph.work == "shell" else command


def _write(path: Path, lines: list[str], folder: Path) -> None:
    path.write_text("\n".join([*lines, ""]))
    (folder / _PART).write_text("x\n")
