"""Whatever happens to connection, server or owner: what was told is kept once, and everything else not at all."""

import gc
import os
import signal
import threading
import time

import pytest

from tests.plugins.storage.postgres_proxy import LOSE_ANSWER, SWALLOW
from tests.plugins.storage.postgres_use import names, opened, seen_by_others
from torc_core.errors import Unavailable
from torc_core.records.resources import Event, Workflow
from torc_core.testing.storage import add, column
from torc_plugins.storage import postgresql_hold

# connections that end


def test_a_connection_that_ended_meanwhile_is_made_anew_without_a_word(storage, postgres_server, postgres_url):
    add(storage, Workflow, "name", ("before",))
    postgres_server.terminate(postgres_url)
    assert names(storage) == ["before"]
    postgres_server.terminate(postgres_url)
    assert storage.renew() is False  # nobody else can have changed anything
    assert add(storage, Workflow, "name", ("after",)) == [2]
    assert names(storage) == ["before", "after"]


@pytest.mark.parametrize("written", [0, 1, 20_000])
def test_a_transaction_whose_connection_ends_is_undone(storage, postgres_server, postgres_url, written):
    add(storage, Workflow, "name", ("before",))
    with pytest.raises(Unavailable) as caught, storage.transaction():
        first = storage.next_ids(Event, written + 1)
        storage.insert(Event, ["id", "workflow_id"], ((first + i, 1) for i in range(written)))
        storage.update(Workflow, {"name": "half"}, [])
        postgres_server.terminate(postgres_url)
        storage.update(Workflow, {"name": "whole"}, [])
    assert caught.value.details["outcome"] == "not sent"
    assert "terminat" in str(caught.value)
    assert postgres_url.partition("?")[0] in str(caught.value)
    assert seen_by_others(postgres_server, postgres_url) == ["before"]
    assert storage.count(Event) == 0
    assert add(storage, Event, "workflow_id", (1,)) == [1]


def test_after_the_loss_the_transaction_takes_nothing_more(storage, postgres_server, postgres_url):
    add(storage, Workflow, "name", ("before",))
    with pytest.raises(RuntimeError, match="nothing of it was kept"), storage.transaction():
        storage.update(Workflow, {"name": "half"}, [])
        postgres_server.terminate(postgres_url)
        for attempt in (
            lambda: names(storage),
            lambda: names(storage),
        ):
            with pytest.raises(Unavailable):
                attempt()
        with pytest.raises(RuntimeError, match="new transaction"):
            storage.update(Workflow, {"name": "whole"}, [])
    assert names(storage) == ["before"]


def test_rows_that_are_being_read_when_the_connection_ends_are_not_cut_short_silently(
    storage, postgres_server, postgres_url
):
    add(storage, Workflow, "name", ("w",))
    add(storage, Event, "workflow_id", *((1,) for _ in range(25_000)))
    rows = storage.rows(Event, ["id"])
    next(rows)
    postgres_server.terminate(postgres_url)
    with pytest.raises(Unavailable):
        list(rows)
    assert storage.count(Event) == 25_000


# commits


def test_a_commit_that_never_arrived_is_told_as_not_kept(through, proxy, postgres_server, postgres_url):
    with pytest.raises(Unavailable, match="nothing was kept") as caught, through.transaction():
        through.update(Workflow, {"name": "lost"}, [])
        proxy.at_commit(SWALLOW)
    assert proxy.broken.is_set()
    assert caught.value.details["outcome"] == "not sent"
    assert seen_by_others(postgres_server, postgres_url) == names(through) == ["w"]
    assert add(through, Workflow, "name", ("next",)) == [2]


def test_a_commit_whose_answer_was_lost_is_told_as_kept(through, proxy, postgres_server, postgres_url):
    with through.transaction():
        first = through.next_ids(Workflow, 1)
        through.insert(Workflow, ["id", "name"], [(first, "kept")])
        proxy.at_commit(LOSE_ANSWER)
    assert proxy.broken.is_set()
    assert seen_by_others(postgres_server, postgres_url) == names(through) == ["w", "kept"]
    assert through.renew() is False
    assert add(through, Workflow, "name", ("next",)) == [3]


@pytest.mark.parametrize(("fault", "kept"), [(SWALLOW, ["w"]), (LOSE_ANSWER, ["changed"])])
def test_a_commit_that_nobody_can_be_asked_about_is_told_as_unknown(through, proxy, monkeypatch, fault, kept):
    monkeypatch.setattr(postgresql_hold, "_ASK_S", 0.3)
    with pytest.raises(Unavailable, match="not known") as caught, through.transaction():
        through.update(Workflow, {"name": "changed"}, [])
        proxy.at_commit(fault)
        proxy.refuses = True
    assert caught.value.details["outcome"] == "unknown"
    with pytest.raises(Unavailable, match="cannot reach"):
        names(through)
    proxy.refuses = False
    assert through.renew() is False
    assert names(through) == kept
    with through.transaction():
        through.update(Workflow, {"name": "again"}, [])
    assert names(through) == ["again"]


@pytest.mark.parametrize(("fault", "kept"), [(SWALLOW, False), (LOSE_ANSWER, True)])
def test_a_commit_is_told_right_even_when_another_owner_was_faster(
    through, proxy, postgres_server, postgres_url, monkeypatch, fault, kept
):
    others = []
    connected = postgresql_hold.Hold._connected

    def late(hold):
        if not others:
            others.append(None)
            postgres_server.terminate(postgres_url)  # the server found out that the connection was cut
            others[0] = opened(postgres_url)
            add(others[0], Workflow, "name", ("theirs",))
        return connected(hold)

    monkeypatch.setattr(postgresql_hold.Hold, "_connected", late)

    def change():
        with through.transaction():
            through.update(Workflow, {"name": "ours"}, [])
            proxy.at_commit(fault)

    if kept:
        change()
    else:
        with pytest.raises(Unavailable, match="nothing was kept"):
            change()
    assert names(others[0]) == ["ours" if kept else "w", "theirs"]
    with pytest.raises(Unavailable, match="in use by process"):
        names(through)
    others[0].close()
    assert through.renew() is True
    assert names(through) == ["ours" if kept else "w", "theirs"]


@pytest.mark.parametrize("fault", [SWALLOW, LOSE_ANSWER])
def test_wherever_the_connection_breaks_a_change_is_kept_once_or_told_as_not_kept(
    proxy, postgres_server, postgres_url, fault
):
    """Break it at the first message of all, then at the second, and so on until one whole life goes well."""
    direct = opened(postgres_url)
    direct.close()
    kept = []
    number = 0
    while True:
        proxy.broken.clear()
        proxy.at_message(number, fault)
        name = f"change {number}"
        try:
            storage = opened(proxy.url(postgres_url))
        except Unavailable as exc:
            assert proxy.broken.is_set()
            assert exc.details["outcome"] == "not sent"
        else:
            try:
                with storage.transaction():
                    first = storage.next_ids(Workflow, 2)
                    storage.insert(Workflow, ["id", "name"], [(first, name), (first + 1, name)])
                    storage.update_each(Workflow, ["run_id", "user"], [(number, "u", first), (number, "u", first + 1)])
                kept.append(name)
            except Unavailable as exc:
                assert proxy.broken.is_set()
                assert exc.details["outcome"] == "not sent"
            storage.close()
        proxy.drain()
        if not proxy.broken.is_set():
            break
        postgres_server.terminate(postgres_url)  # as the server does when it has found out
        number += 1
    direct = opened(postgres_url)
    assert names(direct) == [name for name in kept for _ in range(2)]
    assert column(direct, Workflow, "id") == list(range(1, 2 * len(kept) + 1))
    direct.close()
    assert number > 15  # messages of one life


@pytest.fixture
def no_collections():
    """No garbage collections: hypothesis times them in a callback of its own, where an interrupt would be lost."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("no_collections")
@pytest.mark.parametrize("at", ["update", "commit"])
def test_an_interrupt_undoes_the_transaction(storage, postgres_server, postgres_url, at):
    add(storage, Workflow, "name", ("w",))
    with postgres_server.connect_to(postgres_url) as other, other.transaction():
        other.execute("LOCK TABLE torc_ids" if at == "commit" else "LOCK TABLE workflows")  # and so we wait
        blocked = "SELECT count(*) FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database"
        blocked += " WHERE datname = current_database())"
        interrupter = threading.Thread(target=interrupt_when, args=(postgres_server, postgres_url, blocked))
        interrupter.start()
        with pytest.raises(KeyboardInterrupt), storage.transaction():
            storage.next_ids(Event, 1)
            storage.update(Workflow, {"name": "changed"}, [])
        interrupter.join()
    assert names(storage) == ["w"]
    assert add(storage, Workflow, "name", ("next",)) == [2]


def interrupt_when(server, url, question):
    with server.connect_to(url) as connection:
        until(lambda: connection.execute(question).fetchone()[0])
    os.kill(os.getpid(), signal.SIGINT)


def until(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)
