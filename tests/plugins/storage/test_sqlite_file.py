"""What the SQLite storage makes of files: new, foreign, damaged, closed to us, full and shared ones."""

import os
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from torc_core.contracts.storage import Condition, StorageError
from torc_core.errors import Conflict, Invalid
from torc_core.records.resources import Event, File, Job, Workflow
from torc_core.testing.storage import add, column
from torc_plugins.storage.sqlite_storage import SqliteStorage


@pytest.fixture
def path(tmp_path):
    return tmp_path / "torc.db"


def made(path, *names):
    storage = SqliteStorage(str(path))
    add(storage, Workflow, "name", *((name,) for name in names))
    return storage


def beside(path):
    return sorted(p.name for p in path.parent.iterdir())


def pragma(storage, name):
    return storage._db.execute(f"PRAGMA {name}").fetchone()[0]


def test_other_tools_find_plain_tables_with_status_numbers_and_json_text(path):
    storage = made(path, "w")
    add(storage, Job, "workflow_id name status labels", (1, "a", 5, '["gpu"]'))
    storage.close()
    db = sqlite3.connect(path)
    assert db.execute("SELECT name, status, json_extract(labels, '$[0]') FROM jobs").fetchall() == [("a", 5, "gpu")]
    assert db.execute("PRAGMA application_id").fetchone()[0].to_bytes(4, "big") == b"torc"
    assert db.execute("PRAGMA user_version").fetchone() == (1,)
    assert "STRICT" not in db.execute("SELECT group_concat(sql) FROM sqlite_master").fetchone()[0]
    keys = {(row[2], row[3], row[6]) for row in db.execute("PRAGMA foreign_key_list(jobs)")}
    assert keys == {
        ("workflows", "workflow_id", "CASCADE"),
        ("resource_requirements", "resource_requirements_id", "SET NULL"),
        ("failure_handlers", "failure_handler_id", "SET NULL"),
    }
    db.close()


def test_there_is_a_log_beside_the_open_file_but_no_shared_memory_and_nothing_after_closing(path):
    for shared_folder in (False, True):
        storage = SqliteStorage(str(path), shared_folder=shared_folder)
        add(storage, Workflow, "name", ("w",))
        assert beside(path) == ["torc.db", "torc.db-wal"]
        storage.close()
        assert beside(path) == ["torc.db"]


@pytest.mark.parametrize(("durable", "synchronous"), [(False, 1), (True, 2)])  # NORMAL, FULL
def test_durable_flushes_every_transaction(path, durable, synchronous):
    storage = SqliteStorage(str(path), durable=durable)
    assert pragma(storage, "synchronous") == synchronous
    assert pragma(storage, "journal_mode") == "wal"
    assert pragma(storage, "foreign_keys") == 1
    storage.close()


def test_names_with_characters_of_addresses_are_file_names(tmp_path):
    path = tmp_path / "50% of it? yes#1.db"
    made(path, "w").close()
    assert beside(path) == [path.name]


@pytest.mark.parametrize("location", ["", ":memory:"])
def test_a_location_without_a_file_is_refused(location):
    with pytest.raises(StorageError, match="names no file") as caught:
        SqliteStorage(location)
    assert "memory:" in caught.value.hint


@pytest.mark.parametrize("place", ["id", "workflow_id", "name"])
def test_reads_by_id_workflow_and_name_use_an_index(path, place):
    storage = SqliteStorage(str(path))
    seen = []
    storage._db.set_trace_callback(seen.append)
    column(storage, Job, "command", [Condition("workflow_id", "equal", 1), Condition(place, "equal", 1)])
    storage._db.set_trace_callback(None)
    plan = " ".join(row[3] for row in storage._db.execute(f"EXPLAIN QUERY PLAN {seen[0]}"))
    assert "SEARCH" in plan
    assert "SCAN" not in plan
    assert "TEMP B-TREE" not in plan or place == "name"  # a workflow's rows come in the order of ids
    storage.close()


# files that are not ours to use


def test_a_database_of_another_program_is_left_alone(path):
    db = sqlite3.connect(path)
    db.execute("CREATE TABLE recipes(name)")
    db.commit()
    db.close()
    before = path.read_bytes()
    with pytest.raises(StorageError, match="not a torc database") as caught:
        SqliteStorage(str(path))
    assert str(path) in str(caught.value)
    assert path.read_bytes() == before
    assert beside(path) == ["torc.db"]


def test_an_application_id_of_another_program_is_enough_to_refuse(path):
    made(path, "w").close()
    db = sqlite3.connect(path)
    db.execute("PRAGMA application_id = 1234")
    db.close()
    with pytest.raises(StorageError, match="not a torc database"):
        SqliteStorage(str(path))


def test_an_empty_file_becomes_a_database(path):
    path.touch()
    made(path, "w").close()
    assert path.stat().st_size > 0


@pytest.mark.parametrize("content", [b"jobs:\n  - name: a\n" * 300, b"\x00" * 9000], ids=["text", "zeros"])
def test_a_file_that_is_no_database_is_named_and_kept(path, content):
    path.write_bytes(content)
    with pytest.raises(StorageError, match="not a database") as caught:
        SqliteStorage(str(path))
    assert str(path) in str(caught.value)
    assert "backup" in caught.value.hint
    assert "move it away" in caught.value.hint
    assert path.read_bytes() == content


def test_damage_is_found_where_it_is_read_and_the_file_is_named(path):
    storage = made(path, "w")
    add(storage, Event, "workflow_id data", *((1, "x" * 500) for _ in range(2000)))
    storage.close()
    content = bytearray(path.read_bytes())
    content[len(content) // 4 :] = os.urandom(len(content) - len(content) // 4)
    path.write_bytes(content)
    with pytest.raises(StorageError, match="is damaged") as caught:
        storage = SqliteStorage(str(path))
        try:
            column(storage, Event, "data")
        finally:
            storage.close()
    assert str(path) in str(caught.value)
    assert "backup" in caught.value.hint


def test_a_truncated_file_is_damaged(path):
    storage = made(path, "w")
    add(storage, Event, "workflow_id data", *((1, "x" * 500) for _ in range(2000)))
    storage.close()
    os.truncate(path, path.stat().st_size // 2)
    with pytest.raises(StorageError, match="is damaged"):
        storage = SqliteStorage(str(path))
        column(storage, Event, "data")


def test_a_folder_that_does_not_exist_is_said(tmp_path):
    with pytest.raises(StorageError, match=r"missing/torc\.db cannot be opened") as caught:
        SqliteStorage(str(tmp_path / "missing" / "torc.db"))
    assert "folder exists" in caught.value.hint


def test_a_folder_is_not_a_file(tmp_path):
    with pytest.raises(StorageError, match="cannot be opened"):
        SqliteStorage(str(tmp_path))


@pytest.fixture
def ordinary_user():
    """Not root, whom permissions do not stop; gives a folder that such a user can enter."""
    if os.geteuid() != 0:
        with tempfile.TemporaryDirectory() as name:
            yield Path(name)
        return
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o777)
        os.seteuid(65534)
        try:
            yield Path(name)
        finally:
            os.seteuid(0)


def test_a_file_that_may_not_be_written_is_refused(ordinary_user):
    path = ordinary_user / "torc.db"
    made(path, "w").close()
    path.chmod(0o444)
    with pytest.raises(StorageError, match=r"torc\.db cannot be written") as caught:
        SqliteStorage(str(path))
    assert "may write" in caught.value.hint


def test_a_folder_that_may_not_be_written_is_refused(ordinary_user):
    folder = ordinary_user / "closed"
    folder.mkdir()
    made(folder / "torc.db", "w").close()
    folder.chmod(0o555)
    for name in ("torc.db", "new.db"):
        with pytest.raises(StorageError, match=f"{name} cannot be") as caught:
            SqliteStorage(str(folder / name))
        assert "may write" in caught.value.hint
    folder.chmod(0o777)


# one owner


def test_a_second_opener_is_refused_until_the_first_has_closed(path):
    first = made(path, "w")
    with pytest.raises(StorageError, match="in use by another process") as caught:
        SqliteStorage(str(path))
    assert str(path) in str(caught.value)
    first.close()
    second = SqliteStorage(str(path))
    assert column(second, Workflow, "name") == ["w"]
    second.close()


def test_a_second_process_is_refused_even_before_the_first_has_written(path):
    first = SqliteStorage(str(path))
    program = "import sys; from torc_plugins.storage.sqlite_storage import SqliteStorage; SqliteStorage(sys.argv[1])"
    done = subprocess.run(
        [sys.executable, "-c", program, path], capture_output=True, text=True, timeout=60, check=False
    )
    assert "in use by another process" in done.stderr
    first.close()


def test_in_a_shared_folder_locks_are_neither_taken_nor_asked(path):
    first = made(path, "w")
    second = SqliteStorage(str(path), shared_folder=True)  # the caller vouches; a lock of a dead host must not stop it
    assert column(second, Workflow, "name") == ["w"]
    second.close()
    first.close()


def test_an_unfinished_read_does_not_keep_the_file_locked(path):
    first = made(path, "w")
    add(first, Event, "workflow_id data", *((1, "1") for _ in range(5000)))
    unfinished = first.rows(Event, ["id"])
    next(unfinished)
    first.close()
    SqliteStorage(str(path)).close()
    with pytest.raises(StorageError):
        list(unfinished)


def test_a_read_goes_on_beside_writes_of_other_kinds(path):
    storage = made(path, "w")
    add(storage, Event, "workflow_id data", *((1, "1") for _ in range(2500)))
    seen = 0
    for _ in storage.rows(Event, ["id"]):
        seen += 1
        if seen % 100 == 0:
            with storage.transaction():
                storage.update(Workflow, {"description": str(seen)}, [])
    assert seen == 2500
    assert column(storage, Workflow, "description") == ["2500"]
    storage.close()


# failed writes


def fill(storage):
    add(storage, Event, "workflow_id data", *((1, "x" * 1000) for _ in range(3000)))


def check_that_it_goes_on_when_full(storage, path):
    with pytest.raises(StorageError, match="no space left") as caught:
        fill(storage)
    assert str(path) in str(caught.value)
    assert "space" in caught.value.hint
    assert storage.count(Event) == 0
    assert column(storage, Workflow, "name") == ["kept"]


def test_a_full_database_undoes_the_transaction_and_stays_usable(path):
    storage = made(path, "kept")
    pages = pragma(storage, "page_count")
    storage._db.execute(f"PRAGMA max_page_count = {pages + 100}")
    check_that_it_goes_on_when_full(storage, path)
    storage._db.execute("PRAGMA max_page_count = 100000")
    fill(storage)
    assert storage.count(Event) == 3000
    storage.close()


def test_a_full_disk_undoes_the_transaction_and_stays_usable(tmp_path):
    disk = tmp_path / "small"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", disk]
    mount = subprocess.run(command, capture_output=True, text=True, check=False)
    if mount.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mount.stderr.strip()}")
    try:
        path = disk / "torc.db"
        storage = made(path, "kept")
        check_that_it_goes_on_when_full(storage, path)
        add(storage, Event, "workflow_id data", (1, "small"))
        storage.close()
        storage = SqliteStorage(str(path))
        assert column(storage, Event, "data") == ["small"]
        storage.close()
    finally:
        subprocess.run(["umount", disk], check=True)


def test_going_on_after_a_failed_write_is_not_taken_for_a_commit(path):
    storage = made(path, "w")
    add(storage, File, "workflow_id name", (1, "a"))
    with pytest.raises(RuntimeError, match="nothing of it was kept"), storage.transaction():
        storage.update(Workflow, {"name": "changed"}, [])
        with pytest.raises(Conflict):
            storage.insert(File, ["id", "workflow_id", "name"], [(2, 1, "b"), (3, 1, "a")])
        with pytest.raises(RuntimeError, match="new transaction"):
            storage.update(Workflow, {"name": "changed again"}, [])
    assert column(storage, Workflow, "name") == ["w"]
    assert column(storage, File, "name") == ["a"]
    storage.close()


def test_a_write_outside_a_transaction_and_a_transaction_in_another_are_mistakes(path):
    storage = made(path, "w")
    with pytest.raises(RuntimeError, match="inside a transaction"):
        storage.update(Workflow, {"name": "x"}, [])
    with storage.transaction():
        with pytest.raises(RuntimeError, match="leave it first"), storage.transaction():
            pass
        with pytest.raises(RuntimeError, match="leave it first"):
            storage.backup(path.with_name("copy.db"))
        storage.update(Workflow, {"name": "y"}, [])
    assert column(storage, Workflow, "name") == ["y"]
    storage.close()


def test_values_that_sqlite_cannot_keep_are_refused(path):
    storage = made(path, "w")
    with pytest.raises(Invalid, match="Unicode"):
        add(storage, Workflow, "name", ("caf\udce9",))
    with pytest.raises(Invalid, match="64 bits"):
        add(storage, Event, "workflow_id timestamp data", (1, 2**63, "1"))
    assert column(storage, Workflow, "name") == ["w"]
    storage.close()


def test_a_closed_storage_says_so(path):
    storage = made(path, "w")
    storage.close()
    with pytest.raises(StorageError, match="closed"):
        storage.count(Workflow)


# backups


def test_a_backup_is_one_file_that_other_tools_can_open_while_the_storage_is_open(path):
    storage = made(path, "w")
    target = path.with_name("copy.db")
    storage.backup(target)
    assert beside(path) == ["copy.db", "torc.db", "torc.db-wal"]
    db = sqlite3.connect(f"file:{target}?mode=ro", uri=True)
    assert db.execute("SELECT name FROM workflows").fetchall() == [("w",)]
    assert db.execute("PRAGMA journal_mode").fetchone() == ("delete",)  # so nothing can be left beside it
    db.close()
    storage.close()


def test_a_backup_that_fails_leaves_the_older_one_and_no_rest(path):
    storage = made(path, "w")
    with pytest.raises(StorageError, match="nowhere"):
        storage.backup(path.with_name("nowhere") / "copy.db")
    with pytest.raises(Invalid, match="the database itself"):
        storage.backup(path)
    folder = path.with_name("folder")
    folder.mkdir()
    with pytest.raises(StorageError, match="folder"):
        storage.backup(folder)
    assert beside(path) == ["folder", "torc.db", "torc.db-wal"]
    assert column(storage, Workflow, "name") == ["w"]
    storage.close()
