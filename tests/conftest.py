"""What tests everywhere can ask for."""

from tests.browser import browser  # noqa: F401  (a fixture)
from tests.postgres import _shared_url, emptied_postgres_url, postgres_server, postgres_url  # noqa: F401  (fixtures)
from tests.surroundings import pytest_configure, pytest_runtest_makereport  # noqa: F401  (hooks)
