"""Older files become newer ones with their rows; newer files are refused unchanged."""

import sqlite3

import pytest

from tests.plugins.storage.old_databases import assert_upgraded
from tests.plugins.storage.plugin_records import assert_table_outlives_absence
from torc_core.contracts.storage import StorageError
from torc_core.records.resources import Job, Workflow
from torc_core.testing.storage import add, column
from torc_plugins.storage import sqlite_schema
from torc_plugins.storage.sqlite_storage import SqliteStorage

TORC = 0x746F7263  # "torc" in ASCII

VERSION_1 = f"""
PRAGMA application_id = {TORC};
PRAGMA user_version = 1;
CREATE TABLE workflows(id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT, user TEXT);
CREATE TABLE jobs(
  id INTEGER PRIMARY KEY AUTOINCREMENT,
  workflow_id INTEGER REFERENCES workflows(id) ON DELETE CASCADE, name TEXT, command TEXT, status INTEGER);
INSERT INTO workflows VALUES (3, 'old', 'ann');
INSERT INTO jobs VALUES (7, 3, 'a', 'true', 5), (8, 3, 'b', 'false', 6);
DELETE FROM jobs WHERE id = 8;
CREATE UNIQUE INDEX jobs_unique_workflow_id_name ON jobs(workflow_id, name);
CREATE INDEX jobs_of_mine ON jobs(status);
"""
"""A file of a version that had no failure handlers, no priorities and no attempts, and another index of jobs."""


@pytest.fixture
def old(tmp_path):
    path = tmp_path / "torc.db"
    db = sqlite3.connect(path)
    db.executescript(VERSION_1)
    db.close()
    return path


def schema(path):
    db = sqlite3.connect(path)
    found = db.execute("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
    version = db.execute("PRAGMA user_version").fetchone()[0]
    db.close()
    return found, version


def test_an_older_file_gets_tables_columns_and_indexes_and_keeps_its_rows(old):
    storage = SqliteStorage(str(old))
    assert_upgraded(storage)
    storage.close()


def test_indexes_that_are_declared_no_more_are_dropped_and_others_kept(old):
    storage = SqliteStorage(str(old))
    assert add(storage, Job, "workflow_id name", (3, "a")) == [9]  # names of jobs may be there twice by now
    storage.close()
    names = {name for name, _ in schema(old)[0]}
    assert "jobs_unique_workflow_id_name" not in names
    assert {"jobs_by_workflow_id_name", "jobs_of_mine"} <= names


def test_added_columns_of_old_rows_hold_the_declared_default(old):
    storage = SqliteStorage(str(old))
    names = ["priority", "attempt_id", "cancel_on_blocking_job_failure", "compute_node_id"]
    assert list(storage.rows(Job, names)) == [(0, 1, 1, None)]  # as the records declare them
    assert column(storage, Workflow, "compute_node_wait_for_new_jobs_seconds") == [90]
    storage.close()


def test_an_upgraded_file_is_made_like_a_new_one(old, tmp_path):
    def columns_and_indexes(path):
        SqliteStorage(str(path)).close()
        db = sqlite3.connect(path)
        columns = db.execute(
            "SELECT t.name, c.name, c.type, c.pk FROM sqlite_master t, pragma_table_info(t.name) c WHERE t.type='table'"
        ).fetchall()
        keys = db.execute(
            'SELECT t.name, k."from", k."table", k.on_delete FROM sqlite_master t, pragma_foreign_key_list(t.name) k'
        ).fetchall()
        indexes = db.execute("SELECT sql FROM sqlite_master WHERE type='index' AND name != 'jobs_of_mine'").fetchall()
        db.close()
        return set(columns), set(keys), set(indexes)

    assert columns_and_indexes(old) == columns_and_indexes(tmp_path / "new.db")


def test_opening_a_file_of_this_version_changes_nothing(tmp_path):
    path = tmp_path / "torc.db"
    SqliteStorage(str(path)).close()
    before = path.read_bytes()
    SqliteStorage(str(path)).close()
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "change", ["PRAGMA user_version = 99", "ALTER TABLE jobs ADD COLUMN mood TEXT"], ids=["version", "column"]
)
def test_a_newer_file_is_refused_and_not_changed(old, change):
    db = sqlite3.connect(old)
    db.executescript(change)
    db.close()
    before = schema(old)
    with pytest.raises(StorageError, match="written by a newer torc") as caught:
        SqliteStorage(str(old))
    assert str(old) in str(caught.value)
    assert "Update torc" in caught.value.hint
    assert schema(old) == before


def test_a_column_of_another_type_is_refused(old):
    db = sqlite3.connect(old)
    db.executescript("ALTER TABLE jobs ADD COLUMN priority TEXT")
    db.close()
    before = schema(old)
    with pytest.raises(StorageError, match=r"jobs\.priority is kept as TEXT, but declared as INTEGER"):
        SqliteStorage(str(old))
    assert schema(old) == before


def test_an_upgrade_that_fails_changes_nothing(old):
    db = sqlite3.connect(old)
    db.executescript(
        "CREATE TABLE files(id INTEGER PRIMARY KEY AUTOINCREMENT, workflow_id INTEGER, name TEXT, path TEXT);"
        "INSERT INTO files VALUES (1, 3, 'a', 'x'), (2, 3, 'a', 'y')"  # the unique index cannot be made
    )
    db.close()
    before = schema(old)
    with pytest.raises(StorageError, match=str(old)):
        SqliteStorage(str(old))
    assert schema(old) == before


def opened(path):
    db = sqlite3.connect(path, isolation_level=None)
    return db, sqlite_schema.recognize(db, path)


def rename_command(db):
    db.execute("ALTER TABLE jobs RENAME COLUMN command TO name_and_command")
    db.execute("ALTER TABLE jobs ADD COLUMN command TEXT")
    db.execute("UPDATE jobs SET command = 'run ' || name_and_command")
    db.execute("ALTER TABLE jobs DROP COLUMN name_and_command")


@pytest.mark.skipif(sqlite3.sqlite_version_info < (3, 35), reason="this SQLite cannot drop columns")
def test_migrations_run_once_each_and_in_order(old):
    ran = []
    steps = [rename_command, lambda db: ran.append("to 3")]
    for _ in range(2):
        db, version = opened(old)
        sqlite_schema.upgrade(db, old, version, steps)
        assert db.execute("SELECT command FROM jobs").fetchall() == [("run true",)]
        assert db.execute("PRAGMA user_version").fetchone() == (3,)
        db.close()
    assert ran == ["to 3"]


def test_a_new_file_needs_no_migration(tmp_path):
    db, version = opened(tmp_path / "torc.db")
    sqlite_schema.upgrade(db, tmp_path / "torc.db", version, [rename_command])
    assert db.execute("PRAGMA user_version").fetchone() == (2,)
    db.close()


def test_a_migration_that_fails_or_leaves_loose_ends_changes_nothing(old):
    before = schema(old)

    def lose_the_workflow(db):
        db.execute("DELETE FROM workflows")

    def fail(db):
        lose_the_workflow(db)
        db.execute("nonsense")

    for step, error in ((lose_the_workflow, StorageError), (fail, sqlite3.Error)):
        db, version = opened(old)
        with pytest.raises(error):
            sqlite_schema.upgrade(db, old, version, [step])
        assert db.execute("SELECT count(*) FROM workflows").fetchone() == (1,)
        db.close()
    assert schema(old) == before


def test_records_of_a_plugin_have_a_table_that_outlives_its_absence(tmp_path):
    assert_table_outlives_absence(lambda: SqliteStorage(str(tmp_path / "torc.db")))
