"""What tests everywhere can ask for."""

from tests.postgres import postgres_server, postgres_url  # noqa: F401  (fixtures)
from tests.surroundings import pytest_configure, pytest_runtest_makereport  # noqa: F401  (hooks)
