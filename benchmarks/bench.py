"""What a row is given: how often, how big, and where."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from benchmarks.results import Result
from benchmarks.timing import Attempt, Usage, in_turn


class Bench:
    """How a run was asked for; ``scale`` 1 is the size that the limits are meant for."""

    def __init__(self, folder: Path, repeats: int | None = None, scale: float = 1.0) -> None:
        self.folder = folder
        self.scale = scale
        self._repeats = repeats

    def size(self, full: int) -> int:
        """Return how many jobs stand for ``full``."""
        return max(2, round(full * self.scale))

    def measure(self, contenders: Mapping[str, Attempt], repeats: int) -> dict[str, list[Usage]]:
        """Run the contenders in turn."""
        return in_turn(contenders, self._repeats or repeats, self.folder)


class Row(NamedTuple):
    """A row of the table; ``measure`` works in a folder of its own."""

    name: str
    title: str
    measure: Callable[[Bench], Result]
