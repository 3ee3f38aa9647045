"""Older tables become newer ones with their rows; newer ones and those of other programs are refused unchanged."""

import pytest

from tests.plugins.storage.old_databases import assert_upgraded
from tests.plugins.storage.plugin_records import assert_table_outlives_absence
from torc_core.contracts.storage import StorageError
from torc_core.records.record import RECORDS, WorkflowPart
from torc_core.records.resources import Job, Workflow
from torc_core.records.values import field
from torc_core.testing.storage import add, column
from torc_plugins.storage import postgresql_schema
from torc_plugins.storage.postgresql_storage import PostgresqlStorage
from torc_plugins.storage.sqlite_storage import SqliteStorage

VERSION_1 = """
CREATE TABLE torc_version(version bigint NOT NULL);
INSERT INTO torc_version VALUES (1);
CREATE TABLE torc_ids(kind text PRIMARY KEY, last bigint NOT NULL);
INSERT INTO torc_ids VALUES ('workflows', 3), ('jobs', 8);
CREATE TABLE torc_owners(
  reign bigint PRIMARY KEY, host text NOT NULL, process bigint NOT NULL, since timestamptz NOT NULL DEFAULT now(),
  backend bigint NOT NULL, commits bigint NOT NULL DEFAULT 0, ended timestamptz);
CREATE TABLE workflows(id bigint PRIMARY KEY, name text COLLATE "C", "user" text COLLATE "C");
CREATE TABLE jobs(
  id bigint PRIMARY KEY, workflow_id bigint REFERENCES workflows(id) ON DELETE CASCADE,
  name text COLLATE "C", command text COLLATE "C", status bigint);
INSERT INTO workflows VALUES (3, 'old', 'ann');
INSERT INTO jobs VALUES (7, 3, 'a', 'true', 5);
CREATE UNIQUE INDEX jobs_unique_workflow_id_name ON jobs(workflow_id, name);
CREATE INDEX jobs_of_mine ON jobs(status);
"""
"""Tables of a version that had no failure handlers, no priorities and no attempts, and another index of jobs."""


@pytest.fixture
def database(postgres_server, postgres_url):
    with postgres_server.connect_to(postgres_url) as connection:
        yield connection


@pytest.fixture
def old(database, postgres_url):
    database.execute(VERSION_1)
    return postgres_url


def opened(url):
    return PostgresqlStorage(url.removeprefix("postgresql:"))


COLUMNS = (
    "SELECT table_name, column_name, data_type, collation_name FROM information_schema.columns"
    " WHERE table_schema = 'public' ORDER BY 1, 2"
)
KEYS = (
    "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
    " WHERE connamespace = 'public'::regnamespace ORDER BY 1, 2"
)
INDEXES = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"


def schema(database):
    """Return all that there is but the owners, of whom every opening makes one."""
    tables = {name for name, *_ in database.execute(COLUMNS).fetchall()} - {"torc_owners"}
    rows = {name: database.execute(f'SELECT * FROM "{name}" ORDER BY 1').fetchall() for name in tables}
    return [database.execute(question).fetchall() for question in (COLUMNS, KEYS, INDEXES)], rows


def test_older_tables_get_columns_and_indexes_and_keep_their_rows(old):
    storage = opened(old)
    assert_upgraded(storage)
    storage.close()


def test_indexes_that_are_declared_no_more_are_dropped_and_others_kept(old, database):
    storage = opened(old)
    assert add(storage, Job, "workflow_id name", (3, "a")) == [9]  # names of jobs may be there twice by now
    storage.close()
    names = {name for (name,) in database.execute("SELECT indexname FROM pg_indexes").fetchall()}
    assert "jobs_unique_workflow_id_name" not in names
    assert {"jobs_by_workflow_id_name", "jobs_of_mine"} <= names


def test_added_columns_of_old_rows_hold_the_declared_default(old):
    storage = opened(old)
    names = ["priority", "attempt_id", "cancel_on_blocking_job_failure", "compute_node_id"]
    assert list(storage.rows(Job, names)) == [(0, 1, 1, None)]  # as the records declare them
    assert column(storage, Workflow, "compute_node_wait_for_new_jobs_seconds") == [90]
    storage.close()


def test_upgraded_tables_are_made_like_new_ones(old, database, postgres_server):
    opened(old).close()
    new = postgres_server.url()
    opened(new).close()
    with postgres_server.connect_to(new) as other:
        database.execute("DROP INDEX jobs_of_mine")
        assert schema(database)[0] == schema(other)[0]


def test_opening_tables_of_this_version_changes_nothing(postgres_url, database):
    opened(postgres_url).close()
    before = schema(database)
    opened(postgres_url).close()
    assert schema(database) == before


@pytest.mark.parametrize(
    "change",
    ["UPDATE torc_version SET version = 99", "ALTER TABLE jobs ADD COLUMN mood text"],
    ids=["version", "column"],
)
def test_newer_tables_are_refused_and_not_changed(old, database, change):
    database.execute(change)
    before = schema(database)
    with pytest.raises(StorageError, match="written by a newer torc") as caught:
        opened(old)
    assert old.partition("?")[0] in str(caught.value)
    assert "Update torc" in caught.value.hint
    assert schema(database) == before


@pytest.mark.parametrize(("kept_as", "said"), [('text COLLATE "C"', "TEXT"), ("integer", "integer"), ("real", "real")])
def test_a_column_of_another_type_is_refused(old, database, kept_as, said):
    database.execute(f"ALTER TABLE jobs ADD COLUMN priority {kept_as}")
    before = schema(database)
    with pytest.raises(StorageError, match=rf"jobs\.priority is kept as {said}.*, but declared as INTEGER"):
        opened(old)
    assert schema(database) == before


def test_text_of_another_order_is_refused(old, database):
    database.execute('ALTER TABLE jobs ALTER COLUMN name TYPE text COLLATE "und-x-icu"')
    with pytest.raises(StorageError, match=r"jobs\.name is kept as text collate"):
        opened(old)


def test_tables_of_another_program_are_left_alone(database, postgres_url):
    database.execute("CREATE TABLE jobs(title text)")
    before = schema(database)
    with pytest.raises(StorageError, match="not a torc database") as caught:
        opened(postgres_url)
    assert postgres_url.partition("?")[0] in str(caught.value)
    assert schema(database) == before


def test_tables_with_other_names_are_no_hindrance(database, postgres_url):
    database.execute("CREATE TABLE recipes(title text)")
    database.execute("INSERT INTO recipes VALUES ('bread')")
    opened(postgres_url).close()
    assert database.execute("SELECT * FROM recipes").fetchall() == [("bread",)]


def test_an_upgrade_that_fails_changes_nothing_and_lets_others_try(old, database):
    database.execute(
        'CREATE TABLE files(id bigint PRIMARY KEY, workflow_id bigint, name text COLLATE "C", path text COLLATE "C");'
        "INSERT INTO files VALUES (1, 3, 'a', 'x'), (2, 3, 'a', 'y')"  # the unique index cannot be made
    )
    before = schema(database)
    for _ in range(2):
        with pytest.raises(StorageError, match="files_unique_workflow_id_name"):
            opened(old)
        assert schema(database) == before


def rename_command(db):
    db.execute("ALTER TABLE jobs RENAME COLUMN command TO name_and_command")
    db.execute('ALTER TABLE jobs ADD COLUMN command text COLLATE "C"')
    db.execute("UPDATE jobs SET command = 'run ' || name_and_command")
    db.execute("ALTER TABLE jobs DROP COLUMN name_and_command")


def fail(db):
    db.execute("DELETE FROM workflows")
    db.execute("nonsense")


def migrate_by(monkeypatch, *steps):
    monkeypatch.setattr(postgresql_schema, "MIGRATIONS", steps)


def test_migrations_run_once_each_and_in_order(old, database, monkeypatch):
    ran = []
    migrate_by(monkeypatch, rename_command, lambda db: ran.append("to 3"))
    for _ in range(2):
        opened(old).close()
        assert database.execute("SELECT command FROM jobs").fetchall() == [("run true",)]
        assert database.execute("SELECT version FROM torc_version").fetchall() == [(3,)]
    assert ran == ["to 3"]


def test_new_tables_need_no_migration(database, postgres_url, monkeypatch):
    migrate_by(monkeypatch, fail)
    opened(postgres_url).close()
    assert database.execute("SELECT version FROM torc_version").fetchall() == [(2,)]


def test_a_migration_that_fails_changes_nothing(old, database, monkeypatch):
    before = schema(database)
    migrate_by(monkeypatch, rename_command, fail)
    with pytest.raises(StorageError):
        opened(old)
    assert schema(database) == before


def test_records_of_a_plugin_have_a_table_that_outlives_its_absence(postgres_url):
    assert_table_outlives_absence(lambda: opened(postgres_url))


def test_records_may_be_declared_in_any_order(postgres_url, tmp_path):
    class Leaf(WorkflowPart, plural="leaves_of_a_test"):
        branch_id: int = field(refers="branches_of_a_test")

    class Branch(WorkflowPart, plural="branches_of_a_test"):
        tree: str = field()

    try:
        storage = opened(postgres_url)
        [one] = add(storage, Workflow, "name", ("one",))
        [branch] = add(storage, Branch, "workflow_id tree", (one, "oak"))
        add(storage, Leaf, "workflow_id branch_id", (one, branch))
        storage.backup(tmp_path / "copy")
        storage.close()
        copy = SqliteStorage(str(tmp_path / "copy"))
        assert column(copy, Leaf, "branch_id") == [branch]
        copy.close()
    finally:
        for kind in (Leaf, Branch):
            RECORDS.pop(kind.PLURAL, None)
