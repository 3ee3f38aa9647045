"""Finds the line of a key in a TOML file, which ``tomllib`` does not tell; only needed when something is wrong."""

from __future__ import annotations

import tomllib
from typing import Any

from torc_core.problems import Path


def locate(text: str, path: Path) -> tuple[int, int]:
    """Return line and column (from 1) of the key at ``path``.

    The beginning of the file is read with one more line at a time until the key is there: exact for every way to write
    it, and quick enough for files that people write.
    """
    lines = text.splitlines(keepends=True)
    start = 0  # lines that are complete without the key
    for count in range(1, len(lines) + 1):
        try:
            found: Any = tomllib.loads("".join(lines[:count]))
        except (ValueError, RecursionError):  # in the middle of a value of several lines
            continue
        for name in path:
            found = found.get(name) if isinstance(found, dict) else None
        if found is not None:
            line = lines[start]
            return start + 1, len(line) - len(line.lstrip()) + 1
        start = count
    return 0, 0
