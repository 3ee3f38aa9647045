"""What a row found, and whether that is enough."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median
from typing import Any, NamedTuple

from benchmarks.timing import Usage


class Figure(NamedTuple):
    """One number with a limit that must hold and one that is aimed at; smaller is better."""

    label: str
    unit: str
    samples: Sequence[float]
    must: float | None = None
    aim: float | None = None

    @property
    def value(self) -> float:
        """The median."""
        return median(self.samples)

    def verdict(self, is_full_size: bool = True) -> str:
        """Return "aim", "must" or "missed"; empty when there is no limit or the work was smaller than its limit's."""
        if self.must is None or not is_full_size:
            return ""
        if self.aim is not None and self.value <= self.aim:
            return "aim"
        return "must" if self.value <= self.must else "missed"


class Result(NamedTuple):
    """The figures of a row and what its commands took."""

    figures: list[Figure]
    usages: dict[str, list[Usage]]


def ratios(ours: Sequence[Usage], peer: Sequence[Usage], name: str) -> list[float]:
    """Return the quotients pair by pair, so that a machine whose speed drifts does less harm."""
    return [getattr(a, name) / getattr(b, name) for a, b in zip(ours, peer, strict=True) if getattr(b, name)]


def as_json(result: Result, is_full_size: bool) -> dict[str, Any]:
    """Return everything that was measured."""
    return {
        "figures": [
            {
                "label": figure.label, "unit": figure.unit, "median": figure.value, "samples": list(figure.samples),
                "must": figure.must, "aim": figure.aim, "verdict": figure.verdict(is_full_size),
            }
            for figure in result.figures
        ],
        "commands": {
            name: [{"wall_s": u.wall_s, "cpu_s": u.cpu_s, "peak_mb": u.peak_mb} for u in usages]
            for name, usages in result.usages.items()
        },
    }  # fmt: skip
