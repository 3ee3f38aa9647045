"""What a decision changed in a graph."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torc_core.engine.graph import WorkflowGraph


class Changes:
    """Jobs (nodes) by what became of them, each list in the order of decision."""

    __slots__ = ("blocked", "canceled", "claimed", "finished", "given", "ready", "reset", "started")

    def __init__(self, graph: WorkflowGraph) -> None:
        self.claimed: list[int] = []
        self.started: list[int] = []
        self.finished: list[int] = []
        self.ready: list[int] = []
        self.blocked: list[int] = []
        self.canceled: list[int] = []
        self.reset: list[int] = []
        self.given: list[int] = []  # a status by somebody's word
        if graph.log is not None:
            graph.log.append(self)

    def nodes(self) -> Iterator[int]:
        """Yield every job whose status may be another, some of them more than once."""
        return chain(
            self.claimed, self.started, self.finished, self.ready, self.blocked, self.canceled, self.reset, self.given
        )
