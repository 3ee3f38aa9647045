"""Which function carries out which declared operation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])
HANDLERS: dict[str, Callable[..., Any]] = {}
"""Handlers by the name of their operation; each takes a Turn and the operation's arguments by name."""


def handles(declared: Callable[..., Any]) -> Callable[[F], F]:
    """Register a function as what carries out ``Service.<operation>``; answers are declared there."""
    name = declared.operation.name  # type: ignore[attr-defined]

    def register(function: F) -> F:
        HANDLERS[name] = function
        return function

    return register
