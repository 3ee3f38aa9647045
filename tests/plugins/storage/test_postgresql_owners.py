"""Servers that end and owners that come and go: nobody writes over another, and nothing told is lost."""

import os
import random
import re
import signal

import pytest

from tests.plugins.storage.killed_owners import assert_whole, kill_one
from tests.plugins.storage.postgres_use import names, opened, seen_by_others
from torc_core.contracts.storage import StorageError
from torc_core.errors import Unavailable
from torc_core.records.resources import Workflow
from torc_core.testing.storage import add
from torc_plugins.storage.postgresql_storage import PostgresqlStorage

# servers that end


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGQUIT], ids=["fast", "immediate"])
def test_a_server_that_starts_anew_is_used_again(storage, postgres_server, postgres_url, how):
    add(storage, Workflow, "name", ("before",))
    postgres_server.stop(how)
    with pytest.raises(Unavailable, match="cannot reach") as caught:
        add(storage, Workflow, "name", ("while it was down",))
    assert caught.value.details["outcome"] == "not sent"
    postgres_server.start()
    assert storage.renew() is False
    assert add(storage, Workflow, "name", ("after",)) == [2]
    with pytest.raises(Unavailable), storage.transaction():
        storage.update(Workflow, {"name": "half"}, [])
        postgres_server.stop(how)
        storage.update(Workflow, {"name": "whole"}, [])
    postgres_server.start()
    assert names(storage) == ["before", "after"]


def test_a_server_that_lost_what_it_had_told_is_noticed(storage, postgres_server, postgres_url):
    add(storage, Workflow, "name", ("before",), ("second",))
    with postgres_server.connect_to(postgres_url) as admin:  # as a standby does that had not received the last commit
        admin.execute("UPDATE torc_owners SET commits = commits - 1")
        admin.execute("DELETE FROM workflows WHERE name = 'second'")
    postgres_server.terminate(postgres_url)
    assert storage.renew() is True
    assert storage.renew() is False
    assert names(storage) == ["before"]


# owners


def test_a_second_owner_is_refused_and_told_who_the_first_is(storage, postgres_url):
    with pytest.raises(Unavailable) as caught:
        opened(postgres_url)
    said = re.search(r"is in use by process (\d+) on (\S+) since (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)", str(caught.value))
    assert said, str(caught.value)
    assert said[1] == str(os.getpid())
    assert said[2] == os.uname().nodename
    storage.close()
    second = opened(postgres_url)
    with pytest.raises(StorageError, match="closed"):
        names(storage)
    second.close()


def test_owners_are_remembered(postgres_server, postgres_url):
    for name in ("one", "two"):
        storage = opened(postgres_url)
        add(storage, Workflow, "name", (name,))
        storage.close()
    with postgres_server.connect_to(postgres_url) as other:
        rows = other.execute(
            "SELECT reign, process, commits, ended >= since FROM torc_owners ORDER BY reign"
        ).fetchall()
    assert rows == [(1, os.getpid(), 1, True), (2, os.getpid(), 1, True)]


def test_who_was_away_while_another_was_the_owner_says_so_once(through, proxy, postgres_server, postgres_url):
    proxy.cut()
    postgres_server.terminate(postgres_url)
    other = opened(postgres_url)
    add(other, Workflow, "name", ("theirs",))
    for attempt in (lambda: names(through), lambda: add(through, Workflow, "name", ("ours",)), through.renew):
        with pytest.raises(Unavailable, match="in use by process"):
            attempt()
    other.close()
    with pytest.raises(Unavailable, match="was another process's for a while") as caught:
        names(through)
    assert caught.value.details["outcome"] == "not sent"
    assert through.renew() is True
    assert through.renew() is False
    assert names(through) == ["w", "theirs"]
    assert add(through, Workflow, "name", ("ours",)) == [3]


def test_a_former_owner_never_writes_over_a_new_one(through, proxy, postgres_server, postgres_url):
    with pytest.raises(Unavailable, match="nothing was kept"), through.transaction():
        through.update(Workflow, {"name": "zombie"}, [])
        proxy.cut()
        postgres_server.terminate(postgres_url)
        other = opened(postgres_url)
        add(other, Workflow, "name", ("theirs",))
        through.update(Workflow, {"name": "zombie again"}, [])
    assert names(other) == ["w", "theirs"]
    other.close()


def test_even_with_the_lock_a_reign_that_is_over_writes_nothing(storage, postgres_server, postgres_url):
    add(storage, Workflow, "name", ("w",))
    with postgres_server.connect_to(postgres_url) as admin:
        admin.execute("UPDATE torc_owners SET ended = now()")
    with pytest.raises(Unavailable, match="another process has taken over"), storage.transaction():
        storage.update(Workflow, {"name": "zombie"}, [])
    assert seen_by_others(postgres_server, postgres_url) == ["w"]
    assert storage.renew() is True


def test_the_lock_of_a_connection_that_the_server_thinks_alive_is_taken_back(
    through, proxy, postgres_server, postgres_url
):
    [before] = postgres_server.backends(postgres_url)
    proxy.cut()
    assert postgres_server.backends(postgres_url) == [before]
    assert names(through) == ["w"]
    [after] = postgres_server.backends(postgres_url)
    assert after != before


def test_a_child_has_no_part_in_its_parents_connection(storage, postgres_url):
    add(storage, Workflow, "name", ("w",))
    child = os.fork()
    if child == 0:
        code = 1
        try:
            names(storage)
        except Unavailable as exc:
            code = 0 if "in use by process" in str(exc) else 2
        finally:
            storage.close()
            os._exit(code)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    with storage.transaction():
        storage.update(Workflow, {"name": "still mine"}, [])
    assert names(storage) == ["still mine"]


OPENING = """
from torc_plugins.storage.postgresql_storage import PostgresqlStorage
storage = PostgresqlStorage(sys.argv[1])
"""


def test_everything_told_is_there_after_a_kill_and_the_lock_is_free_at_once(postgres_url):
    location = postgres_url.removeprefix("postgresql:")
    chance = random.Random(20)
    for round_number in range(12):
        told = kill_one(OPENING, [location], round_number, chance.randrange(1, 60))
        storage = PostgresqlStorage(location)
        assert_whole(storage, told)
        storage.close()
