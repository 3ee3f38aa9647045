"""What tests of the loop share."""

from __future__ import annotations


def job(name, command="true", **fields):
    return {"name": name, "command": command, **fields}
