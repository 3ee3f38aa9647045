"""What a dry run reports, and the expanded spec that gives the same plan again."""

from __future__ import annotations

import json

from tests.unit.spec.small_specs import nowhere, plan, spec
from torc_core.spec.plan import PlannedJob
from torc_core.spec.read import check_data
from torc_core.spec.report import as_data, as_lines
from torc_core.spec.write import spec_data

RICH = spec(
    [
        {"name": "late", "depends_on_regexes": ["^work_"], "input_user_data": ["u"], "priority": 2},
        {
            "name": "work_{i:02d}",
            "command": "run {i} ${files.input.in_{i}} > ${files.output.out}",
            "labels": ["b", "a"],
            "parameters": {"i": "1:3"},
            "resource_requirements": "r",
            "failure_handler": "h",
            "env": {"A": "{i}"},
            "invocation_script": "s",
            "cancel_on_blocking_job_failure": False,
            "supports_termination": True,
            "stdio": {"mode": "combined"},
        },
    ],
    description="all kinds of things",
    env={"B": "1"},
    files=[
        {"name": "in_{i}", "path": "/d/{i}", "parameters": {"i": "1:3"}, "st_mtime": 1.5},
        {"name": "out", "path": "o"},
    ],
    user_data=[{"name": "u", "data": {"k": [1, None]}, "is_ephemeral": True}],
    resource_requirements=[{"name": "r", "num_cpus": 2, "memory": "1g", "runtime": "PT5M"}],
    failure_handlers=[{"name": "h", "rules": [{"exit_codes": [3], "max_retries": 4}]}],
    slurm_schedulers=[{"name": "s", "account": "a"}],
    slurm_defaults={"qos": "low"},
    resource_monitor={"enabled": True, "granularity": "time_series"},
    execution_config={"mode": "direct", "oom_exit_code": 99},
    actions=[
        {
            "trigger_type": "on_jobs_ready",
            "action_type": "schedule_nodes",
            "scheduler": "s",
            "scheduler_type": "slurm",
            "jobs": ["late"],
        },
        {"trigger_type": "on_workflow_complete", "action_type": "run_commands", "commands": ["echo done"]},
    ],
)


def as_comparable(planned):
    jobs = [{slot: getattr(job, slot) for slot in PlannedJob.__slots__ if slot != "path"} for job in planned.jobs]
    files = [(f.name, f.path, f.st_mtime, f.identifier) for f in planned.files]
    data = [(d.name, d.data, d.is_ephemeral) for d in planned.data]
    rest = (planned.workflow, planned.requirements, planned.schedulers, planned.handlers, planned.actions)
    return jobs, files, data, rest


def test_the_expanded_spec_gives_the_same_plan_again():
    planned = plan(RICH)
    written = json.loads(json.dumps(spec_data(planned)))  # plain data only
    assert as_comparable(plan(written)) == as_comparable(planned)


def test_the_expanded_spec_has_no_parameters_patterns_or_variables_left():
    written = spec_data(plan(RICH))
    assert [job["name"] for job in written["jobs"]] == ["work_01", "work_02", "work_03", "late"]
    first, last = written["jobs"][0], written["jobs"][3]
    assert first["command"] == "run 1 /d/1 > o"
    assert first["input_files"] == ["in_1"]
    assert last["depends_on"] == ["work_01", "work_02", "work_03"]
    assert "parameters" not in json.dumps(written)
    assert "regexes" not in json.dumps(written)


def test_defaults_are_not_written():
    assert spec_data(plan(spec([{"name": "j"}]))) == {"name": "w", "jobs": [{"name": "j", "command": "true"}]}


def test_the_report_counts_before_and_after_expansion():
    summary = as_data(plan(RICH))["summary"]
    assert summary == {
        "workflow_name": "w",
        "workflow_description": "all kinds of things",
        "job_count": 4,
        "job_count_before_expansion": 2,
        "file_count": 4,
        "file_count_before_expansion": 2,
        "user_data_count": 1,
        "resource_requirements_count": 1,
        "slurm_scheduler_count": 1,
        "action_count": 2,
        "has_schedule_nodes_action": True,
        "job_names": ["work_01", "work_02", "work_03", "late"],
        "scheduler_names": ["s"],
    }


def test_the_report_is_json_with_every_problem():
    data = spec(
        [{"name": "a", "depends_on": ["b"]}], resource_requirements=[{"name": "r", "num_cpus": 0, "memory": "1g"}]
    )
    made = as_data(check_data(data, nowhere, "s.json"))
    assert json.loads(json.dumps(made)) == made
    assert made["valid"] is False
    assert len(made["errors"]) == 1
    assert "dep-missing" in made["errors"][0]
    assert len(made["warnings"]) == 1
    error = next(p for p in made["problems"] if p["severity"] == "error")
    assert (error["code"], error["path"], error["file"], error["found"]) == (
        "dep-missing",
        "jobs[0].depends_on[0]",
        "s.json",
        "b",
    )


def test_lines_for_people_end_with_the_verdict():
    passed = as_lines(plan(spec([{"name": "j{i}", "parameters": {"i": "1:3"}}], description="d")))
    assert passed.err == []
    assert passed.out[1] == "=" * len(passed.out[0])
    assert passed.out[-1] == "Validation: PASSED"
    text = "\n".join(passed.out)
    assert "Workflow: w" in text
    assert "Description: d" in text
    assert "3 (expanded from 1 job specification)" in text
    assert "runs locally" in text


def test_lines_with_warnings_pass_and_count_them():
    found = as_lines(plan(spec([{"name": "j", "command": "awk '{print}'"}])))
    assert found.out[-1] == "Validation: PASSED (with 1 warning(s))"
    assert found.err[0] == "Warnings (1):"
    assert found.err[1].startswith("  - s.json: warning[token-left]")


def test_lines_with_errors_fail_on_standard_error():
    found = as_lines(check_data(spec([{"name": "j", "depends_on": ["k"]}]), nowhere, "s.json"))
    assert found.err[0] == "Errors (1):"
    assert found.err[-1] == "Validation: FAILED"
    assert not any("Validation" in line for line in found.out[2:])


def test_only_triggers_that_submit_count_for_schedulers():
    action = {"action_type": "schedule_nodes", "scheduler": "s", "scheduler_type": "slurm"}
    schedulers = [{"name": "s", "account": "a"}]
    for trigger, expected in (("on_workflow_start", True), ("on_worker_start", False)):
        planned = plan(spec(actions=[action | {"trigger_type": trigger}], slurm_schedulers=schedulers))
        assert as_data(planned)["summary"]["has_schedule_nodes_action"] is expected
