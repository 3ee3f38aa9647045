"""Failures as people meet them: handlers, recovery scripts, waiting retries, jobs that somebody has to decide about."""

from __future__ import annotations

import json
import re

import pytest

HANDLED = {
    "name": "w",
    "jobs": [
        {"name": "mended", "command": "test -e mended || exit 4", "failure_handler": "mend"},
        {"name": "hopeless", "command": "exit 5", "failure_handler": "mend"},
        {"name": "after", "command": "echo done", "depends_on": ["mended"]},
    ],
    "failure_handlers": [
        {
            "name": "mend",
            "rules": [
                {"exit_codes": [4], "recovery_script": "echo mending; touch mended"},
                {"match_all_exit_codes": True, "max_retries": 2},
            ],
        }
    ],
}
ASKING = {
    "name": "w",
    "use_pending_failed": True,
    "jobs": [
        {"name": "odd", "command": "test $TORC_ATTEMPT_ID -gt 1 || exit 7"},
        {"name": "after", "command": "echo done", "depends_on": ["odd"]},
    ],
}


@pytest.fixture
def run(torc, tmp_path):
    """Run a spec; returns what the command gave."""

    def go(spec, *words, code=0):
        (tmp_path / "spec.json").write_text(json.dumps(spec))
        return torc("run", "spec.json", *words, code=code)

    return go


def attempts(torc):
    found = torc("results", "list", "1", "--all-runs", "-f", "json").json["items"]
    return sorted((r["job_name"], r["attempt_id"], r["return_code"], r["status"]) for r in found)


def statuses(torc):
    return {job["name"]: job["status"] for job in torc("jobs", "list", "1", "-f", "json").json["items"]}


def test_handlers_are_followed_and_every_attempt_is_kept(run, torc, tmp_path):
    done = run(HANDLED)
    assert attempts(torc) == [
        ("after", 1, 0, "completed"), ("hopeless", 1, 5, "failed"), ("hopeless", 2, 5, "failed"),
        ("mended", 1, 4, "failed"), ("mended", 2, 0, "completed"),
    ]  # fmt: skip
    assert (tmp_path / "torc_output/job_stdio/job_wf1_j1_r1_a1_recovery.log").read_text() == "mending\n"
    assert done.out.splitlines()[0].startswith("2 completed, 1 failed, 2 attempts tried again in ")
    assert "name=mended failed return_code=4; tried again" in done.err
    assert "job 'mended' failed (return code 4, attempt 1 of 3): its recovery script runs" in done.err


def test_programs_get_the_same_facts(run, torc):
    body = run(HANDLED, "-f", "json").json
    assert (body["completed"], body["failed"], body["retried"], body["had_failures"]) == (2, 1, 2, True)


def test_a_failure_that_nobody_has_judged_is_told_with_what_to_do(run, torc):
    done = run(ASKING, code=1)
    assert "odd: pending_failed, return code 7" in done.out
    told = "1 failed job to decide about: torc jobs resolve --all --workflow-id 1 --retry (or --fail)"
    assert told in done.out
    assert torc("status", "1").out.splitlines()[-1] == told
    body = torc("run", "1", "-f", "json", code=1).json
    assert body["is_complete"] is False


def test_it_is_tried_again_on_request(run, torc):
    run(ASKING, code=1)
    done = torc("jobs", "resolve", "1", "--retry", "--reason", "the disk was full")
    assert done.out.splitlines() == ["Tried again: 1 job", "Unless a runner is at work, go on with: torc run 1"]
    torc("run", "1")
    assert statuses(torc) == {"odd": "completed", "after": "completed"}
    events = [event["data"] for event in torc("events", "list", "1", "-f", "json").json["items"]]
    assert any(event.get("message", "").endswith("the disk was full") for event in events)


def test_it_has_failed_on_request_and_what_follows_is_canceled(run, torc):
    run(ASKING, code=1)
    assert torc("jobs", "resolve", "--all", "--workflow-id", "1", "--fail", "-f", "json").json == {
        "workflow_id": 1, "decision": "fail", "resolved": [1], "errors": [],
    }  # fmt: skip
    assert statuses(torc) == {"odd": "failed", "after": "canceled"}


def test_what_cannot_be_decided_is_named_and_the_rest_is_done(run, torc):
    run(ASKING, code=1)
    done = torc("jobs", "resolve", "1", "2", "--retry", code=1)
    assert "Tried again: 1 job" in done.out
    assert "job 2 is blocked, not pending_failed" in done.err
    assert statuses(torc)["odd"] == "ready"


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("1",), "say what becomes of the jobs", 2),
        (("1", "--retry", "--fail"), "say what becomes of the jobs", 2),
        (("--retry",), "choose jobs in exactly one way", 2),
        (("1", "--all", "--retry"), "choose jobs in exactly one way", 2),
        (("1", "--fail", "--delay-seconds", "3"), "--delay-seconds belongs to --retry", 2),
        (("99", "--retry"), "there is no job with id 99", 1),
        (("--all", "--workflow-id", "1", "--retry"), "workflow 1 has no job that is pending_failed", 1),
    ],
)
def test_wrong_use_is_told(run, torc, words, said, code):
    run({"name": "w", "jobs": [{"name": "a", "command": "true"}]})
    assert said in torc("jobs", "resolve", *words, code=code).err


def test_a_job_that_waits_for_its_next_attempt_is_shown_as_such(run, torc):
    run(ASKING, code=1)
    torc("jobs", "resolve", "1", "--retry", "--delay-seconds", "3600")
    job = torc("jobs", "get", "1", "-f", "json").json
    assert (job["status"], job["attempt_id"]) == ("blocked", 2)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", job["retry_at"])
    status = torc("status", "1").out
    assert "(tried again later: 1)" in status
    assert torc("status", "1", "-f", "json").json["next_retry_at"] == job["retry_at"]


def test_a_lease_must_leave_time_for_a_sign_of_life(torc, tmp_path):
    (tmp_path / "spec.json").write_text(json.dumps(ASKING))
    assert "a lease of 0.5 s is too short" in torc("run", "spec.json", "--lease", "0.5", code=2).err


@pytest.mark.parametrize(("words", "seconds"), [((), None), (("--lease", "30"), 30.0), (("--lease", "0"), None)])
def test_a_runner_beside_its_database_has_a_lease_only_when_asked(run, torc, words, seconds):
    run({"name": "w", "jobs": [{"name": "a", "command": "true"}]}, *words)
    [node] = torc("compute-nodes", "list", "1", "-f", "json").json["items"]
    assert node.get("lease_seconds") == seconds


def test_nothing_to_reconcile_is_said(run, torc):
    run({"name": "w", "jobs": [{"name": "a", "command": "true"}]})
    assert torc("workflows", "reconcile", "1").out == "No journal of workflow 1 is left below .\n"
    assert torc("workflows", "reconcile", "9", code=1).err.startswith("Error: there is no workflow with id 9")
