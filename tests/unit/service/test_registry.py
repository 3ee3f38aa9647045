"""Which function carries out which operation, and that it is found whatever has been imported before."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from torc_core.service import registry
from torc_core.service.api import OPERATIONS
from torc_core.service.local import LocalService

DECLARED = sorted(name for name, op in OPERATIONS.items() if op.record is None)
ROOT = Path(registry.__file__).parent


@pytest.mark.parametrize("name", DECLARED)
def test_each_declared_operation_is_carried_out(name):
    assert registry.handler_of(name) is not None or name in vars(LocalService)


def test_what_nothing_carries_out_has_no_handler():
    assert registry.handler_of("make_coffee") is None


def test_the_rooms_are_the_modules_with_handlers():
    with_handlers = {file.stem for file in ROOT.glob("*.py") if "\n@handles(" in file.read_text()}
    assert set(registry.ROOMS) == with_handlers
    assert len(registry.ROOMS) == len(with_handlers)


@pytest.mark.parametrize(("name", "room"), [("tick", "ticks"), ("create_worker_token", "tokens")])
def test_a_handler_is_found_when_nothing_was_imported(name, room):
    code = f"from torc_core.service.registry import handler_of; print(handler_of({name!r}).__module__)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == f"torc_core.service.{room}\n", done.stderr
