"""Sections other than jobs: what the plan holds of them, and rules that need more than one field."""

from __future__ import annotations

import pytest

from tests.unit.spec.small_specs import plan, problem, problems, spec
from torc_core.spec.slurm import gpus_of
from torc_core.spec.walltime import parse_walltime
from torc_core.units import UnitError

RR = {"name": "r", "num_cpus": 1, "memory": "1g", "runtime": "PT1M"}
SCHED = {"name": "s", "account": "a", "walltime": "02:00:00"}
NODES = {
    "trigger_type": "on_workflow_start",
    "action_type": "schedule_nodes",
    "scheduler": "s",
    "scheduler_type": "slurm",
}


def codes(data, **options):
    return [p.code for p in problems(data, **options) if p.severity == "error"]


# workflow


def test_the_workflow_keeps_what_was_written_and_no_more():
    made = plan(spec(description="d", project="p", user="somebody", use_pending_failed=True)).workflow
    assert made == {"name": "w", "description": "d", "project": "p", "use_pending_failed": True}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"a": 1}, {"a": 1}),
        ('{"a": 1}', {"a": 1}),
        ("free text", "free text"),
        ("[1]", "[1]"),
        ("[" * 100_000, "[" * 100_000),
    ],
)
def test_metadata_is_an_object_or_its_json_text(given, kept):
    assert plan(spec(metadata=given)).workflow["metadata"] == kept


def test_the_environment_takes_shared_parameters_with_one_value():
    made = plan(
        spec(
            env={"A": "x{one:03d}", "B": "{many}", "C": "{other}", "D": "{f}"},
            parameters={"one": "7", "many": "1:3", "f": 0.5},
        )
    )
    assert made.workflow["env"] == {"A": "x007", "B": "1:3", "C": "{other}", "D": "0.5"}


def test_an_execution_config_of_defaults_is_not_kept():
    assert "execution_config" not in plan(spec(execution_config={"mode": "direct", "oom_exit_code": 137})).workflow
    kept = plan(spec(execution_config={"mode": "auto", "stdio": {"mode": "combined"}})).workflow["execution_config"]
    assert kept == {"mode": "auto", "stdio": {"mode": "combined", "delete_on_success": False}}
    assert type(kept["mode"]) is str


def test_slurm_defaults_keep_scalars_only():
    assert plan(spec(slurm_defaults={"qos": "high", "x": None, "y": [1], "n": 3, "b": True})).workflow[
        "slurm_defaults"
    ] == {
        "qos": "high",
        "n": 3,
        "b": True,
    }


def test_null_is_the_same_as_absent():
    job = {"name": "j", "depends_on": None, "priority": None, "parameters": None, "stdio": None}
    assert plan(spec([job], files=None, actions=None)).jobs[0].priority == 0


def test_job_flags_and_settings_reach_the_plan():
    job = {
        "name": "j",
        "cancel_on_blocking_job_failure": False,
        "supports_termination": True,
        "priority": 3,
        "stdio": {"mode": "none"},
    }
    [made] = plan(spec([job])).jobs
    assert (made.cancel_on_failure, made.supports_termination, made.priority) == (False, True, 3)
    assert made.stdio == {"mode": "none", "delete_on_success": False}
    assert made.path == ("jobs", 0)


def test_entries_keep_their_defaults():
    made = plan(
        spec(
            resource_requirements=[{"name": "r", "num_cpus": 2, "memory": "1g"}],
            slurm_schedulers=[{"name": "s", "account": "a"}],
        )
    )
    assert made.requirements == [
        {"name": "r", "num_cpus": 2, "memory": "1g", "num_gpus": 0, "num_nodes": 1, "runtime": "PT1H"}
    ]
    assert made.schedulers[0] | {"nodes": 1, "walltime": "01:00:00", "account": "a"} == made.schedulers[0]


def test_unnamed_entries_are_left_out_and_positions_still_fit():
    job = {"name": "j", "scheduler": "s"}
    made = plan(spec([job], slurm_schedulers=[{"account": "x"}, SCHED], user_data=[{"data": 1}, {"name": "u"}]))
    assert [s["name"] for s in made.schedulers] == ["s"]
    assert made.jobs[0].scheduler == 0
    assert [u.name for u in made.data] == ["u"]


def test_entries_with_wrong_values_can_still_be_referred_to():
    job = {"name": "j", "scheduler": "s", "resource_requirements": "r"}
    data = spec(
        [job],
        resource_requirements=[{"name": "r", "num_cpus": "x", "memory": 1, "num_nodes": None}],
        slurm_schedulers=[{"name": "s", "nodes": "x", "walltime": 5, "account": "a"}],
        actions=[NODES],
    )
    assert codes(data) == ["type"] * 4


def test_failure_rules_are_kept_in_order():
    rules = [{"exit_codes": [2], "recovery_script": "x"}, {"match_all_exit_codes": True, "max_retries": 5}]
    [made] = plan(spec(failure_handlers=[{"name": "h", "rules": rules}])).handlers
    assert made["name"] == "h"
    assert [rule | given == rule for rule, given in zip(made["rules"], rules, strict=True)] == [True, True]
    assert made["rules"][0]["max_retries"] == 3


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("delay_seconds", -1, "between 0 and 2592000 seconds, which are 30 days"),
        ("delay_seconds", 2592001, "between 0 and 2592000 seconds"),
        ("max_delay_seconds", -0.5, "between 0 and 2592000 seconds"),
        ("backoff", 0.5, "must be 1 or more"),
        ("backoff", float("inf"), "must be 1 or more"),
        ("delay_seconds", "PT1M", "expected a number"),
    ],
)
def test_delays_before_retries_are_checked(field, value, said):
    rule = {"exit_codes": [1], "delay_seconds": 1, field: value}
    found = problems(spec(failure_handlers=[{"name": "h", "rules": [rule]}]))
    assert [(p.path, said in p.message) for p in found] == [(("failure_handlers", 0, "rules", 0, field), True)]


def test_delays_before_retries_are_kept_as_written_and_left_out_when_not():
    rules = [{"exit_codes": [1], "delay_seconds": 1.5, "backoff": 2, "max_delay_seconds": 60}, {"exit_codes": [2]}]
    [made] = plan(spec(failure_handlers=[{"name": "h", "rules": rules}])).handlers
    assert made["rules"][0] | rules[0] == made["rules"][0]
    assert {"delay_seconds", "backoff", "max_delay_seconds"}.isdisjoint(made["rules"][1])


# provenance identifiers

READ = {"name": "j", "input_files": ["f"]}


@pytest.mark.parametrize(
    ("identifier", "job", "ok"),
    [
        ("https://x/1", READ, True),
        (" ", READ, False),
        ("q", READ, False),
        ("#torc-1", READ, False),
        ("#software-1", READ, False),
        ("#job-1", READ, False),
        ("./", READ, False),
        ("ro-crate-metadata.json", READ, False),
        ("https://x/1", {"name": "j", "output_files": ["f"]}, False),
        ("https://x/1", {"name": "j"}, False),
    ],
)
def test_identifiers_of_files(identifier, job, ok):
    files = [{"name": "f", "path": "p", "identifier": identifier}, {"name": "g", "path": "q"}]
    assert codes(spec([job], files=files, enable_ro_crate=True)) == ([] if ok else ["identifier"])


def test_an_identifier_is_used_once():
    files = [{"name": n, "path": n, "identifier": "x", "st_mtime": 1.0} for n in "ab"]
    assert problem(spec(files=files, enable_ro_crate=True), "identifier").path == ("files", 1, "identifier")


# actions


def test_actions_keep_what_their_type_uses():
    nodes = NODES | {"max_parallel_jobs": 4, "commands": ["x"], "persistent": True}
    commands = {
        "trigger_type": "on_jobs_complete",
        "action_type": "run_commands",
        "commands": ["y"],
        "jobs": ["b"],
        "job_name_regexes": ["^a"],
    }
    made = plan(
        spec([{"name": n} for n in ("a1", "a2", "b")], slurm_schedulers=[SCHED], actions=[nodes, commands])
    ).actions
    assert made == [
        {
            "trigger_type": "on_workflow_start",
            "action_type": "schedule_nodes",
            "scheduler_type": "slurm",
            "scheduler": 0,
            "num_allocations": 1,
            "start_one_worker_per_node": False,
            "max_parallel_jobs": 4,
            "persistent": True,
        },
        {
            "trigger_type": "on_jobs_complete",
            "action_type": "run_commands",
            "commands": ["y"],
            "jobs": [0, 1, 2],
            "persistent": False,
        },
    ]


def test_an_action_for_another_scheduler_type_has_no_position():
    made = plan(spec(actions=[NODES | {"scheduler_type": "pbs"}])).actions[0]
    assert made["scheduler_type"] == "pbs"
    assert "scheduler" not in made


# Slurm


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 1800),
        ("04:00", 14_400),
        ("04:00:00", 14_400),
        ("1-12:00:00", 129_600),
        ("2-00", 172_800),
        ("00:00:30", 30),
    ],
)
def test_walltimes(text, seconds):
    assert parse_walltime(text) == seconds


@pytest.mark.parametrize("text", ["", "4h", "1:2:3:4", "-1", "1-", "PT1H", "１"])
def test_what_is_no_walltime_is_refused(text):
    with pytest.raises(UnitError):
        parse_walltime(text)


@pytest.mark.parametrize(
    ("gres", "count"),
    [
        (None, 0),
        ("gpu:2", 2),
        ("gpu", 1),
        ("gpu:a100:4", 4),
        ("gpu:a100", 1),
        ("craynetwork:1,gpu:3", 3),
        ("gpu:2(S:0-1)", 2),
        ("nogpu:3", 0),
    ],
)
def test_gpus_in_generic_resources(gres, count):
    assert gpus_of(gres) == count


@pytest.mark.parametrize(
    ("needs", "scheduler", "ok"),
    [
        ({"runtime": "PT2H"}, {}, True),
        ({"runtime": "PT2H1S"}, {}, False),
        ({"memory": "4g"}, {"mem": "4096"}, True),  # a bare number counts MiB
        ({"memory": "4g"}, {"mem": "4095M"}, False),
        ({"memory": "4g"}, {"mem": "4G"}, True),
        ({"memory": "900g"}, {}, True),
        ({"memory": "900g"}, {"mem": "0"}, True),  # the whole node
        ({"num_gpus": 2}, {"gres": "gpu:2"}, True),
        ({"num_gpus": 2}, {"gres": "gpu:1"}, False),
        ({"num_gpus": 1}, {}, False),
        ({"num_gpus": 1}, {"extra": "--gpus-per-node=1"}, True),
    ],
)
def test_a_job_must_fit_its_scheduler(needs, scheduler, ok):
    job = {"name": "j", "scheduler": "s", "resource_requirements": "r"}
    data = spec([job], resource_requirements=[RR | needs], slurm_schedulers=[SCHED | scheduler])
    assert codes(data) == ([] if ok else ["fit"])
    assert codes(data, skip_checks=True) == []


def test_a_job_without_a_scheduler_must_fit_one_of_them():
    job = {"name": "j", "resource_requirements": "r"}
    small, large = SCHED, SCHED | {"name": "l", "walltime": "9:00:00"}
    needs = [RR | {"runtime": "PT5H"}]
    assert codes(spec([job], resource_requirements=needs, slurm_schedulers=[small])) == ["fit"]
    assert codes(spec([job], resource_requirements=needs, slurm_schedulers=[small, large])) == []


def test_jobs_that_do_not_fit_are_told_once_with_their_number():
    job = {"name": "j{i}", "resource_requirements": "r", "parameters": {"i": "1:40"}}
    found = problem(spec([job], resource_requirements=[RR | {"runtime": "PT5H"}], slurm_schedulers=[SCHED]), "fit")
    assert '"j1" and 39 more' in found.message


def test_schedulers_of_one_node_are_left_to_the_runner():
    job = {"name": "j", "scheduler": "s", "resource_requirements": "r"}
    data = spec([job], resource_requirements=[RR | {"num_nodes": 2}], slurm_schedulers=[SCHED], actions=[NODES])
    assert codes(data) == []


@pytest.mark.parametrize(
    ("num_nodes", "action", "ok"),
    [(1, {}, True), (4, {}, True), (2, {}, False), (8, {}, False), (2, {"start_one_worker_per_node": True}, True)],
)
def test_jobs_of_several_nodes_need_the_number_that_is_allocated(num_nodes, action, ok):
    job = {"name": "j", "scheduler": "s", "resource_requirements": "r"}
    data = spec(
        [job],
        resource_requirements=[RR | {"num_nodes": num_nodes}],
        slurm_schedulers=[SCHED | {"nodes": 4}],
        actions=[NODES | action],
    )
    assert codes(data) == ([] if ok else ["node-mismatch"])
    assert codes(data, skip_checks=True) == []


@pytest.mark.parametrize(
    "key", ["partition", "nodes", "WALLTIME", "time", "mem", "gres", "name", "job-name", "Job-Name"]
)
def test_sbatch_options_that_schedulers_decide_are_refused(key):
    assert codes(spec(slurm_defaults={key: "x", "account": "fine"})) == ["slurm-defaults"]


def test_mode_auto_counts_as_slurm_when_there_are_schedulers():
    config = {"mode": "auto", "limit_resources": False}
    assert codes(spec(execution_config=config)) == []
    assert codes(spec(execution_config=config, slurm_schedulers=[SCHED])) == ["execution-config"]
