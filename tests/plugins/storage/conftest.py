"""Storages on PostgreSQL, directly and behind a wire that can break."""

import pytest

from tests.plugins.storage.postgres_proxy import Proxy
from tests.plugins.storage.postgres_use import opened
from torc_core.records.resources import Workflow
from torc_core.testing.storage import add


@pytest.fixture
def storage(postgres_url):
    storage = opened(postgres_url)
    yield storage
    storage.close()


@pytest.fixture
def proxy(postgres_server):
    proxy = Proxy(postgres_server.folder)
    yield proxy
    proxy.close()


@pytest.fixture
def through(proxy, postgres_url):
    """A storage whose connection can be broken, with one workflow."""
    storage = opened(proxy.url(postgres_url))
    add(storage, Workflow, "name", ("w",))
    yield storage
    storage.close()
