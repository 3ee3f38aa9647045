"""Which function carries out which declared operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
HANDLERS: dict[str, Callable[..., Any]] = {}
"""Handlers by the name of their operation, of the rooms in use; each takes a Turn and the operation's arguments by
name. Ask ``handler_of``.
"""
ROOMS = (
    "queries", "creation", "runs", "ticks", "tasks", "job_calls", "claims", "action_operations", "bulk", "beside",
    "orphans", "recovering", "correcting", "spawning", "groups", "tokens",
)  # fmt: skip
"""Modules with handlers. They are imported in this order until one has what is asked for: first those of a plain run,
so that it does not pay for the others.
"""


def handles(declared: Callable[..., Any]) -> Callable[[F], F]:
    """Register a function as what carries out ``Service.<operation>``; answers are declared there."""
    name = declared.operation.name  # type: ignore[attr-defined]

    def register(function: F) -> F:
        HANDLERS[name] = function
        return function

    return register


def handler_of(name: str) -> Callable[..., Any] | None:
    """Return what carries out the operation of that name, None when nothing does."""
    found = HANDLERS.get(name)
    if found is None:
        from importlib import import_module

        for room in ROOMS:
            import_module(f"torc_core.service.{room}")
            found = HANDLERS.get(name)
            if found is not None:
                break
    return found
