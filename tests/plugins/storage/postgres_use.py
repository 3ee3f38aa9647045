"""Short ways to say what tests of the PostgreSQL storage say often."""

from torc_core.records.resources import Workflow
from torc_core.testing.storage import column
from torc_plugins.storage.postgresql_storage import PostgresqlStorage


def opened(url, **settings):
    return PostgresqlStorage(url.removeprefix("postgresql:"), **settings)


def names(storage):
    return column(storage, Workflow, "name")


def seen_by_others(postgres_server, url):
    with postgres_server.connect_to(url) as other:
        return [name for (name,) in other.execute("SELECT name FROM workflows ORDER BY id").fetchall()]
