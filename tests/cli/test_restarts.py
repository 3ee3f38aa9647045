"""``torc workflows init``, ``reinit`` and ``reset-status``, and ``torc jobs reset-status``: work is done again."""

import json
import os

import pytest

from tests.cli.programs import DIAMOND
from torc_core.service.local import LocalService
from torc_plugins.storage.sqlite_storage import SqliteStorage

CHAIN = """
name: chain
jobs:
  - {name: one, command: cp in.txt mid.txt, input_files: [in], output_files: [mid]}
  - {name: two, command: cp mid.txt out.txt, input_files: [mid], output_files: [out]}
  - {name: other, command: echo other}
files: [{name: in, path: in.txt}, {name: mid, path: mid.txt}, {name: out, path: out.txt}]
"""


@pytest.fixture
def chain(torc):
    """The chain, run to its end."""
    torc.write("in.txt", "1")
    torc("run", torc.write("spec.yaml", CHAIN))
    return torc


def by_status(torc):
    return {name: count for name, count in torc.json("status")["jobs_by_status"].items() if count}


def test_init_checks_files_and_begins_a_run(torc):
    id = torc.create(CHAIN)
    done = torc("workflows", "init", id, code=1)
    assert "in.txt" in done.err
    body = torc.json("workflows", "initialize", id, "--force")
    assert (body["status"], body["workflow_id"]) == ("success", id)
    assert by_status(torc) == {"ready": 2, "blocked": 1}


def test_a_preview_of_init_tells_missing_and_existing_files_and_fails_when_not_safe(torc):
    id = torc.create(CHAIN)
    torc.write("out.txt", "old")
    body = torc.json("workflows", "init", id, "--dry-run", code=1)
    assert (body["workflow_id"], body["safe"]) == (id, False)
    assert (body["missing_input_files"], body["missing_input_file_count"]) == (["in.txt"], 1)
    assert (body["existing_output_files"], body["existing_output_file_count"]) == (["out.txt"], 1)
    assert "Not safe to run." in torc("workflows", "init", id, "--dry-run", code=1).lines
    torc.write("in.txt", "1")
    assert torc("workflows", "init", id, "--dry-run").lines[-1] == "Safe to run."
    assert by_status(torc) == {"uninitialized": 3}


def test_init_of_what_was_begun_asks_first(chain):
    assert "--no-prompts" in chain("workflows", "init", code=1).err
    assert by_status(chain) == {"completed": 3}
    assert chain.json("workflows", "init", 1)["run_id"] == 2
    assert by_status(chain) == {"ready": 2, "blocked": 1}
    chain("workflows", "init", 1, "--no-prompts")


def test_reinit_leaves_what_still_holds(chain):
    chain("workflows", "reinit")
    assert by_status(chain) == {"completed": 3}
    assert chain.json("status")["run_id"] == 2


def reasons(torc):
    body = torc.json("workflows", "reinit", "--dry-run")
    assert body["safe"] is True
    return {job["name"]: (job["reason"], job["cause"]) for job in body["jobs"]}


def test_a_preview_of_reinit_says_which_jobs_run_again_and_why(chain):
    assert reasons(chain) == {}
    chain.write("in.txt", "2")
    os.utime(chain.path / "in.txt", (1e9, 1e9))
    assert reasons(chain) == {
        "one": ("input changed", "in.txt"), "two": ("follows a job that runs again", "one"),
    }  # fmt: skip
    lines = chain("workflows", "reinit", "--dry-run").lines
    assert "  two: depends on one, which runs again" in lines
    assert any(
        line.startswith("  one: input in.txt changed (mtime ") and line.endswith("-> 2001-09-09T01:46:40.000Z)")
        for line in lines
    )
    assert by_status(chain) == {"completed": 3}
    assert chain.json("workflows", "reinitialize")["run_id"] == 2
    assert by_status(chain) == {"completed": 1, "ready": 1, "blocked": 1}


def test_a_missing_output_and_a_changed_command_run_again(chain):
    (chain.path / "out.txt").unlink()
    assert reasons(chain)["two"] == ("output is missing", "out.txt")
    chain("workflows", "reinit")
    chain("run", 1)
    chain("jobs", "update", ids(chain)["other"], "-c", "echo different")
    assert reasons(chain) == {"other": ("definition changed", "command")}


def test_what_did_not_succeed_runs_again(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    assert reasons(torc) == {"right": ("did not succeed", "failed"), "bottom": ("did not succeed", "canceled")}


def test_resetting_a_workflow_reports_its_steps(chain):
    body = chain.json("workflows", "reset-status", 1)
    assert body["operations"] == {"workflow_reset": True, "job_reset": True, "reinitialize": None}
    assert (body["status"], body["failed_only"], len(body["messages"])) == ("success", False, 2)
    assert by_status(chain) == {"uninitialized": 3}
    body = chain.json("workflows", "reset-status", 1, "-r")
    assert body["operations"]["reinitialize"] is True
    assert by_status(chain) == {"ready": 2, "blocked": 1}


def test_resetting_only_what_failed(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    done = torc("workflows", "reset-status", 1, "--failed-only", "--no-prompts")
    assert done.lines[-1] == "Begin the next run with: torc workflows reinit 1"
    assert by_status(torc) == {"completed": 2, "uninitialized": 2}
    torc("workflows", "reinit", 1)
    assert torc.json("run", 1)["failed"] == 1


def test_a_reset_that_fails_says_which_step_did(chain):
    (chain.path / "in.txt").unlink()
    done = chain("workflows", "reset-status", 1, "--reinitialize", "-f", "json", code=1)
    assert done.json["operations"] == {"workflow_reset": True, "job_reset": True, "reinitialize": False}
    assert done.json["status"] == "error"
    assert "in.txt" in done.json["errors"][0]
    assert done.error["status"] == "error"


def ids(torc):
    return {job["name"]: job["id"] for job in torc.items("jobs", "list")}


def test_jobs_are_reset_with_what_follows_them(chain):
    known = ids(chain)
    body = chain.json("jobs", "reset-status", known["one"], "--dry-run")
    assert [job["name"] for job in body["jobs"]] == ["one"]
    assert [job["name"] for job in body["downstream_jobs"]] == ["two"]
    assert by_status(chain) == {"completed": 3}
    body = chain.json("jobs", "reset-status", known["one"])
    assert (body["status"], body["reset_count"], body["reset_job_ids"]) == ("success", 1, [known["one"]])
    assert body["next_steps"] == ["torc workflows reinit 1 --only-reset"]
    assert by_status(chain) == {"completed": 1, "uninitialized": 2}


def test_jobs_are_chosen_by_status_or_return_code(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    by_code = torc.json("jobs", "reset-status", "--return-code", 3, "--workflow-id", 1, "--dry-run")
    assert [job["name"] for job in by_code["jobs"]] == ["right"]
    words = ("jobs", "reset-status", "--status", "failed,canceled", "--workflow-id", 1)
    rows = torc(*words, "--dry-run").lines
    assert [line.split()[1] for line in rows[2:4]] == ["right", "bottom"]
    body = torc.json(*words, "--reinit")
    assert body["reinit"] == {"requested": True, "applied": True}
    assert by_status(torc) == {"completed": 2, "ready": 1, "blocked": 1}


def test_only_the_chosen_jobs_run_again(torc):
    jobs = [{"name": name, "command": "exit 3"} for name in ("one", "two", "three")]
    torc("run", torc.write("s.json", json.dumps({"name": "s", "jobs": jobs})))
    known = ids(torc)
    done = torc("jobs", "reset-status", known["one"], "--reinit", "--no-prompts")
    assert done.lines == [
        "Reset 1 job and 0 downstream", "Reinitialized workflow 1 for run 2: 1 job ready. Run it with: torc run 1",
    ]  # fmt: skip
    assert by_status(torc) == {"ready": 1, "failed": 2}
    torc("run", 1)
    done = torc("jobs", "reset-status", known["two"], "--no-prompts")
    assert done.lines[-1] == "Begin the next run with: torc workflows reinit 1 --only-reset"
    assert torc("run", 1).lines[0].endswith("Go on with: torc workflows reinit 1 --only-reset && torc run 1")
    assert torc("workflows", "reinit", 1, "--only-reset", "--dry-run").lines[0] == "No finished job runs again."
    torc("workflows", "reinit", 1, "--only-reset", "--wait-timeout", 60)
    assert by_status(torc) == {"ready": 1, "failed": 2}
    assert [job["run_id"] for job in torc.items("results", "list", 1, "--all-runs", "-j", known["two"])] == [1]


def test_a_reset_job_behind_a_failure_is_canceled_again_and_that_is_said(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    done = torc("jobs", "reset-status", ids(torc)["bottom"], "--reinit", "--no-prompts")
    assert done.lines[-1] == "Reinitialized workflow 1 for run 2: 0 jobs ready. Why: torc diagnose 1"
    assert by_status(torc) == {"completed": 2, "failed": 1, "canceled": 1}
    assert "1 job that waits for it was canceled" in torc("diagnose", 1).out


def test_jobs_have_to_be_chosen_in_one_way_and_to_exist(chain):
    assert "exactly one way" in chain("jobs", "reset-status", code=2).err
    assert "exactly one way" in chain("jobs", "reset-status", 1, "--return-code", 0, code=2).err
    assert "'bogus' is not a status" in chain(
        "jobs", "reset-status", "--status", "bogus", "--workflow-id", 1, code=2
    ).err  # fmt: skip
    assert "no job" in chain("jobs", "reset-status", "--return-code", 77, "--workflow-id", 1, code=1).err
    none = chain("jobs", "reset-status", "--return-code", 77, "--workflow-id", 1, "-f", "json", code=1)
    assert none.error == {
        "status": "error", "workflow_id": 1, "reset_count": 0, "reset_job_ids": [], "message": "no job matches",
        "error": "no job matches",
    }  # fmt: skip
    chain("jobs", "reset-status", 99, code=1)


def test_a_reset_shows_the_jobs_and_warns_of_those_that_went_well(chain):
    known = ids(chain)
    done = chain("jobs", "reset-status", known["one"], "--no-prompts")
    assert f"  {known['one']} one (completed, chosen)" in done.err.splitlines()
    assert f"  {known['two']} two (completed, downstream)" in done.err.splitlines()
    assert "2 of these jobs have completed and will run again" in done.err


def test_a_reset_of_a_job_that_runs_needs_force(torc):
    id = torc.create("name: w\njobs:\n  - {name: j, command: 'true'}\n")
    torc("workflows", "init", id)
    service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
    service.claim_next_jobs(id)
    service.close()
    assert "'j' is running or about to" in torc("jobs", "reset-status", 1, "--no-prompts", code=1).err
    torc("jobs", "reset-status", 1, "--no-prompts", "--force")
    assert by_status(torc) == {"uninitialized": 1}


# again


def test_run_of_a_finished_workflow_says_that_nothing_has_changed_and_does_nothing(chain):
    done = chain("run", 1)
    assert done.lines == [
        "Nothing to run in workflow 1. The workflow is complete; all went well.",
        "Nothing has changed since run 1. Run all of it again with: torc run 1 --rerun-all",
    ]
    assert chain.json("run", 1)["changed_jobs"] == []
    assert chain.json("status")["run_id"] == 1
    assert len(chain.items("results", "list", "--all-runs")) == 3


def test_a_workflow_that_never_ran_is_not_offered_to_run_again(torc):
    done = torc("run", torc.write("s.yaml", "name: w\njobs: []"))
    [line] = done.lines
    assert "has no jobs" in line


def test_run_of_a_finished_workflow_says_what_is_out_of_date(chain):
    chain("jobs", "update", ids(chain)["one"], "-c", "cat in.txt in.txt > mid.txt")
    done = chain("run", 1)
    assert done.lines[1:] == [
        "Out of date: 2 jobs. Run again what has changed with: torc run 1 --rerun", "  one: command changed",
        "  two: depends on one, which runs again",
    ]  # fmt: skip
    assert sorted(chain.json("run", 1)["changed_jobs"]) == ["one", "two"]
    assert chain.json("status")["run_id"] == 1


def test_rerun_runs_what_has_changed_and_nothing_when_nothing_has(chain):
    assert "Nothing has changed since run 1" in chain("run", 1, "--rerun").out
    (chain.path / "out.txt").unlink()
    done = chain("run", 1, "--rerun")
    assert done.lines[0].startswith("1 completed")
    assert "two: output out.txt is missing" in done.err
    assert {(r["job_id"], r["run_id"]) for r in chain.items("results", "list", "--all-runs")} == {
        *((id, 1) for id in ids(chain).values()), (ids(chain)["two"], 2),
    }  # fmt: skip


def test_rerun_all_runs_everything_again(chain):
    assert chain("run", 1, "--rerun-all").lines[0].startswith("3 completed")
    assert chain.json("status")["run_id"] == 2


def test_rerun_takes_up_what_failed_or_was_canceled(torc):
    torc("run", torc.write("s.yaml", DIAMOND))
    (torc.path / "top.txt").write_text("other")
    torc("jobs", "update", ids(torc)["right"], "-c", "true")
    assert torc.json("run", 1, "--rerun")["failed"] == 0
    assert by_status(torc) == {"completed": 4}
