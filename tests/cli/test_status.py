"""``torc status`` and ``torc wait``."""

import pytest

from tests.cli.programs import DIAMOND
from torc_core.status import JobStatus

KEYS = {
    "workflow_id", "workflow_name", "workflow_user", "total_jobs", "jobs_by_status", "total_exec_time_minutes",
    "total_exec_time_formatted", "active_compute_nodes", "pending_scheduled_nodes", "active_scheduled_nodes",
    "is_complete", "is_canceled", "walltime_seconds", "walltime_formatted",
}  # fmt: skip


@pytest.mark.parametrize("words", [["status"], ["reports", "summary"], ["workflows", "status"]], ids=" ".join)
def test_the_summary_has_the_keys_of_the_reference(finished, words):
    body = finished.json(*words)
    assert set(body) >= KEYS
    assert set(body["jobs_by_status"]) == {status.value for status in JobStatus}
    by_status = {name: count for name, count in body["jobs_by_status"].items() if count}
    assert by_status == {"completed": 2, "failed": 1, "canceled": 1}
    assert (body["total_jobs"], body["is_complete"], body["is_canceled"]) == (4, True, False)
    assert body["walltime_formatted"].endswith("s")


def test_the_status_of_workflows_keeps_the_fields_of_the_record(finished):
    assert finished.json("workflows", "status").items() >= {
        "id": 1, "run_id": 1, "is_canceled": False, "is_archived": False
    }.items()  # fmt: skip


def test_for_people_there_are_only_the_counts_that_are_not_zero(finished):
    done = finished("status", 1)
    counts = [line.split() for line in done.lines if line.startswith("  ") and line.rstrip()[-1].isdecimal()]
    assert ["completed:", "2"] in counts
    assert not any("blocked" in line for line in done.lines)
    assert "Job Status (total: 4):" in done.lines
    assert "with failures: 1 failed, 1 canceled" in done.lines[-1]


def test_the_last_line_says_what_to_do_next(torc):
    id = torc.create(DIAMOND)
    assert torc("status").lines[-1] == f"Nobody is working on it. Run it with: torc run {id}"
    torc("workflows", "init", id)
    assert torc("status").lines[-1] == f"Nobody is working on it. Run it with: torc run {id}"
    torc("cancel", id)
    assert torc("status").lines[-1].startswith("The workflow is canceled. Begin again with: torc workflows reinit 1")
    torc("workflows", "archive", "true", id)
    assert "torc workflows archive false 1" in torc("status", id).lines[-1]
    empty = torc.create("name: e\njobs: []")
    assert "has no jobs" in torc("status", empty).lines[-1]
    torc("run", torc.write("g.yaml", "name: g\njobs: [{name: a, command: echo}]"))
    assert torc("status", 3).lines[-1] == "The workflow is complete; all went well."


def test_waiting_for_a_finished_workflow_tells_how_it_ended(finished, torc):
    done = finished("wait", 1, code=1)
    assert "1 failed, 1 canceled" in done.out
    assert finished.json("wait", 1, code=1)["is_complete"] is True
    torc("run", torc.write("g.yaml", "name: g\njobs: [{name: a, command: echo}]"))
    assert torc("wait").out == "The workflow is complete; all went well.\n"
    assert torc("wait", 1, "--timeout", 0).code == 0


def test_waiting_ends_when_only_decisions_are_left(torc):
    jobs = "[{name: a, command: exit 5}, {name: b, command: echo, depends_on: [a]}]"
    spec = f"name: ask\nuse_pending_failed: true\ncompute_node_wait_for_new_jobs_seconds: 1\njobs: {jobs}\n"
    torc("run", torc.write("spec.yaml", spec), code=None)
    assert torc.json("status")["jobs_by_status"]["pending_failed"] == 1
    for words in (("wait", 1), ("watch", 1), ("watch", 1, "--recover")):
        assert torc.json(*words, code=1)["is_complete"] is False


def test_waiting_for_what_nobody_works_on_says_so_and_has_an_end(torc):
    torc.create(DIAMOND)
    done = torc("wait", 1, "--timeout", "0.1", code=1)
    assert "Nobody is working on it. Run it with: torc run 1" in done.err
    assert "workflow 1 is not complete after 0.1 s" in done.err
    assert done.out == ""
    torc("cancel", 1)
    assert torc("wait", 1, code=1).out.startswith("The workflow is canceled.")


@pytest.mark.parametrize("seconds", ["nan", "inf", "-1", "soon"])
def test_a_time_that_is_none_is_wrong_usage(finished, seconds):
    assert "--timeout" in finished("wait", 1, "--timeout", seconds, code=2).err


def test_unknown_workflows_are_errors(torc):
    torc.create(DIAMOND)
    for command in ("status", "wait"):
        assert "there is no workflow with id 5" in torc(command, 5, code=1).err
