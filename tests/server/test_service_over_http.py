"""What is true of a local service is true of it over HTTP, with our own client: the same tests, another service."""

import inspect

import pytest

from tests.server.inside import serving
from tests.unit.service import (
    conftest,
    test_action_calls,
    test_action_runs,
    test_action_turns,
    test_actions,
    test_job_calls,
    test_local_records,
    test_local_runs,
    test_reruns,
    test_spawned_parts,
    test_spawning,
)
from torc_core.service.http import HttpService
from torc_core.service.server_address import Login

MODULES = (
    test_local_records, test_local_runs, test_reruns, test_spawning, test_spawned_parts, test_actions,
    test_action_calls, test_action_runs, test_action_turns, test_job_calls,
)  # fmt: skip
INSIDE = ("owner", "clock", "subscribe", "Turn(", "monkeypatch", "recwarn", "handler", "as_client")
"""Words of tests that look inside of a service, or need one that was made in a certain way."""
TAKEN = []

running = test_job_calls.running


def can_be_far(module, name, found):
    """Whether something is a test that asks a service for nothing but what it does."""
    is_test = name.startswith("test_") and inspect.isfunction(found) and found.__module__ == module.__name__
    return is_test and not any(word in inspect.getsource(found) for word in INSIDE)


for module in MODULES:
    for name, found in vars(module).items():
        if can_be_far(module, name, found):
            globals()[f"{name}_{module.__name__.rpartition('_')[2]}"] = found
            TAKEN.append(name)


@pytest.fixture
def service():
    """A client of a server in this process."""
    with serving() as (web, _):
        client = HttpService(f"http://127.0.0.1:{web.port}", Login("anonymous"))
        yield client
        client.close()


@pytest.fixture
def desk(service):
    return conftest.Desk(service)


def test_enough_is_tried():
    assert len(TAKEN) > 150
