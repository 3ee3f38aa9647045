"""What listeners hear while workflows run: names, severities and members of the published table, in order."""

import threading
import time
from types import SimpleNamespace

import pytest

from torc_core.errors import NotFound, Unavailable
from torc_core.records.allocations import ScheduledComputeNode
from torc_core.records.answers import JobReset, StreamEvent
from torc_core.records.resources import ComputeNode, Job, Workflow
from torc_core.service.connection import Frames, send_events
from torc_core.service.events import QUEUE_LIMIT, Bus
from torc_core.service.listener import Listener
from torc_core.service.local import LocalService
from torc_core.service.remote import RemoteService
from torc_core.status import JobStatus
from torc_plugins.storage.memory_storage import MemoryStorage


def heard(stream):
    """Return type and severity of what came."""
    return [(event.event_type, event.severity) for event in stream.take()]


@pytest.fixture
def chain(desk):
    """A workflow a -> b -> c."""
    desk.jobs((), (0,), (1,))
    desk.begin()
    return desk


def test_a_job_tells_of_its_start_and_its_end(chain):
    stream = chain.service.watch_events(chain.workflow_id)
    [job] = chain.tick(limit=1).jobs
    chain.started(job.id)
    chain.finished({job.id: 0})
    node, started, completed = stream.take()
    assert (node.event_type, node.severity) == ("compute_node_started", "info")
    assert node.data == {
        "compute_node_id": chain.node_id, "hostname": "h", "pid": 1, "num_cpus": 4, "memory_gb": 8.0, "num_gpus": 0,
        "compute_node_type": "local",
    }  # fmt: skip
    assert started.data == {"job_id": job.id, "job_name": "a", "compute_node_id": chain.node_id, "run_id": 1}
    assert (started.event_type, started.severity, started.workflow_id) == ("job_started", "info", chain.workflow_id)
    assert (completed.event_type, completed.severity) == ("job_completed", "info")
    assert completed.data == {"job_id": job.id, "job_name": "a", "status": "completed", "return_code": 0}
    assert abs(completed.timestamp / 1000 - time.time()) < 60


def test_a_failure_is_an_error_and_what_it_cancels_a_warning(chain):
    [job] = chain.tick(limit=1).jobs
    stream = chain.service.watch_events(chain.workflow_id, "warning")
    chain.finished({job.id: 3})
    failed, *canceled = stream.take()
    assert (failed.event_type, failed.severity, failed.data["return_code"]) == ("job_failed", "error", 3)
    assert [(e.event_type, e.severity, e.data["job_name"], e.data["return_code"]) for e in canceled] == [
        ("job_canceled", "warning", "b", None),
        ("job_canceled", "warning", "c", None),
    ]
    assert heard(stream) == []


def test_the_end_of_the_last_job_completes_the_workflow_once(desk):
    desk.jobs(())
    desk.begin()
    stream = desk.service.watch_events(desk.workflow_id)
    [job] = desk.tick(limit=1).jobs
    desk.finished({job.id: 0})
    desk.finished({job.id: 0})  # a repeated report changes nothing
    assert heard(stream)[1:] == [("job_completed", "info"), ("workflow_completed", "info")]


@pytest.mark.parametrize(("again", "name"), [(False, "workflow_reinitialized"), (True, "workflow_started")])
def test_an_initialization_has_the_published_name(chain, again, name):
    stream = chain.service.watch_events(chain.workflow_id)
    chain.service.initialize_jobs(chain.workflow_id, again)
    [event] = stream.take()
    assert (event.event_type, event.severity) == (name, "info")
    assert {n: event.data[n] for n in ("category", "type", "user")} == {
        "category": "workflow", "type": name, "user": "anonymous",
    }  # fmt: skip
    assert set(event.data) == {"category", "type", "user", "message"}


def test_ready_jobs_are_told_at_the_debug_level_only(chain):
    loud, usual = (chain.service.watch_events(chain.workflow_id, level) for level in ("debug", "info"))
    [job] = chain.tick(limit=1).jobs
    chain.finished({job.id: 0})
    assert ("job_ready", "debug") in heard(loud)
    assert ("job_ready", "debug") not in heard(usual)


def test_retry_status_change_reset_and_cancel_are_told(chain):
    stream = chain.service.watch_events(chain.workflow_id)
    [job] = chain.tick(limit=1).jobs
    chain.started(job.id)
    stream.take()
    chain.service.retry_job(job.id, 1, 3)
    [retried] = stream.take()
    assert retried.event_type == "job_retried"
    assert retried.data == {
        "job_id": job.id, "job_name": "a", "previous_attempt": 1, "new_attempt": 2, "run_id": 1,
    }  # fmt: skip
    chain.service.manage_status_change(job.id, JobStatus.BLOCKED, 1)
    assert heard(stream) == [("job_status_changed", "info")]
    chain.service.reset_jobs(chain.workflow_id, JobReset(job_ids=[job.id]))
    chain.service.reset_job_status(chain.workflow_id)
    chain.service.reset_workflow_status(chain.workflow_id)
    assert heard(stream) == [("jobs_reset", "info"), ("jobs_reset", "info"), ("workflow_reset", "info")]
    chain.service.initialize_jobs(chain.workflow_id)
    stream.take()
    chain.service.claim_next_jobs(chain.workflow_id)
    chain.service.cancel_workflow(chain.workflow_id)
    assert heard(stream) == [("workflow_canceled", "warning"), ("job_canceled", "warning")]


def test_runners_and_allocations_are_told(desk):
    desk.jobs(())
    stream = desk.service.watch_events(desk.workflow_id)
    node = desk.node()
    desk.service.update(ComputeNode, node, {"is_active": False, "duration_seconds": 2.5})
    desk.service.update(ComputeNode, node, {"is_active": False})
    made = desk.service.create(
        ScheduledComputeNode(
            workflow_id=desk.workflow_id,
            scheduler_id=77,
            scheduler_config_id=1,
            scheduler_type="slurm",
            status="pending",
        )
    )
    started, stopped, created = stream.take()
    assert started.event_type == "compute_node_started"
    assert (stopped.event_type, stopped.data) == (
        "compute_node_stopped",
        {"compute_node_id": node, "hostname": "h", "pid": 1, "duration_seconds": 2.5, "compute_node_type": "local"},
    )
    assert (created.event_type, created.data) == (
        "scheduler_node_created",
        {
            "category": "scheduler", "scheduled_compute_node_id": made.id, "scheduler_id": 77, "scheduler_config_id": 1,
            "scheduler_type": "slurm", "status": "pending",
        },
    )  # fmt: skip


def test_a_runner_that_is_given_up_is_told_as_stopped(desk):
    desk.jobs(())
    node = desk.node()
    stream = desk.service.watch_events(desk.workflow_id)
    desk.service.adopt_orphans(desk.workflow_id, [node])
    assert heard(stream) == [("compute_node_stopped", "info")]


def test_only_listeners_of_that_workflow_hear(desk):
    first = desk.jobs(())
    stream = desk.service.watch_events(first)
    desk.jobs(())
    desk.node()
    assert heard(stream) == []


def test_nobody_hears_of_what_was_undone(desk):
    desk.jobs(())
    stream = desk.service.watch_events(desk.workflow_id)
    node = ComputeNode(
        workflow_id=desk.workflow_id, hostname="h", pid=1, start_time="x", num_cpus=1, memory_gb=1.0, num_gpus=0
    )

    def create_and_fail(turn):
        turn.insert(node)
        turn.tell(desk.workflow_id, "compute_node_started")
        raise RuntimeError("after the change")

    owner = desk.service._owner
    with pytest.raises(RuntimeError):
        owner.write(create_and_fail, desk.service._caller)
    assert heard(stream) == []


def test_an_unknown_workflow_cannot_be_listened_to(desk):
    with pytest.raises(NotFound):
        desk.service.watch_events(99)


def test_an_unknown_level_counts_as_info():
    bus = Bus()
    stream = bus.subscribe(1, "loud")
    bus.publish([event("a", "debug"), event("b", "info")])
    assert heard(stream) == [("b", "info")]


def event(name, severity="info"):
    return StreamEvent(workflow_id=1, timestamp=5, event_type=name, severity=severity, data={})


def test_who_falls_behind_hears_how_many_events_were_lost():
    bus = Bus()
    stream = bus.subscribe(1)
    bus.publish([event(str(n)) for n in range(QUEUE_LIMIT + 2)])
    bus.publish([event("late")])
    taken = stream.take()
    assert [e.event_type for e in taken[:-1]] == [str(n) for n in range(QUEUE_LIMIT)]
    assert (taken[-1].event_type, taken[-1].data) == ("warning", {"dropped": 3})
    bus.publish([event("after")])
    assert heard(stream) == [("after", "info")]


def test_a_listener_is_notified_once_until_it_takes():
    bus, calls = Bus(), []
    stream = bus.subscribe(1, notify=lambda: calls.append(1))
    bus.publish([event("a"), event("b")])
    bus.publish([event("c")])
    assert len(calls) == 1
    stream.take()
    bus.publish([event("d")])
    assert len(calls) == 2


def test_closing_ends_an_iteration():
    bus = Bus()
    stream = bus.subscribe(1)
    thread = threading.Timer(0.05, stream.close)
    thread.start()
    assert list(stream) == []
    assert not bus.is_heard(1)


def test_closing_the_service_ends_its_streams():
    service = LocalService(MemoryStorage(""))
    workflow = service.create(Workflow(name="w"))
    stream = service.watch_events(workflow.id)
    service.close()
    assert list(stream) == []
    with pytest.raises(Unavailable):
        service._owner.events.subscribe(workflow.id)


class TestOverFrames:
    """A neighbour of the owner hears the same."""

    @pytest.fixture
    def pair(self, tmp_path):
        service = LocalService(MemoryStorage(""))
        listener = Listener(lambda _: service, "t", tmp_path / "t.db", "id1")
        remote = RemoteService(listener.addresses[0], "t")
        yield service, remote, listener
        remote.close()
        listener.close(0)
        service.close()

    def test_events_arrive_and_other_calls_go_on(self, pair):
        _, remote, _ = pair
        workflow = remote.create(Workflow(name="w"))
        stream = remote.watch_events(workflow.id)
        remote.create(Job(workflow_id=workflow.id, name="a", command="true"))
        remote.initialize_jobs(workflow.id)
        assert next(stream).event_type == "workflow_reinitialized"
        assert stream.take(0.0) == []
        remote.cancel_workflow(workflow.id)
        assert [e.event_type for e in stream.take(20)] == ["workflow_canceled"]
        stream.close()
        assert list(stream) == []

    def test_an_unknown_workflow_is_an_error_at_once(self, pair):
        _, remote, _ = pair
        with pytest.raises(NotFound):
            remote.watch_events(7)
        assert remote.ping().status == "ok"

    def test_the_owner_forgets_a_listener_that_is_gone(self, pair, monkeypatch):
        service, remote, _ = pair
        monkeypatch.setattr("torc_core.service.connection.STREAM_BEAT_S", 0.01)
        workflow = remote.create(Workflow(name="w"))
        stream = remote.watch_events(workflow.id)
        assert service._owner.events.is_heard(workflow.id)
        stream.close()
        deadline = time.monotonic() + 20
        while service._owner.events.is_heard(workflow.id):
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def test_an_owner_that_goes_is_noticed(self, pair):
        _, remote, listener = pair
        workflow = remote.create(Workflow(name="w"))
        stream = remote.watch_events(workflow.id)
        listener.close(0)
        with pytest.raises(Unavailable):
            stream.take(20)
        assert stream.is_closed


@pytest.mark.parametrize("how", ["the stream itself", "frames"])
def test_the_last_event_is_heard_though_it_and_the_end_come_between_two_looks(how, monkeypatch):
    stream = Bus().subscribe(1)
    take = stream.take

    def take_and_be_overtaken(seconds=0.0):
        monkeypatch.undo()
        taken = take()
        stream.put([StreamEvent(workflow_id=1, timestamp=5, event_type="last", severity="info", data={})])
        stream.finish()
        return taken

    monkeypatch.setattr(stream, "take", take_and_be_overtaken)
    if how == "frames":
        sent = []
        op = SimpleNamespace(read_arguments=dict, call=lambda service, arguments: stream)
        send_events(SimpleNamespace(send=sent.append), None, op, {})
        found = [event for data in sent[1:] for event in data["events"]]
    else:
        found = list(stream)
    assert [event.event_type for event in found] == ["last"]


def test_a_frame_that_is_no_event_list_is_no_event():
    import socket

    from torc_core.service.remote import _FarEvents

    here, there = socket.socketpair()
    with here, there:
        Frames(there).send({})
        Frames(there).send({"events": [{"event_type": "x"}]})
        stream = _FarEvents(Frames(here), lambda frames: None)
        assert [e.event_type for e in stream.take(5)] == ["x"]


@pytest.mark.parametrize("level", ["debug", "info", "error"])
def test_the_last_event_of_a_workflow_ends_its_streams(desk, level):
    desk.jobs(())
    other = desk.service.watch_events(desk.jobs(()), level)
    desk.workflow_id -= 1
    heard = desk.service.watch_events(desk.workflow_id, level)
    desk.service.delete(Workflow, desk.workflow_id)
    assert [event.event_type for event in heard] == ["workflow_deleted"]
    assert heard.is_closed
    assert not other.is_closed
    other.close()
