"""What waits in the queues of batch systems is taken out of them when its workflow is canceled or deleted."""

import pytest

from tests.cli.programs import program
from tests.cli.queues import Queue, Stubborn, offer_queues
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.resources import ComputeNode
from torc_core.service.local import LocalService
from torc_plugins.executors.local import LocalExecutor
from torc_plugins.storage.sqlite_storage import SqliteStorage

PLAIN = "name: plain\njobs: [{name: j, command: 'true'}]"
CANCEL, DELETE = ("cancel",), ("delete", "--no-prompts")
both = pytest.mark.parametrize("words", [CANCEL, DELETE], ids=["cancel", "delete"])


@pytest.fixture
def queue(monkeypatch):
    return offer_queues(monkeypatch)


@pytest.fixture
def stored(torc):
    """Stores records beside the program, which is not running; returns the ids."""

    def store(*records):
        service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
        ids = [service.create(record).id for record in records]
        service.close()
        return ids

    return store


@pytest.fixture
def asked(torc, stored, queue):
    """Makes a workflow with allocations of a type, by handle and state in the queue; returns its id."""

    def make(scheduler_type, status="pending", **states):
        id = torc.create(PLAIN)
        for name, state in states.items():
            handle = name.removeprefix("n")
            queue.states[handle] = state
            stored(allocation(id, scheduler_type, handle, status))
        return id

    return make


def allocation(workflow_id, scheduler_type, handle, status="pending"):
    number = int(handle) if handle and handle.isdecimal() else 0
    return ScheduledComputeNode(
        workflow_id=workflow_id, scheduler_id=number, scheduler_config_id=0, scheduler_type=scheduler_type,
        status=status, handle=handle,
    )  # fmt: skip


def statuses(torc, id=1):
    return {node["id"]: node["status"] for node in torc.items("scheduled-compute-nodes", "list", id)}


def ended():
    return sorted(id for _, id, _ in Queue.canceled)


def ids_left(torc):
    return [workflow["id"] for workflow in torc.items("workflows", "list")]


@pytest.mark.parametrize("words", [["cancel"], ["workflows", "cancel"]], ids=" ".join)
def test_what_waits_is_canceled_and_all_else_is_left(torc, asked, words):
    id = asked("slurm", n501="queued", n502="running", n503="queued", n504="done", n505="forgotten")
    body = torc.json(*words, id)
    assert body == {
        "status": "success", "workflow_id": id, "canceled_slurm_jobs": ["501", "503"], "canceled_allocations": [1, 3],
        "errors": None,
    }  # fmt: skip
    assert Queue.canceled == [("slurm", "501", 0.0), ("slurm", "503", 0.0)]
    assert statuses(torc) == {1: "complete", 2: "pending", 3: "complete", 4: "pending", 5: "pending"}
    assert torc.json("status", id)["is_canceled"] is True


@pytest.mark.parametrize("words", [["delete"], ["workflows", "delete"]], ids=" ".join)
def test_what_waits_is_canceled_with_a_deletion_too(torc, asked, words):
    id = asked("lsf", n501="queued", n502="running")
    done = torc(*words, id, "--no-prompts")
    assert done.lines == [f"Deleted workflow {id}", "Taken out of the queue: 1 allocation"]
    assert done.err == ""
    assert Queue.canceled == [("lsf", "501", 0.0)]
    assert ids_left(torc) == []


def test_people_are_told_how_many_left_the_queue(torc, asked):
    id = asked("lsf", n501="queued", nx7="queued")
    done = torc("cancel", id)
    assert done.lines == [f"Canceled workflow {id}", "Taken out of the queue: 2 allocations"]
    assert done.err == ""
    assert ended() == ["501", "x7"]


def test_only_those_of_slurm_are_listed_as_its_jobs(torc, asked, stored, queue):
    id = asked("lsf", n501="queued")
    stored(allocation(id, "slurm", "502"))
    queue.states["502"] = "queued"
    body = torc.json("cancel", id)
    assert (body["canceled_slurm_jobs"], body["canceled_allocations"]) == (["502"], [1, 2])


def test_an_allocation_that_was_given_back_to_the_queue_is_canceled(torc, asked):
    id = asked("slurm", status="active", n501="queued", n502="running")
    torc("cancel", id)
    assert statuses(torc) == {1: "complete", 2: "active"}


def test_ended_ones_and_those_of_other_workflows_are_not_asked_about(torc, asked):
    asked("slurm", n501="queued")
    id = asked("slurm", status="complete", n502="queued")
    assert torc.json("cancel", id)["canceled_slurm_jobs"] == []
    assert (statuses(torc), ended()) == ({1: "pending"}, [])


def test_what_was_asked_for_by_hand_is_taken_back(torc, queue):
    id = torc.create(PLAIN)
    torc("schedule-nodes", id, "--scheduler-type", "lsf", "--num-allocations", 3)
    assert torc("cancel", id).lines[-1] == "Taken out of the queue: 3 allocations"
    assert ended() == ["700:x", "701:x", "702:x"]
    torc("workflows", "reinit", id)  # nothing is in its way


@both
@pytest.mark.parametrize(
    ("scheduler_type", "reason"),
    [
        ("abacus", "nobody here allocates nodes of type 'abacus'"),
        ("dry-run", "allocates no nodes"),
        ("unusable", "there is no qdel here"),
        ("deaf", "the daemon does not answer"),
        ("stubborn", "you are not the owner"),
    ],
)
def test_an_executor_of_no_use_is_in_nobodys_way(torc, asked, words, scheduler_type, reason):
    id = asked(scheduler_type, n501="queued", nx7="queued")
    done = torc(*words, id)
    assert "2 allocations may still wait in a queue" in done.err
    assert f"{scheduler_type} 501, x7" in done.err
    assert reason in done.err
    assert "batch system's own commands" in done.err
    assert "Taken out" not in done.out
    if words == CANCEL:
        assert "torc scheduled-compute-nodes delete 1 2" in done.err
        assert statuses(torc) == {1: "pending", 2: "pending"}
        assert torc.json("status", id)["is_canceled"] is True
    else:
        assert ids_left(torc) == []


def test_one_warning_tells_of_all_and_the_others_are_canceled(torc, asked, stored, queue):
    id = asked("abacus", n501="queued")
    stored(*(allocation(id, kind, number) for kind, number in (("deaf", "502"), ("lsf", "503"), ("lsf", None))))
    queue.states["503"] = "queued"
    body = torc.json("cancel", id)
    assert (body["status"], body["canceled_allocations"], len(body["errors"])) == ("partial_success", [3], 3)
    assert body["errors"][0].startswith("abacus 501 (")
    assert body["errors"][1].startswith("deaf 502 (")
    assert body["errors"][2].startswith("lsf allocation 4 (")  # asked for just now: it has no number yet
    assert torc("cancel", id).err.count("may still wait") == 1


def test_what_only_another_machine_knows_is_named_while_nobody_has_come_up_in_it(torc, asked):
    id = asked("slurm", n501="elsewhere")
    assert "slurm 501" in torc("cancel", id).err
    id = asked("slurm", status="active", n502="elsewhere")
    assert torc("cancel", id).err == ""


def test_runners_at_work_hear_of_it_without_their_executor(torc, asked):
    id = asked("deaf", status="active", n501="running")
    assert torc.json("cancel", id)["status"] == "success"


def test_an_executor_that_fails_when_it_has_done_its_work_is_forgiven(torc, asked, monkeypatch):
    def fail(self):
        raise OSError("the connection is gone")

    monkeypatch.setattr(Queue, "close", fail)
    id = asked("slurm", n501="queued", n502="running")
    body = torc.json("cancel", id)
    assert (body["status"], body["canceled_slurm_jobs"]) == ("success", ["501"])


def test_the_workflow_is_canceled_before_its_queue(torc, asked, monkeypatch):
    """Else runners could ask for more in between."""
    id = asked("slurm", n501="queued")
    seen = []

    def look(self, handles, grace_seconds):  # from a second terminal
        seen.append(program(torc.path, "status", id, "-f", "json").json["is_canceled"])

    monkeypatch.setattr(Queue, "cancel", look)
    torc("cancel", id)
    assert seen == [True]


def test_records_are_there_until_the_queue_has_answered(torc, asked, monkeypatch):
    """Else nobody knew what to end after an interruption."""
    id = asked("slurm", n501="queued")

    def interrupt(self, handles, grace_seconds):
        raise KeyboardInterrupt

    monkeypatch.setattr(Queue, "cancel", interrupt)
    torc("delete", id, "--no-prompts", code=130)
    assert statuses(torc) == {1: "pending"}


# workflows that are complete, or not to be deleted


def test_the_queue_of_a_complete_workflow_is_emptied(torc, asked):
    id = asked("slurm", n501="queued")
    torc("run", id)
    done = torc("cancel", id)
    assert done.lines == [f"Workflow {id} is complete", "Taken out of the queue: 1 allocation"]
    assert (statuses(torc), ended()) == ({1: "complete"}, ["501"])
    assert torc.json("status", id)["is_canceled"] is False
    assert "there is nothing to cancel" in torc("cancel", id, code=1).err


def test_what_is_left_of_a_complete_workflow_is_named_when_nothing_can_be_done(torc, asked):
    id = asked("deaf", n501="queued")
    torc("run", id)
    err = torc("cancel", id, code=1).err
    assert "there is nothing to cancel" in err
    assert "deaf 501" in err
    assert "torc scheduled-compute-nodes delete 1" in err


def test_a_deletion_that_is_refused_cancels_nothing(torc, asked, stored, monkeypatch):
    id = asked("slurm", n501="queued")
    stored(
        ComputeNode(
            workflow_id=id, hostname="far", pid=1, start_time="2026-01-01T00:00:00.000Z", is_active=True, num_cpus=1,
            memory_gb=1.0, num_gpus=0,
        )
    )  # fmt: skip
    assert "active runner" in torc("delete", id, "-f", "json", code=1).err
    assert "Nobody is there to answer" in torc("delete", asked("slurm", n502="queued"), code=1).err
    monkeypatch.setenv("USER", "grace")
    assert "belongs to ada" in torc("delete", id, "--no-prompts", code=1).err
    assert ended() == []


def test_deletions_of_several_are_counted_together(torc, asked):
    ids = [asked("slurm", n501="queued"), asked("lsf", n502="queued", n503="queued")]
    done = torc("delete", *ids, 99, "--no-prompts")
    assert done.lines[-1] == "Taken out of the queue: 3 allocations"
    assert ended() == ["501", "502", "503"]


def test_runners_of_this_machine_are_not_killed(torc, monkeypatch):
    id = torc.create(PLAIN)
    submit = LocalExecutor.submit
    started, executor = [], LocalExecutor()

    def keep(self, requests):
        started.extend(submit(self, [request._replace(command="exec sleep 60") for request in requests]))
        return started

    monkeypatch.setattr(LocalExecutor, "submit", keep)
    torc("schedule-nodes", id, "--scheduler-type", "local")
    try:
        assert torc.json("cancel", id)["canceled_allocations"] == []
        assert statuses(torc) == {1: "pending"}
        assert executor.poll(started)[started[0]].state == "running"
    finally:
        executor.cancel(started, 0.0)
        executor.close()


def test_a_stubborn_batch_system_keeps_nobody_from_trying_again(torc, asked, monkeypatch):
    id = asked("stubborn", n501="queued")
    assert torc.json("cancel", id)["status"] == "partial_success"
    monkeypatch.setattr(Stubborn, "cancel", Queue.cancel)
    assert torc.json("cancel", id)["canceled_allocations"] == [1]
