"""The wish for short slices: what the kernel has noted of it, for whom."""

import os
import threading

import pytest

from torc_core.contracts.executor import Handle, LaunchRequest
from torc_plugins.executors import local_latency
from torc_plugins.executors.local import _MANY, LocalExecutor
from torc_plugins.executors.local_latency import ask_for_short_slices, slice_ns


def in_thread(work):
    """Return what a thread of its own finds: slices are asked for by threads."""
    found = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    thread.join()
    return found[0]


HAS_SLICES = in_thread(lambda: ask_for_short_slices() and slice_ns()) == 100_000
pytestmark = pytest.mark.xfail(not HAS_SLICES, reason="slices need Linux 6.12", run=False)


def started(count):
    """Start commands, and return the slices of this thread, of another and of the last command."""
    executor = LocalExecutor()
    requests = [LaunchRequest(str(i), str(i), "sleep 60", dict(os.environ), None, None) for i in range(count)]
    try:
        handles = executor.submit(requests)
        assert all(isinstance(handle, Handle) for handle in handles)
        pid = int(handles[-1].id.split(":")[0])
        return slice_ns(), in_thread(slice_ns), slice_ns(pid)
    finally:
        executor.close()


def test_only_the_thread_that_starts_many_commands_has_short_slices():
    usual = in_thread(slice_ns)
    mine, others, of_command = in_thread(lambda: started(_MANY))
    assert mine == 100_000 < usual
    assert (others, of_command) == (usual, usual)


def test_for_a_few_commands_nothing_is_asked():
    usual = in_thread(slice_ns)
    assert in_thread(lambda: started(_MANY - 1))[0] == usual


def test_a_policy_that_somebody_has_chosen_stays():
    def chosen():
        os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))
        return ask_for_short_slices(), os.sched_getscheduler(0)

    assert in_thread(chosen) == (False, os.SCHED_BATCH)


def test_a_priority_that_somebody_has_given_to_all_stays(monkeypatch):
    size, policy, flags, _, *rest = local_latency._attributes()
    monkeypatch.setattr(local_latency, "_attributes", lambda: (size, policy, flags, -5, *rest))
    assert not ask_for_short_slices()


def test_an_unknown_machine_is_left_alone(monkeypatch):
    monkeypatch.setattr(local_latency, "_CALLS", {})
    assert (ask_for_short_slices(), slice_ns()) == (False, None)
