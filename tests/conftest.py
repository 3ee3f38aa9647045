"""What tests everywhere can ask for."""

from tests.postgres import postgres_server, postgres_url  # noqa: F401  (fixtures)
