"""The PostgreSQL storage keeps what the contract promises, and what only such a server makes difficult."""

import subprocess
import sys

import psycopg
import pytest

from tests.postgres import USER, name_of
from torc_core.contracts.storage import Condition, StorageError
from torc_core.errors import Conflict, Invalid, Unavailable
from torc_core.plugins import PluginHost
from torc_core.records.resources import Event, File, Job, Workflow
from torc_core.testing.storage import StorageSuite, add, column
from torc_plugins.storage import postgresql_bulk
from torc_plugins.storage.sqlite_storage import SqliteStorage


def opened(url, **settings):
    scheme, _, location = url.partition(":")
    return PluginHost().storage(scheme)(location, **settings)


class TestPostgresqlStorage(StorageSuite):
    @pytest.fixture(autouse=True)
    def database(self, postgres_url):
        self.url = postgres_url

    def make(self, tmp_path):
        return opened(self.url)

    def open_copy(self, storage, target):
        return SqliteStorage(str(target))


@pytest.fixture
def workflow(storage):
    return add(storage, Workflow, "name", ("w",))[0]


def test_other_tools_find_plain_tables_with_status_numbers_and_json_text(
    storage, workflow, postgres_server, postgres_url
):
    add(storage, Job, "workflow_id name status labels", (workflow, "a", 5, '["gpu"]'))
    with postgres_server.connect_to(postgres_url) as other:
        assert other.execute("SELECT name, status, labels::json ->> 0 FROM jobs").fetchall() == [("a", 5, "gpu")]
        keys = other.execute(
            "SELECT conname, confrelid::regclass::text, confdeltype FROM pg_constraint"
            " WHERE conrelid = 'jobs'::regclass AND contype = 'f'"
        ).fetchall()
    assert set(keys) == {
        ("jobs_workflow_id_fkey", "workflows", "c"),  # cascade
        ("jobs_resource_requirements_id_fkey", "resource_requirements", "n"),  # set null
        ("jobs_failure_handler_id_fkey", "failure_handlers", "n"),
    }


# many rows


def test_numbers_of_every_size_go_together(storage, workflow):
    """The driver has a type of its own for each size of whole number, which must not show."""
    sizes = [1, 2**15 - 1, 2**15, 2**31 - 1, 2**31, 2**63 - 1]
    events = add(storage, Event, "workflow_id timestamp", *((workflow, size) for size in sizes))
    for some in (sizes[:1], sizes[:3], sizes, [-(2**63), sizes[-1]], [None, 2**40, *sizes[:2]]):
        found = column(storage, Event, "timestamp", [Condition("timestamp", "one_of", some)])
        assert found == [size for size in sizes if size in some]
    for size in (5, 2**40, 6):
        for changed in (events, events[:1]):
            with storage.transaction():
                storage.update_each(Event, ["timestamp"], [(size, event) for event in changed])
            assert set(column(storage, Event, "timestamp", [Condition("id", "one_of", changed)])) == {size}


def test_texts_with_every_sign_go_together(storage, workflow):
    texts = ["", "NULL", "null", '"', "\\", '\\"', "{}", "a,b", " x ", "'", "\n", "é🚀", "%s"]
    jobs = add(storage, Job, "workflow_id name", *((workflow, str(i)) for i in range(len(texts) + 1)))
    with storage.transaction():
        storage.update_each(
            Job, ["command", "priority"], [(t, 1, job) for t, job in zip([*texts, None], jobs, strict=True)]
        )
    assert column(storage, Job, "command") == [*texts, None]
    for text in texts:
        assert column(storage, Job, "id", [Condition("command", "one_of", [text, "other"])]) == [
            jobs[texts.index(text)]
        ]


def test_good_rows_are_written_at_the_first_attempt(storage, workflow, monkeypatch):
    def fail(session, exc, savepoint="chunk"):
        raise exc

    monkeypatch.setattr(postgresql_bulk, "_back", fail)
    many = range(40_000)
    files = add(
        storage, File, "workflow_id name st_mtime", *((workflow, str(i), i / 2 if i % 3 else None) for i in many)
    )
    with storage.transaction():
        storage.update_each(File, ["st_mtime", "path"], ((i if i % 2 else None, "p", id) for i, id in enumerate(files)))
    assert column(storage, File, "st_mtime") == [float(i) if i % 2 else None for i in many]


def test_rows_of_several_chunks_are_kept_changed_and_read_in_order(storage, workflow):
    number = 12_345
    names = [f"job {i}" for i in range(number)]
    jobs = add(storage, Job, "workflow_id name priority", *((workflow, name, 1) for name in names))
    with storage.transaction():
        storage.update_each(Job, ["priority", "env"], ((job % 7, None, job) for job in reversed(jobs)))
    assert column(storage, Job, "name") == names
    assert column(storage, Job, "priority", reverse=True) == [job % 7 for job in reversed(jobs)]
    assert column(storage, Job, "id", limit=11_000, offset=1_000) == jobs[1_000:12_000]
    assert column(storage, Job, "id", limit=10_000) == jobs[:10_000]
    assert column(storage, Job, "id", offset=2_345) == jobs[2_345:]


def test_the_first_row_at_fault_is_named_wherever_it_is_in_its_chunk(storage, workflow):
    rows = [(workflow, f"file {i}") for i in range(9_000)]
    with pytest.raises(Conflict, match='"file 3"') as caught:
        add(storage, File, "workflow_id name", *rows[:7_000], (workflow, "file 3"), (workflow + 1, "x"))
    assert caught.value.details == {"field": "name", "value": "file 3"}
    with pytest.raises(Invalid, match="workflow_id 99"):
        add(storage, File, "workflow_id name", *rows[:6_000], (99, "x"), *rows)
    with pytest.raises(Invalid, match="64 bits"):
        add(storage, Event, "workflow_id timestamp", *((workflow, 1) for _ in range(6_000)), (workflow, 2**63))
    assert storage.count(File) == storage.count(Event) == 0


@pytest.mark.parametrize("alone", [True, False])
def test_changes_to_values_that_no_column_can_hold_are_refused(storage, workflow, alone):
    jobs = add(storage, Job, "workflow_id name", *((workflow, str(i)) for i in range(1 if alone else 5)))
    for field, value, said in [
        ("command", "nul\0", "U\\+0000|NUL"),
        ("command", "half \ud800", "Unicode"),
        ("priority", 2**63, "64 bits|cannot be kept"),
        ("failure_handler_id", 99, "failure_handler_id 99"),
    ]:
        with pytest.raises(Invalid, match=said), storage.transaction():
            storage.update_each(Job, [field, "origin"], [(value, "x", job) for job in jobs])
    assert set(column(storage, Job, "origin")) == {None}


@pytest.mark.parametrize("alone", [True, False])
def test_values_that_no_column_can_hold_are_refused(storage, workflow, alone):
    others = [] if alone else [(workflow, f"f{i}", "p", None) for i in range(5)]
    for row, said in [
        ((workflow, "nul\0", "p", None), "U\\+0000|NUL"),
        ((workflow, "half \ud800", "p", None), "Unicode"),
        ((2**63, "n", "p", None), "64 bits"),
        ((workflow, "n", "p", "soon"), "type|value"),
        ((workflow, "x" * 1_000_000 + "é", "p", None), "too long|too large"),
    ]:
        with pytest.raises(Invalid, match=said):
            add(storage, File, "workflow_id name path st_mtime", *others, row)
    assert storage.count(File) == 0
    add(storage, File, "workflow_id name path st_mtime", *others, (workflow, "n", "x" * 1_000_000, 5))


def test_rows_may_hold_true_and_false(storage, workflow):
    for rows in ([(True, "1")], [(workflow, True)], [(workflow, False), (workflow, True)]):
        with storage.transaction():
            first = storage.next_ids(Event, len(rows))
            rows = [(first + i, workflow, flag, "{}") for i, (_, flag) in enumerate(rows) if flag in (True, False)]
            storage.insert(Event, ["id", "workflow_id", "timestamp", "data"], rows)
    assert column(storage, Event, "timestamp") == [1, 0, 1]


def test_names_change_places_in_the_order_of_the_rows(storage, workflow):
    a, b = add(storage, File, "workflow_id name", (workflow, "a"), (workflow, "b"))
    with storage.transaction():
        storage.update_each(File, ["name"], [("free", b), ("b", a), ("a", b)])
    assert column(storage, File, "name") == ["b", "a"]


def test_of_two_changes_of_one_row_the_last_is_kept(storage, workflow):
    [job, other] = add(storage, Job, "workflow_id name", (workflow, "a"), (workflow, "b"))
    with storage.transaction():
        storage.update_each(Job, ["priority"], [(1, job), (5, other), (2, job)])
    assert column(storage, Job, "priority") == [2, 5]


# reads beside writes


def test_a_long_read_goes_on_beside_writes_and_sees_none_of_them(storage, workflow):
    jobs = add(storage, Job, "workflow_id name priority", *((workflow, str(i), 1) for i in range(35_000)))
    seen = []
    for id, priority in storage.rows(Job, ["id", "priority"]):
        seen.append(id)
        assert priority == 1
        if len(seen) in (1, 25_000):
            with storage.transaction():
                storage.update(Job, {"priority": 2}, [])
    assert seen == jobs


def test_a_long_read_of_a_transaction_outlives_it(storage, workflow):
    with storage.transaction():
        first = storage.next_ids(Event, 25_000)
        storage.insert(Event, ["id", "workflow_id"], ((first + i, workflow) for i in range(25_000)))
        rows = storage.rows(Event, ["id"])
        next(rows)
    assert sum(1 for _ in rows) == 24_999


def test_a_long_read_of_a_transaction_that_is_undone_fails(storage, workflow):
    class Undo(Exception):
        pass

    with pytest.raises(Undo), storage.transaction():
        first = storage.next_ids(Event, 25_000)
        storage.insert(Event, ["id", "workflow_id"], ((first + i, workflow) for i in range(25_000)))
        rows = storage.rows(Event, ["id"])
        raise Undo
    with pytest.raises(StorageError):
        list(rows)
    assert storage.count(Event) == 0


def test_reads_that_nobody_goes_on_with_are_forgotten_by_the_server(storage, workflow):
    add(storage, Event, "workflow_id", *((workflow,) for _ in range(25_000)))
    for _ in range(3):
        next(storage.rows(Event, ["id"]))
    storage.count(Event)
    [(left,)] = storage._hold.ready().run("SELECT count(*) FROM pg_cursors WHERE is_holdable").fetchall()
    assert left == 0


@pytest.mark.parametrize("place", ["id", "workflow_id", "name", "status"])
def test_reads_by_id_workflow_and_name_use_an_index(storage, workflow, place):
    add(storage, Job, "workflow_id name status", *((workflow, str(i), 1) for i in range(3_000)))
    value = "5" if place == "name" else 5
    with storage.transaction():
        storage.update(Workflow, {"description": "x"}, [])  # in a transaction, to look into the same connection
        session = storage._hold.begun()
        session.run("ANALYZE jobs")
        session.run("SET LOCAL enable_seqscan = off")
        from torc_plugins.storage import statements
        from torc_plugins.storage.postgresql_queries import shape_and_values

        where = [Condition("workflow_id", "equal", workflow), Condition(place, "equal", value)]
        shape, values = shape_and_values(Job, where)
        text = statements.select(storage._hold.dialect, "jobs", ("command",), shape, "id", False)
        plan = "\n".join(line for (line,) in session.run(f"EXPLAIN {text}", [*values, 10, 0]).fetchall())
    assert "Index" in plan
    assert "Seq Scan" not in plan
    assert "Sort" not in plan or place == "name"


def test_a_member_is_found_beside_texts_with_a_nul_character(storage, workflow):
    texts = ['{"a":"x\\u0000y","category":"job"}', '{"category":"job"}']
    events = add(storage, Event, "workflow_id data", *((workflow, text) for text in texts))
    assert column(storage, Event, "id", [Condition("data.category", "inside", "job")]) == events
    assert column(storage, Event, "data") == texts


def test_a_value_of_another_type_than_the_column_matches_nothing(storage, workflow):
    for condition in [
        Condition("id", "equal", "1"),
        Condition("name", "equal", 1),
        Condition("id", "equal", 1.5),
        Condition("id", "one_of", ["1", 1.5]),
        Condition("name", "after", 0),
        Condition("id", "after", "0"),
    ]:
        assert column(storage, Workflow, "id", [condition]) == []
    assert column(storage, Workflow, "id", [Condition("id", "one_of", ["1", 1.0])]) == [workflow]
    with pytest.raises(Invalid, match="64 bits"):
        column(storage, Workflow, "id", [Condition("id", "equal", 2**63)])


# addresses and servers that cannot be used


@pytest.mark.parametrize("url", ["postgresql://u@h:port/db", "postgresql:nonsense", "postgresql://u@[::1/db"])
def test_an_address_that_cannot_be_read_is_refused_without_showing_it(url):
    with pytest.raises(StorageError, match="cannot be read") as caught:
        opened(url)
    assert "postgresql://USER@HOST" in caught.value.hint


def test_a_server_that_is_not_there_is_unavailable_and_no_password_is_shown():
    with pytest.raises(Unavailable, match=r"cannot reach postgresql://ann@127\.0\.0\.1:1/x") as caught:
        opened("postgresql://ann:s3cret@127.0.0.1:1/x")
    assert "s3cret" not in f"{caught.value} {caught.value.hint} {caught.value.details}"
    assert caught.value.details["outcome"] == "not sent"


def test_a_database_that_does_not_exist_is_said(postgres_server):
    url = postgres_server.url().replace("@/db", "@/nodb")
    with pytest.raises(StorageError, match="there is no database") as caught:
        opened(url)
    assert "createdb" in caught.value.hint


def test_a_user_that_does_not_exist_is_said(postgres_url):
    with pytest.raises(StorageError, match="refuses the user"):
        opened(postgres_url.replace(f"//{USER}@", "//nobody_of_that_name@"))


def test_a_user_who_may_not_make_tables_is_told(postgres_server, postgres_url):
    with postgres_server.connect_to(postgres_url) as admin:
        admin.execute("DROP ROLE IF EXISTS guest")
        admin.execute("CREATE ROLE guest LOGIN")
        admin.execute("REVOKE CREATE ON SCHEMA public FROM public")
    with pytest.raises(StorageError, match="may not do this") as caught:
        opened(postgres_url.replace(f"//{USER}@", "//guest@"))
    assert "GRANT" in caught.value.hint


def test_a_database_that_cannot_keep_all_text_is_refused(postgres_server):
    url = postgres_server.url("ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
    with pytest.raises(StorageError, match="keeps text as LATIN1") as caught:
        opened(url)
    assert "UTF8" in caught.value.hint


def test_a_database_that_only_reads_is_refused_and_works_when_it_writes_again(postgres_server, postgres_url):
    name = name_of(postgres_url)
    opened(postgres_url).close()
    with postgres_server.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StorageError, match="read-only"):
        opened(postgres_url)
    with postgres_server.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
    opened(postgres_url).close()


def test_rows_that_another_program_has_locked_do_not_stop_us_for_ever(storage, workflow, postgres_server, postgres_url):
    storage._hold.ready().run("SET lock_timeout = '100ms'")
    with postgres_server.connect_to(postgres_url) as other, other.transaction():
        other.execute("UPDATE workflows SET name = 'theirs'")
        with pytest.raises(StorageError, match="another program holds locks"), storage.transaction():
            storage.update(Workflow, {"name": "ours"}, [])
        raise psycopg.Rollback
    with storage.transaction():
        storage.update(Workflow, {"name": "ours"}, [])
    assert column(storage, Workflow, "name") == ["ours"]


def test_durable_waits_for_the_disk_even_where_the_server_does_not(postgres_server, postgres_url):
    name = name_of(postgres_url)
    with postgres_server.connect() as admin:
        admin.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    for durable, said in ((False, "off"), (True, "on")):
        storage = opened(postgres_url, durable=durable)
        assert storage._hold.ready().row("SHOW synchronous_commit") == (said,)
        storage.close()


def test_a_closed_storage_stays_closed(postgres_url):
    storage = opened(postgres_url)
    storage.close()
    with pytest.raises(StorageError, match="is closed"):
        storage.count(Workflow)


def test_each_schema_is_a_database_of_its_own(postgres_server, postgres_url):
    with postgres_server.connect_to(postgres_url) as admin:
        admin.execute("CREATE SCHEMA one")
        admin.execute("CREATE SCHEMA two")
    storages = [opened(f"{postgres_url}&options=-csearch_path%3D{name}") for name in ("one", "two")]
    for storage, name in zip(storages, ("one", "two"), strict=True):
        add(storage, Workflow, "name", (name,))
    for storage, name in zip(storages, ("one", "two"), strict=True):
        assert column(storage, Workflow, "name") == [name]
        storage.close()
    with pytest.raises(StorageError, match="no schema"):
        opened(f"{postgres_url}&options=-csearch_path%3Dthree")


def test_without_the_driver_the_plugin_is_whole_and_says_what_to_install(tmp_path):
    program = (
        "import sys; sys.modules['psycopg'] = None\n"
        "from torc_core.plugins import PluginHost\n"
        "storage = PluginHost().storage('postgresql://h/d')\n"
        "assert not storage.__abstractmethods__\n"
        "try:\n    storage('//h/d')\n"
        "except Exception as exc:\n    print(type(exc).__name__, exc, exc.hint)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("StorageError databases of PostgreSQL need a driver")
    assert "pip install 'torc[postgresql]'" in done.stdout
