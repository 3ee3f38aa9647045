"""A service that outlives the owner of its database: which calls are repeated, and that none is done twice."""

import threading
from pathlib import Path

import pytest

from tests.unit.service.small_service import SmallService
from torc_core.errors import Forbidden, NotFound, Unavailable
from torc_core.records.resources import Workflow
from torc_core.service.failover import REPEATABLE, FailoverService, Seat

LOST = {"unknown": "it is not known whether it was carried out", "not sent": "it was not carried out"}


class Owner:
    """Stands in for an ownership."""

    def __init__(self):
        self.is_lost = False


class Failing(SmallService):
    """Beside an owner that goes during the first call: before or after it was carried out."""

    def __init__(self, outcome, is_done=False):
        super().__init__("failing")
        self.outcome, self.is_done = outcome, is_done
        self.calls = 0

    def fail(self):
        self.calls += 1
        raise Unavailable(LOST[self.outcome], outcome=self.outcome)

    def ping(self):
        self.fail()

    def get(self, kind, id):
        self.fail()

    def create(self, record):
        self.fail()

    def cancel_workflow(self, id):
        self.fail()

    def reset_workflow_status(self, id, force=False):
        self.fail()

    def wait_for_change(self, id, version=0, wait_seconds=0.0):
        self.fail()


class Row:
    """Seats in the order in which they are found."""

    def __init__(self, *services):
        self.services = list(services)
        self.left = []
        self.found = 0

    def sit(self, ended):
        service = self.services[min(self.found, len(self.services) - 1)]
        self.found += 1
        if isinstance(service, Exception):
            raise service
        return Seat(service, lambda: self.left.append(service), getattr(service, "ownership", None))


@pytest.fixture
def over():
    made = []

    def over(*services):
        row = Row(*services)
        made.append(FailoverService(row.sit))
        return made[-1], row

    yield over
    for service in made:
        service.close()


@pytest.mark.parametrize("outcome", ["unknown", "not sent"])
@pytest.mark.parametrize(
    "ask",
    [lambda s: s.ping(), lambda s: s.get(Workflow, 1), lambda s: s.cancel_workflow(1), lambda s: s.wait_for_change(1)],
    ids=["ping", "get", "cancel_workflow", "wait_for_change"],
)
def test_reads_and_what_may_happen_twice_are_repeated_with_the_next_owner(over, outcome, ask):
    gone, there = Failing(outcome), SmallService()
    there.create(Workflow(name="w", user="me"))
    service, row = over(gone, there)
    ask(service)
    assert (gone.calls, row.found, row.left) == (1, 2, [gone])


@pytest.mark.parametrize(
    "ask",
    [lambda s: s.create(Workflow(name="w", user="me")), lambda s: s.reset_workflow_status(1)],
    ids=["create", "reset_workflow_status"],
)
def test_what_may_have_happened_is_not_repeated_and_its_caller_told(over, ask):
    gone, there = Failing("unknown"), SmallService()
    service, row = over(gone, there)
    with pytest.raises(Unavailable, match="not known whether"):
        ask(service)
    assert there.records == {}
    assert service.ping().status == "small"  # the next call finds an owner
    assert (gone.calls, row.found, row.left) == (1, 2, [gone])


def test_what_was_not_sent_is_repeated_whatever_it_is(over):
    gone, there = Failing("not sent"), SmallService()
    service, _ = over(gone, there)
    assert service.create(Workflow(name="w", user="me")).id == 1
    assert gone.calls == 1


def test_another_owner_with_another_token_at_the_same_address_is_found(over):
    class Other(Failing):
        def fail(self):
            raise Forbidden("the connection does not know the token", outcome="not sent")

    service, row = over(Other("not sent"), SmallService())
    assert service.create(Workflow(name="w", user="me")).id == 1
    assert row.found == 2


def test_what_the_owner_forbids_stays_forbidden(over):
    there = SmallService()
    there.cancel_workflow = lambda id: (_ for _ in ()).throw(Forbidden("not yours"))
    service, row = over(there)
    with pytest.raises(Forbidden, match="not yours"):
        service.cancel_workflow(1)
    assert row.found == 1


def test_only_operations_that_change_nothing_the_second_time_are_repeatable():
    assert {"tick", "cancel_workflow", "archive_workflow", "finish_action", "spawn_jobs"} == REPEATABLE


def test_errors_of_an_owner_that_is_there_are_passed_on(over):
    there = SmallService()
    there.cancel_workflow = lambda id: (_ for _ in ()).throw(Unavailable("no space on the disk"))
    service, row = over(there)
    with pytest.raises(NotFound):
        service.get(Workflow, 9)
    with pytest.raises(Unavailable, match="no space"):
        service.cancel_workflow(1)
    assert (row.found, row.left) == (1, [])


def test_when_no_other_owner_is_found_the_error_is_told_and_the_next_call_tries_again(over):
    there = SmallService()
    service, row = over(Failing("unknown"), Unavailable("in use by process 7 on node7"), there)
    with pytest.raises(Unavailable, match="in use by process 7"):
        service.ping()
    assert service.ping().status == "small"
    assert row.found == 3


def test_many_threads_that_lose_their_owner_find_one_new_seat_together(over):
    start = threading.Barrier(8)

    class Together(Failing):
        def ping(self):
            start.wait(20)
            self.fail()

    service, row = over(Together("unknown"), SmallService())
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(service.ping().status)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert answers == ["small"] * 8
    assert (row.found, len(row.left)) == (2, 1)


def test_an_owner_that_lost_its_database_becomes_a_neighbour_and_repeats_what_it_did_not_write(over):
    mine, there = SmallService("mine"), SmallService("there")
    mine.ownership = Owner()

    def refuse(record):
        mine.ownership.is_lost = True
        raise Unavailable("another process has taken over this database")

    mine.create = refuse
    service, row = over(mine, there)
    assert service.is_owner
    assert service.create(Workflow(name="w", user="me")).id == 1
    assert not service.is_owner
    assert list(there.records) == [Workflow]
    assert row.left == [mine]


def test_an_owner_that_lost_its_database_does_not_answer_from_memory(over):
    mine, there = SmallService("mine"), SmallService("there")
    mine.ownership = Owner()
    service, _ = over(mine, there)
    assert service.ping().status == "mine"
    mine.ownership.is_lost = True
    assert service.ping().status == "there"


def test_watching_changes_goes_on_with_the_next_owner(over):
    gone, there = Failing("unknown"), SmallService()
    service, _ = over(gone, there)
    told = threading.Semaphore(0)
    end = service.on_change(1, told.release)
    assert told.acquire(timeout=20)
    there.cancel_workflow(1)
    assert told.acquire(timeout=20)
    end()
    there.close()


def test_closing_leaves_the_seat_once_and_ends_the_service(over):
    there = SmallService()
    service, row = over(there)
    service.close()
    service.close()
    assert row.left == [there]
    with pytest.raises(Unavailable, match="closed"):
        service.ping()


def test_a_folder_that_cannot_be_used_is_named(tmp_path):
    from torc_core.service.embedded import open_embedded

    (tmp_path / "file").write_text("")
    with pytest.raises(Unavailable, match="cannot use the folder of") as caught:
        open_embedded(tmp_path / "file" / "torc.db", lambda path, mine: SmallService())
    assert "--db" in caught.value.hint


def test_when_the_storage_cannot_be_opened_the_database_is_free_again(tmp_path):
    from torc_core.service.embedded import open_embedded

    def fail(path: Path, still_mine):
        assert still_mine()
        raise Unavailable("the file is damaged")

    with pytest.raises(Unavailable, match="damaged"):
        open_embedded(tmp_path / "torc.db", fail)
    service = open_embedded(tmp_path / "torc.db", lambda path, mine: SmallService())
    assert service.is_owner
    service.close()


def test_the_owner_opens_nothing_before_it_is_the_owner_and_lets_go_after_closing(tmp_path):
    from torc_core.service.embedded import open_embedded

    path, seen = tmp_path / "deep" / "torc.db", []

    class Watching(SmallService):
        def close(self):
            seen.append(path.with_name("torc.db.owner").exists())

    def make(given: Path, still_mine):
        seen.append(path.with_name("torc.db.owner").exists())
        return Watching()

    open_embedded(path, make).close()
    assert seen == [True, True]
    assert [p.name for p in path.parent.iterdir()] == ["torc.db.lock"]


def test_an_owner_that_was_replaced_does_not_close_the_storage(tmp_path):
    # Closing may write, and the file is another's by now.
    from torc_core.service.embedded import open_embedded
    from torc_core.service.ownership import Timing

    small = SmallService()
    service = open_embedded(tmp_path / "torc.db", lambda path, mine: small, timing=Timing(beat_s=3600.0, look_s=0.0))
    owner = tmp_path / "torc.db.owner"
    other = tmp_path / "other"
    other.write_text(owner.read_text().replace(service._seat.ownership.record.id, "another1"))
    other.rename(owner)
    assert not service._seat.ownership.still_mine()
    service.close()
    assert small.closed == 0
    assert small.abandoned
    assert owner.exists()


def test_a_seat_that_is_left_for_another_is_retired_not_closed(over):
    """Other threads may wait there for answers that are on their way."""
    gone, there, told = Failing("not sent"), SmallService(), []
    row = Row(gone, there)
    service = FailoverService(lambda ended: row.sit(ended)._replace(retire=lambda: told.append(row.found)))
    service.ping()
    assert (told, row.left) == ([1], [])
    service.close()
    assert (told, row.left) == ([1], [there])
