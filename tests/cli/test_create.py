"""``torc create`` and ``torc execution-plan``."""

import json

from tests.cli.programs import DIAMOND

SUMMARY_KEYS = {
    "workflow_name", "workflow_description", "job_count", "job_count_before_expansion", "file_count",
    "file_count_before_expansion", "user_data_count", "resource_requirements_count", "slurm_scheduler_count",
    "action_count", "has_schedule_nodes_action", "job_names", "scheduler_names",
}  # fmt: skip
SLURM = """
name: nodes
resource_requirements: [{name: small, num_cpus: 1, memory: 1g, runtime: PT1H}]
slurm_schedulers: [{name: big, account: proj}]
failure_handlers: [{name: again, rules: [{exit_codes: [9], max_retries: 2}]}]
user_data: [{name: numbers, data: {a: [1, 2]}}]
files: [{name: f, path: f.txt}]
resource_monitor: {enabled: true, sample_interval_seconds: 7}
env: {LEVEL: "1"}
jobs:
  - {name: a, command: echo a, scheduler: big, failure_handler: again, output_files: [f], priority: 3}
  - name: b
    command: echo b
    input_files: [f]
    input_user_data: [numbers]
    resource_requirements: small
    env: {E: e}
    labels: [x]
actions:
  - trigger_type: on_workflow_start
    action_type: schedule_nodes
    scheduler: big
    scheduler_type: slurm
    num_allocations: 2
  - {trigger_type: on_jobs_complete, action_type: run_commands, jobs: [a], commands: [echo done]}
"""


def test_a_workflow_is_stored_and_named(torc):
    spec = torc.write("s.yaml", DIAMOND)
    assert torc("create", spec).out.startswith("Created workflow 1")
    body = torc.json("workflows", "create", spec)
    assert (body["workflow_id"], body["status"], body["message"]) == (2, "success", "Created workflow 2")
    workflow = torc.json("workflows", "get", 2)
    assert (workflow["name"], workflow["user"], workflow["description"]) == ("diamond", "ada", "four jobs")
    assert workflow["submission_directory"] == str(torc.path)


def test_a_dry_run_reports_as_the_reference_says(torc):
    body = torc.json("create", torc.write("s.yaml", DIAMOND), "--dry-run")
    assert (body["valid"], body["errors"], body["warnings"]) == (True, [], [])
    assert set(body["summary"]) >= SUMMARY_KEYS
    assert body["summary"]["job_count"] == 4
    done = torc("create", "s.yaml", "--dry-run")
    assert done.lines[-1] == "Validation: PASSED"


def test_a_dry_run_of_a_bad_spec_fails_with_all_errors(torc):
    jobs = "  - {name: a, command: x, depends_on: [b]}\n  - {name: a, command: x}\n"
    spec = torc.write("s.yaml", f"name: w\njobs:\n{jobs}")
    body = torc.json("create", spec, "--dry-run", code=1)
    assert body["valid"] is False
    assert len(body["errors"]) >= 2
    assert all("s.yaml:" in error for error in body["errors"])
    done = torc("create", spec, "--dry-run", code=1)
    assert "Validation: FAILED" in done.out + done.err
    assert "s.yaml:3:" in done.err


def test_a_bad_spec_stores_nothing(torc):
    torc("create", torc.write("s.yaml", "name: w\njobs: [{name: a}]"), code=1)
    assert not (torc.path / "torc_output").exists()


def test_monitoring_can_be_switched_off(torc):
    torc("create", torc.write("s.yaml", SLURM), "--skip-checks")
    assert torc.json("workflows", "get")["resource_monitor_config"]["sample_interval_seconds"] == 7
    torc("create", "s.yaml", "--no-resource-monitoring", "--skip-checks")
    assert torc.json("workflows", "get", 2)["resource_monitor_config"] == {"enabled": False}


def test_a_stored_workflow_gives_the_plan_that_it_was_made_of(torc):
    from torc_core.cli.app import App
    from torc_core.service.databases import database_of, open_database
    from torc_core.service.stored_plan import plan_of
    from torc_core.spec.write import spec_data

    torc("create", torc.write("s.yaml", SLURM), "--skip-checks")
    torc("spec", "expand", "s.yaml", "--to", "json", "-o", "expanded.json")
    database = database_of(str(torc.path / "torc_output/torc.db"))
    service = open_database(App().host, database, "ada", create=False)
    try:
        stored = spec_data(plan_of(service, 1))
    finally:
        service.close()
    expanded = json.loads((torc.path / "expanded.json").read_text())
    for section in ("files", "failure_handlers", "actions", "env"):
        assert stored[section] == expanded[section], section
    assert {k: stored["slurm_schedulers"][0][k] for k in ("name", "account")} == {"name": "big", "account": "proj"}
    assert stored["resource_monitor"].items() >= expanded["resource_monitor"].items()
    assert stored["user_data"][0]["data"] == {"a": [1, 2]}
    a, b = ({job["name"]: job for job in data["jobs"]} for data in (stored, expanded))
    assert {**a["b"]} == b["b"]
    assert {k: v for k, v in a["a"].items() if k != "resource_requirements"} == b["a"]  # the default has a name there


def test_the_execution_plan_of_a_spec_and_of_a_stored_workflow_agree(torc):
    torc.create(DIAMOND)
    of_spec, stored = torc.json("execution-plan", "spec.yaml"), torc.json("workflows", "execution-plan", 1)
    assert (of_spec.pop("source"), stored.pop("source"), stored.pop("workflow_id")) == ("spec_file", "database", 1)
    assert of_spec == stored
    assert (of_spec["status"], of_spec["workflow_name"], of_spec["total_jobs"]) == ("success", "diamond", 4)
    start, *_ = of_spec["events"]
    assert (start["id"], start["trigger"], start["jobs_becoming_ready"]) == (
        "start",
        {"type": "WorkflowStart"},
        ["top"],
    )
    last = of_spec["events"][-1]
    assert sorted(last["trigger"]["data"]["jobs"]) == ["left", "right"]
    assert last["jobs_becoming_ready"] == ["bottom"]


def test_the_execution_plan_of_a_stored_workflow_has_its_allocations(torc):
    torc("create", torc.write("s.yaml", SLURM), "--skip-checks")
    plans = [torc.json("execution-plan", name, "--skip-checks") for name in ("s.yaml", "1")]
    allocations = [plan["events"][0]["scheduler_allocations"] for plan in plans]
    assert allocations[0] == allocations[1]
    assert (allocations[0][0]["scheduler"], allocations[0][0]["num_allocations"]) == ("big", 2)


def test_the_execution_plan_for_people(torc):
    done = torc("execution-plan", torc.write("s.yaml", DIAMOND))
    assert done.lines[0] == "Execution plan: diamond"
    assert any("top" in line and "left" in line for line in done.lines)
    torc.create(DIAMOND)
    assert torc("execution-plan").out == done.out


def test_the_execution_plan_of_a_bad_spec_is_an_error(torc):
    spec = "name: w\njobs: [{name: a, command: x, depends_on: [b]}, {name: b, command: x, depends_on: [a]}]"
    done = torc("execution-plan", torc.write("s.yaml", spec), code=1)
    assert done.out == ""
    assert "error" in done.err


def test_the_graph_is_written_for_programs_that_draw(torc):
    spec = torc.write("s.yaml", DIAMOND)
    text = torc("execution-plan", spec, "--format-graph", "dot").out
    assert text.startswith("digraph ")
    assert text.count(" -> ") == 4
    assert text.endswith("}\n")
    assert torc("execution-plan", spec, "--format-graph", "mermaid", "--collapse").out.startswith("flowchart LR\n")
    assert torc.json("execution-plan", spec, "--format-graph", "dot")["graph"] == text
    torc("create", spec)
    assert torc("execution-plan", "1", "--format-graph", "dot").out.count(" -> ") == 4
    torc("execution-plan", spec, "--format-graph", "png", code=2)
    assert "--format-graph" in torc("execution-plan", spec, "--collapse", code=2).err
