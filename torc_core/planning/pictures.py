"""Who waits for whom as text that other programs draw: DOT for Graphviz, Mermaid for Markdown pages.

Where many jobs all wait for the same many, a point stands between them: M + N lines in place of M * N.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from torc_core.planning.groups import group_names
from torc_core.planning.links import Links
from torc_core.spec.plan import Plan
from torc_core.units import counted


class Picture(NamedTuple):
    """Boxes with their labels, points without one (their numbers go on behind the boxes), and lines between both."""

    title: str
    labels: list[str]
    points: int
    lines: list[tuple[int, int]]


def picture_of(plan: Plan, *, collapsed: bool = False) -> Picture:
    """Return what to draw: a box for each job or, collapsed, for all jobs of one template. Cycles raise Invalid."""
    links = Links(plan.jobs)
    title = str(plan.workflow.get("name", ""))
    return _of_groups(plan, links, title) if collapsed else _of_jobs(plan, links, title)


def _of_jobs(plan: Plan, links: Links, title: str) -> Picture:
    lines: list[tuple[int, int]] = []
    box = len(plan.jobs)
    for waits_for, members in zip(links.waits_for, links.members, strict=True):
        if len(waits_for) * len(members) > len(waits_for) + len(members):
            lines += [(job, box) for job in waits_for]
            lines += [(box, job) for job in members]
            box += 1
        else:
            lines += [(before, job) for job in members for before in waits_for]
    return Picture(title, [job.name for job in plan.jobs], box - len(plan.jobs), lines)


def _of_groups(plan: Plan, links: Links, title: str) -> Picture:
    names = group_names(plan.jobs)
    boxes = {name: box for box, name in enumerate(dict.fromkeys(names))}
    sizes = [0] * len(boxes)
    for name in names:
        sizes[boxes[name]] += 1
    lines: dict[tuple[int, int], None] = {}
    for waits_for, members in zip(links.waits_for, links.members, strict=True):
        before = dict.fromkeys(boxes[names[job]] for job in waits_for)
        after = dict.fromkeys(boxes[names[job]] for job in members)
        lines.update(dict.fromkeys((a, b) for a in before for b in after))
    labels = [name if size == 1 else f"{name}\n{counted(size, 'job')}" for name, size in zip(boxes, sizes, strict=True)]
    return Picture(title, labels, 0, list(lines))


def dot(picture: Picture) -> str:
    """Write a picture for Graphviz."""
    return "".join(
        (
            f"digraph {_quoted_for_dot(picture.title)} {{\n  rankdir=LR;\n  node [shape=box, style=rounded];\n",
            *(f"  n{box} [label={_quoted_for_dot(label)}];\n" for box, label in enumerate(picture.labels)),
            *(f"  n{box} [shape=point];\n" for box in _points(picture)),
            *(f"  n{before} -> n{after};\n" for before, after in picture.lines),
            "}\n",
        )
    )


def mermaid(picture: Picture) -> str:
    """Write a picture as a Mermaid flowchart."""
    return "".join(
        (
            "flowchart LR\n",
            *(f"  n{box}[{_quoted_for_mermaid(label)}]\n" for box, label in enumerate(picture.labels)),
            *(f'  n{box}((" "))\n' for box in _points(picture)),
            *(f"  n{before} --> n{after}\n" for before, after in picture.lines),
        )
    )


WRITERS: dict[str, Callable[[Picture], str]] = {"dot": dot, "mermaid": mermaid}


def _points(picture: Picture) -> Iterable[int]:
    return range(len(picture.labels), len(picture.labels) + picture.points)


def _quoted_for_dot(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _quoted_for_mermaid(text: str) -> str:
    """Put a label in quotes; signs that mean something in Mermaid or HTML become numbered entities."""
    return '"' + "".join("<br>" if c == "\n" else c if c not in '#"<>&;`\\' else f"#{ord(c)};" for c in text) + '"'
