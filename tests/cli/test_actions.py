"""``torc workflows actions`` and its siblings, and actions in whole runs: when they happen, where, what is kept."""

import json

import pytest

SPEC = """
name: acting
env: {COLOR: red}
jobs:
  - {name: one, command: "test -e torc_output/set_up && echo one >> torc_output/order"}
  - {name: two, command: "echo two >> torc_output/order", depends_on: [one]}
actions:
  - {trigger_type: on_workflow_start, action_type: run_commands, commands: ["sleep 0.2; echo start >> order; touch set_up"]}
  - {trigger_type: on_worker_start, action_type: run_commands, commands: ["echo worker >> order"], persistent: true}
  - {trigger_type: on_jobs_complete, action_type: run_commands, jobs: [one, two], commands: ["echo jobs >> order"]}
  - {trigger_type: on_workflow_complete, action_type: run_commands, commands: ["echo whole >> order"]}
  - {trigger_type: on_worker_complete, action_type: run_commands, commands: ["echo leaving >> order"]}
"""  # noqa: E501
TWO = """
name: two
jobs: [{name: j, command: "true"}]
actions:
  - {trigger_type: on_jobs_complete, jobs: [j], action_type: run_commands, commands: ["true", "echo no >&2; exit 3", "touch never"]}
  - {trigger_type: on_workflow_start, action_type: schedule_nodes, scheduler: s, scheduler_type: slurm}
slurm_schedulers: [{name: s, account: a, nodes: 1}]
"""  # noqa: E501


def order(torc):
    return (torc.path / "torc_output" / "order").read_text().split()


def by_trigger(torc, id=1):
    return {a["trigger_type"]: a for a in torc.items("workflows", "actions", id)}


def test_actions_happen_in_their_order_and_set_up_comes_before_jobs(torc):
    torc("run", torc.write("spec.yaml", SPEC))
    assert order(torc) == ["start", "worker", "one", "two", "jobs", "whole", "leaving"]


def test_actions_are_listed_with_progress_and_how_they_went(torc):
    torc("run", torc.write("spec.yaml", SPEC))
    done = torc("workflows", "actions", 1)
    assert done.head == "ID Trigger Action Progress Status Executed At By Went Job IDs"
    rows = {line.split()[1]: line for line in done.lines if line.strip()[:1].isdecimal()}
    assert "2/2" in rows["on_jobs_complete"]
    assert rows["on_jobs_complete"].split()[-3:] == ["completed", "1,", "2"]
    assert "Executed" in rows["on_workflow_complete"]
    assert "Pending (ready to claim)" in rows["on_worker_start"]
    runs = torc.items("workflows", "action-runs", 1)
    assert [(r["status"], r["return_code"], r["done"], r["compute_node_id"]) for r in runs] == [
        ("completed", 0, 1, 1)
    ] * 5
    assert all((torc.path / r["log"]).exists() for r in runs)


def test_list_actions_is_the_same_command(torc):
    torc("run", torc.write("spec.yaml", SPEC))
    assert torc("workflows", "list-actions", 1).out == torc("workflows", "actions", 1).out


def test_commands_run_in_the_output_folder_with_the_workflow_s_variables(torc):
    spec = SPEC.replace('["echo worker >> order"]', '["pwd", "env"]')
    torc("run", torc.write("spec.yaml", spec), "--output-dir", "logs", code=None)
    logs = sorted((torc.path / "logs" / "job_stdio").glob("action_wf1_a2_r1_n1_c*.o"))
    assert [log.name[-4:] for log in logs] == ["c1.o", "c2.o"]
    assert logs[0].read_text().strip() == str(torc.path / "logs")
    env = dict(line.partition("=")[::2] for line in logs[1].read_text().splitlines())
    assert env["COLOR"] == "red"
    assert env["TORC_WORKFLOW_ID"] == env["TORC_RUN_ID"] == "1"
    assert (env["TORC_ACTION_ID"], env["TORC_TRIGGER_TYPE"]) == ("2", "on_worker_start")
    assert env["TORC_OUTPUT_DIR"] == env["PWD"] == str(torc.path / "logs")
    assert "TORC_JOB_ID" not in env


def test_a_failure_stops_the_commands_that_follow_and_is_told_but_not_repeated(torc):
    done = torc("run", torc.write("spec.yaml", TWO))
    assert "failed at 'echo no >&2; exit 3' with code 3" in done.err
    assert done.code == 0
    (run,) = torc.items("workflows", "action-runs", 1, "--action-id", 1)
    assert (run["status"], run["done"], run["return_code"]) == ("failed", 1, 3)
    assert (run["command"], run["output"]) == ("echo no >&2; exit 3", "no\n")
    assert not (torc.path / "torc_output" / "never").exists()
    assert "Nothing to run" in torc("run", 1).out
    assert len(torc.items("workflows", "action-runs", 1)) == 1
    (event,) = torc.items("events", "list", 1, "--category", "action")
    assert event["data"]["return_code"] == 3


def test_what_no_runner_here_can_do_stays_and_keeps_nobody(torc):
    torc("run", torc.write("spec.yaml", TWO))
    found = by_trigger(torc)["on_workflow_start"]
    assert (found["trigger_count"], found["executed"]) == (1, False)


def test_commands_that_are_due_when_all_jobs_have_ended_are_carried_out_by_the_next_run(torc):
    id = torc.create(SPEC)
    torc("workflows", "init", id)
    for job in torc.items("jobs", "list", id):
        torc("jobs", "list", id)
        assert job["status"] in ("ready", "blocked")
    from torc_core.records.resources import Result
    from torc_core.service.local import LocalService
    from torc_core.status import JobStatus
    from torc_plugins.storage.sqlite_storage import SqliteStorage

    service = LocalService(SqliteStorage(str(torc.path / "torc_output" / "torc.db")))
    for job_id in (1, 2):
        end = Result(
            workflow_id=id, job_id=job_id, run_id=1, return_code=0, status=JobStatus.COMPLETED, exec_time_minutes=0.0,
            completion_time="2026-01-31T08:00:00.000Z",
        )  # fmt: skip
        service.complete_job(job_id, JobStatus.COMPLETED, 1, end)
    service.close()
    torc("run", id)
    first, *both, whole, leaving = order(torc)
    assert (first, sorted(both), whole, leaving) == ("start", ["jobs", "worker"], "whole", "leaving")
    assert "Nothing to run" in torc("run", id).out


def test_a_new_run_arms_actions_as_documented(torc):
    torc("run", torc.write("spec.yaml", SPEC))
    (torc.path / "torc_output" / "order").unlink()
    torc("jobs", "update", 2, "-c", "echo other >> torc_output/order")
    torc("run", 1, "--rerun")
    assert order(torc) == ["worker", "other", "jobs", "whole", "leaving"]
    (torc.path / "torc_output" / "order").unlink()
    torc("run", 1, "--rerun-all")
    assert order(torc) == ["start", "worker", "one", "other", "jobs", "whole", "leaving"]


def test_an_action_that_schedules_nodes_is_changed_by_options_and_json(torc):
    torc.create(TWO)
    changed = torc.json("workflows", "update-action", 1, 2, "--num-allocations", 3, "--json", '{"num_allocations": 9}')
    assert changed["action_config"]["num_allocations"] == 3
    changed = torc.json(
        "workflows", "update-action", 1, 2, "--scheduler-type", "local", "--scheduler-id", 0,
        "--start-one-worker-per-node", "true", "--max-parallel-jobs", 4,
    )  # fmt: skip
    assert changed["action_config"] == {
        "scheduler_type": "local", "scheduler_id": 0, "num_allocations": 3, "start_one_worker_per_node": True,
        "max_parallel_jobs": 4,
    }  # fmt: skip
    changed = torc.json("workflows", "update-action", 1, 1, "--json", json.dumps({"commands": ["echo hi"]}))
    assert changed["action_config"] == {"commands": ["echo hi"]}


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ((1, 2), 2, "nothing to change"),
        ((1, 2, "--json", "{"), 2, "not JSON"),
        ((1, 2, "--json", "[1]"), 2, "no JSON object"),
        ((1, 1, "--num-allocations", "2"), 1, "does not schedule nodes"),
        ((1, 2, "--num-allocations", "0"), 2, "0"),
        ((1, 1, "--json", '{"commands": []}'), 1, "at least one text"),
        ((1, 9, "--json", "{}"), 2, "nothing to change"),
        ((1, 9, "--num-allocations", "2"), 1, "no action 9"),
    ],
)
def test_a_wrong_change_of_an_action_says_what_is_wrong(torc, words, code, said):
    torc.create(TWO)
    assert said in torc("workflows", "update-action", *words, code=code).err


def test_an_action_is_deleted_after_a_question(torc):
    torc.create(TWO)
    assert "--no-prompts" in torc("workflows", "delete-action", 1, 2, code=1).err
    assert torc.json("workflows", "delete-action", 1, 2) == {"deleted": True, "workflow_id": 1, "action_id": 2}
    torc("workflows", "delete-action", 1, 1, "--no-prompts")
    assert torc("workflows", "actions", 1).out == "No actions.\n"
    torc("workflows", "delete-action", 1, 1, "--no-prompts", code=1)
