"""The client of an owner: every verb, many threads, lost connections."""

import os
import threading
import time

import pytest

from tests.unit.service.small_service import SmallService
from torc_core.errors import Forbidden, Invalid, NotFound, Unavailable
from torc_core.records.record import RECORDS
from torc_core.records.resources import Job, Workflow
from torc_core.service.api import OPERATIONS, verb_of
from torc_core.service.listener import Listener
from torc_core.service.remote import RemoteService

TOKEN = "s3cret"


@pytest.fixture
def service():
    return SmallService()


@pytest.fixture
def listen(tmp_path, service, monkeypatch):
    monkeypatch.setattr("torc_core.service.folders.MAX_SOCKET_PATH", 107)
    monkeypatch.setattr("torc_core.service.folders.is_network_folder", lambda _: False)
    made = []

    def listen():
        made.append(Listener(lambda _: service, TOKEN, tmp_path / "t.db", "id1"))
        return made[-1]

    yield listen
    for listener in made:
        listener.close(0)


@pytest.fixture
def remote(listen):
    remote = RemoteService(listen().addresses[0], TOKEN)
    yield remote
    remote.close()


def until(condition, what):
    deadline = time.monotonic() + 20
    while not (found := condition()):
        assert time.monotonic() < deadline, what
        os.sched_yield()
    return found


def test_records_are_created_read_changed_and_deleted(remote, service):
    made = remote.create(Workflow(name="w", user="me", description="before", metadata={"a": [1]}))
    assert (type(made), made.id, made.metadata) == (Workflow, 1, {"a": [1]})
    assert remote.get(Workflow, 1) == made
    assert remote.update(Workflow, 1, {"name": "v"}).name == "v"
    assert service.records[Workflow][1].name == "v"
    assert remote.delete(Workflow, 1).name == "v"
    with pytest.raises(NotFound, match="there is no workflow 1"):
        remote.get(Workflow, 1)
    remote.create(Job(workflow_id=1, name="j", command="true"))
    assert remote.delete_all(Job, 1).count == 1


def test_an_update_sends_only_what_it_changes(remote, service):
    remote.create(Workflow(name="w", user="me", description="kept"))
    remote.update(Workflow, 1, {"name": "v"})
    assert service.asked[-1] == ("update", {"name": "v"})


def test_lists_are_asked_for_with_page_order_and_filters(remote, service):
    remote.find(Job, 3, 10, 20, "name", True, status="ready")
    assert service.asked[-1] == ("find", (3, 10, 20, "name", True, {"status": "ready"}))
    remote.find(Workflow)
    assert service.asked[-1] == ("find", (None, 0, 100_000, None, False, {}))


def test_a_page_knows_whether_more_follows(remote):
    for i in range(3):
        remote.create(Job(workflow_id=1, name=f"j{i}", command="true"))
    page = remote.find(Job, 1, limit=2)
    assert ([j.name for j in page.items], page.total_count, page.has_more) == (["j0", "j1"], 3, True)
    assert [j.name for j in remote.each(Job, 1)] == ["j0", "j1", "j2"]


def test_every_kind_of_record_has_the_operations_that_the_verbs_use():
    for kind in RECORDS.values():
        for verb in kind.VERBS:
            op = verb_of(kind, verb)
            assert op.record is kind
            assert OPERATIONS[op.name] is op


def test_declared_operations_take_arguments_by_place_and_by_name(remote, service):
    service.version = 9
    assert remote.wait_for_change(1, 2, 0.0).version == 9
    assert remote.wait_for_change(id=1, wait_seconds=0.0, version=2).version == 9


def test_wrong_arguments_are_refused_by_the_owner(remote):
    with pytest.raises(Invalid, match="version"):
        remote.wait_for_change(1, "new")


def test_many_threads_share_one_remote_service(remote, service):
    def ask():
        for _ in range(100):
            remote.cancel_workflow(1)
            assert remote.ping().status == "small"

    threads = [threading.Thread(target=ask) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert service.count == 1600


def test_calls_one_after_the_other_use_one_connection(listen, remote):
    listener = listen()
    remote = RemoteService(listener.addresses[0], TOKEN)
    for _ in range(20):
        remote.ping()
    assert len(listener._connections) == 1
    remote.close()


def test_a_connection_that_was_closed_in_between_is_made_anew(listen):
    first = listen()
    remote = RemoteService(first.addresses[0], TOKEN)
    remote.ping()
    first.close()
    second = listen()
    assert second.addresses == first.addresses
    assert remote.cancel_workflow(1).name == "canceled 1 times"
    remote.close()


def test_without_an_owner_a_call_is_unavailable_and_was_not_sent(listen):
    listener = listen()
    remote = RemoteService(listener.addresses[0], TOKEN)
    remote.ping()
    listener.close()
    with pytest.raises(Unavailable, match="does not answer at unix:") as caught:
        remote.cancel_workflow(1)
    assert caught.value.details["outcome"] == "not sent"
    assert caught.value.hint
    remote.close()


def test_an_owner_that_goes_during_a_call_leaves_its_outcome_unknown(listen, service):
    listener = listen()
    remote = RemoteService(listener.addresses[0], TOKEN)
    service.reset_workflow_status = lambda id: listener.close(0)
    with pytest.raises(Unavailable, match="not known whether") as caught:
        remote.reset_workflow_status(1)
    assert caught.value.details["outcome"] == "unknown"
    remote.close()


def test_another_owner_at_the_same_address_has_another_token_and_was_asked_nothing(listen, service):
    remote = RemoteService(listen().addresses[0], "the token of the owner before")
    with pytest.raises(Forbidden) as caught:
        remote.cancel_workflow(1)
    assert caught.value.details["outcome"] == "not sent"
    assert service.count == 0
    remote.close()


@pytest.mark.parametrize("address", ["unix:/none/such", "tcp:127.0.0.1:1", "tcp:127.0.0.1", "nonsense", "", "unix:"])
def test_an_address_that_leads_nowhere_is_unavailable(address):
    remote = RemoteService(address, TOKEN)
    with pytest.raises(Unavailable, match="does not answer"):
        remote.ping()
    remote.close()


def test_an_interrupted_call_does_not_spoil_the_next_answer(remote, service):
    def interrupted(*_):
        raise KeyboardInterrupt

    service.records[Workflow] = {1: Workflow(name="first", user="u")}
    remote.ping()
    (frames,) = remote._idle
    frames.receive = interrupted
    with pytest.raises(KeyboardInterrupt):
        remote.get(Workflow, 1)
    assert remote.ping().status == "small"


def test_retiring_lets_calls_end_that_were_begun_and_begins_no_more(remote, service):
    """One thread has heard that the owner ends; another's answer is still on its way."""
    may_end, has_begun = threading.Event(), threading.Event()
    create, made = service.create, []

    def slow(record):
        has_begun.set()
        may_end.wait(20)
        return create(record)

    service.create = slow
    thread = threading.Thread(target=lambda: made.append(remote.create(Workflow(name="w", user="me"))))
    thread.start()
    assert has_begun.wait(20)
    remote.retire()
    with pytest.raises(Unavailable) as caught:
        remote.ping()
    assert caught.value.details["outcome"] == "not sent"
    may_end.set()
    thread.join(20)
    assert [record.id for record in made] == [1]
    assert (remote._idle, remote._busy) == ([], set())


def test_closing_ends_calls_that_wait(remote, service):
    failures = []

    def wait():
        try:
            remote.wait_for_change(1, 1, 60.0)
        except Unavailable as exc:
            failures.append(exc)

    waiting = threading.Thread(target=wait)
    waiting.start()
    until(lambda: service.moved._waiters, "nobody waits")
    remote.close()
    waiting.join(20)
    assert len(failures) == 1
    with pytest.raises(Unavailable, match="closed"):
        remote.ping()


def test_changes_are_told_until_that_is_ended(remote, service):
    told = threading.Semaphore(0)
    end = remote.on_change(1, told.release)
    assert told.acquire(timeout=20)  # the state as it is
    remote.cancel_workflow(1)
    assert told.acquire(timeout=20)
    end()


def test_changes_go_on_being_told_after_the_owner_came_back(listen, service, monkeypatch):
    monkeypatch.setattr("torc_core.service.far._RETRY_S", 0.01)
    listener = listen()
    remote = RemoteService(listener.addresses[0], TOKEN)
    told = threading.Semaphore(0)
    end = remote.on_change(1, told.release)
    assert told.acquire(timeout=20)
    listener.close()
    assert told.acquire(timeout=20)  # what happened meanwhile is not known
    listen()
    service.cancel_workflow(1)
    assert told.acquire(timeout=20)
    end()
    remote.close()


def test_a_workflow_that_is_gone_is_the_last_change_told(remote, service):
    def gone(id, version=0, wait_seconds=0.0):
        raise NotFound("there is no workflow 1")

    service.wait_for_change = gone
    told = threading.Semaphore(0)
    remote.on_change(1, told.release)
    assert told.acquire(timeout=20)
    name = "changes of workflow 1"
    until(lambda: not [t for t in threading.enumerate() if t.name == name], "the thread goes on")


def test_a_forked_child_has_connections_of_its_own(remote):
    remote.ping()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:  # a copy of the test run: it must end here
            os.write(writer, remote.ping().status.encode())
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert os.read(reader, 20) == b"small"
    os.close(reader)
    os.close(writer)
    assert remote.ping().status == "small"
