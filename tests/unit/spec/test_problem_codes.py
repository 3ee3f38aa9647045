"""Every code of the catalogue: a spec that has the problem, and where it is shown."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import torc_core.spec
from tests.unit.spec.small_specs import RR, J, job, problems, spec
from torc_core.problems import ERROR, NOTE, WARNING
from torc_core.records import values
from torc_core.spec.codes import CODES

FILE = {"name": "f", "path": "p"}
SCHED = {"name": "s", "account": "a"}
RUN = {"trigger_type": "on_workflow_start", "action_type": "run_commands", "commands": ["x"]}
NODES = {
    "trigger_type": "on_workflow_start",
    "action_type": "schedule_nodes",
    "scheduler": "s",
    "scheduler_type": "slurm",
}
JOB_ACTION = RUN | {"trigger_type": "on_jobs_ready"}


def by_pattern(field):
    return ("jobs", 0, field, 0)


CASES = [
    # code, severity, data, path
    ("type", ERROR, job(depends_on="x"), ("jobs", 0, "depends_on")),
    ("type", ERROR, job(supports_termination=1), ("jobs", 0, "supports_termination")),
    ("type", ERROR, spec([J], metadata=[1]), ("metadata",)),
    ("type", ERROR, spec(resource_requirements=[RR | {"num_cpus": "2"}]), ("resource_requirements", 0, "num_cpus")),
    ("type", ERROR, spec(resource_requirements=[RR | {"num_cpus": 2.0}]), ("resource_requirements", 0, "num_cpus")),
    ("type", ERROR, [], ()),
    ("choice", ERROR, spec(actions=[RUN | {"trigger_type": "on_start"}]), ("actions", 0, "trigger_type")),
    ("choice", ERROR, spec(actions=[RUN | {"action_type": "dance"}]), ("actions", 0, "action_type")),
    (
        "choice",
        ERROR,
        spec(resource_monitor={"enabled": True, "granularity": "Summary"}),
        ("resource_monitor", "granularity"),
    ),
    ("choice", ERROR, spec(jobs_sort_method="alphabet"), ("jobs_sort_method",)),
    ("choice", ERROR, job(stdio={"mode": "loud"}), ("jobs", 0, "stdio", "mode")),
    ("range", ERROR, job(priority=2**63), ("jobs", 0, "priority")),
    ("value", ERROR, job(priority=-1), ("jobs", 0, "priority")),
    ("value", ERROR, spec(resource_requirements=[RR | {"memory": "2gb"}]), ("resource_requirements", 0, "memory")),
    ("value", ERROR, spec(resource_requirements=[RR | {"runtime": "PT1.5H"}]), ("resource_requirements", 0, "runtime")),
    ("value", ERROR, spec(resource_requirements=[RR | {"num_gpus": -1}]), ("resource_requirements", 0, "num_gpus")),
    ("value", ERROR, spec(resource_requirements=[RR | {"num_nodes": 0}]), ("resource_requirements", 0, "num_nodes")),
    ("value", ERROR, spec(dynamic_jobs={"max_iterations": 0}), ("dynamic_jobs", "max_iterations")),
    (
        "value",
        ERROR,
        spec(
            slurm_schedulers=[SCHED],
            actions=[NODES | {"start_one_worker_per_node": True}],
            execution_config={"srun_mpi": "a b"},
        ),
        ("execution_config", "srun_mpi"),
    ),
    ("value", ERROR, spec(execution_config={"timeout_exit_code": 2**31}), ("execution_config", "timeout_exit_code")),
    ("value", ERROR, spec(execution_config={"termination_signal": "SIGX"}), ("execution_config", "termination_signal")),
    (
        "value",
        ERROR,
        spec(failure_handlers=[{"name": "h", "rules": [{"exit_codes": [2**31]}]}]),
        ("failure_handlers", 0, "rules", 0, "exit_codes"),
    ),
    ("missing", ERROR, {"name": "w", "jobs": [{"name": "j"}]}, ("jobs", 0, "command")),
    ("missing", ERROR, {"name": "w"}, ("jobs",)),
    ("missing", ERROR, spec(slurm_schedulers=[{"name": "s"}]), ("slurm_schedulers", 0, "account")),
    ("missing", ERROR, spec(failure_handlers=[{"name": "h"}]), ("failure_handlers", 0, "rules")),
    ("unknown-field", ERROR, job(comand="x"), ("jobs", 0, "comand")),
    ("unknown-field", ERROR, spec(files=[FILE | {"paht": 1}]), ("files", 0, "paht")),
    ("unknown-field", ERROR, spec(slurm_config={}), ("slurm_config",)),
    (
        "unknown-field",
        ERROR,
        spec(compute_node_min_time_for_new_jobs_seconds=3),
        ("compute_node_min_time_for_new_jobs_seconds",),
    ),
    ("name-form", ERROR, spec([{"name": " "}]), ("jobs", 0, "name")),
    ("name-form", ERROR, spec([{"name": "a\nb"}]), ("jobs", 0, "name")),
    ("name-form", ERROR, spec([{"name": "a\u2028b"}]), ("jobs", 0, "name")),
    ("name-form", ERROR, spec([{"name": "a\n"}]), ("jobs", 0, "name")),
    ("name-form", ERROR, job(name="{v}", parameters={"v": ["a", ""]}), ("jobs", 0, "name")),
    ("name-form", ERROR, job(name="a{v}", parameters={"v": ["\n", "b"]}), ("jobs", 0, "name")),
    ("name-form", WARNING, job(command=" "), ("jobs", 0, "command")),
    ("name-form", ERROR, job(command="a\0b"), ("jobs", 0, "command")),
    ("name-form", ERROR, spec(files=[{"name": "f", "path": ""}]), ("files", 0, "path")),
    (
        "name-form",
        ERROR,
        spec(files=[{"name": "f{v}", "path": "{v}", "parameters": {"v": ["a", " "]}}]),
        ("files", 0, "path"),
    ),
    ("unnamed", WARNING, spec(user_data=[{"data": 1}]), ("user_data", 0)),
    ("unnamed", WARNING, spec(slurm_schedulers=[{"account": "a"}]), ("slurm_schedulers", 0)),
    ("dup-job", ERROR, spec([J, J]), ("jobs", 1, "name")),
    ("dup-job", ERROR, spec([{"name": "j{i}", "parameters": {"i": "1:3"}}, {"name": "j2"}]), ("jobs", 1, "name")),
    ("dup-file", ERROR, spec(files=[FILE, FILE]), ("files", 1, "name")),
    ("dup-user-data", ERROR, spec(user_data=[{"name": "u"}, {"name": "u"}]), ("user_data", 1, "name")),
    ("dup-rr", ERROR, spec(resource_requirements=[RR, RR]), ("resource_requirements", 1, "name")),
    ("dup-scheduler", ERROR, spec(slurm_schedulers=[SCHED, SCHED]), ("slurm_schedulers", 1, "name")),
    ("dup-handler", ERROR, spec(failure_handlers=[{"name": "h", "rules": []}] * 2), ("failure_handlers", 1, "name")),
    ("variable", ERROR, spec(variables={"1a": "x"}), ("variables", "1a")),
    ("token-unknown", ERROR, spec(variables={"a": "x"}, description="{b}"), ("description",)),
    ("token-left", ERROR, spec([{"name": "j{x}"}]), ("jobs", 0, "name")),
    ("token-format", ERROR, spec([{"name": "j{i:05000d}", "parameters": {"i": "1"}}]), ("jobs", 0, "name")),
    ("param-value", ERROR, spec([{"name": "j{i}", "parameters": {"i": "1:x"}}]), ("jobs", 0, "parameters", "i")),
    (
        "param-value",
        ERROR,
        spec([{"name": "j{i}", "use_parameters": ["i"]}], parameters={"i": "1:x"}),
        ("parameters", "i"),
    ),
    ("param-file", ERROR, spec([{"name": "j{i}", "parameters": {"i": "@no"}}]), ("jobs", 0, "parameters", "i")),
    ("param-empty", WARNING, spec([{"name": "j{i}", "parameters": {"i": "[]"}}]), ("jobs", 0, "parameters")),
    (
        "zip-length",
        ERROR,
        spec([{"name": "j{i}{k}", "parameter_mode": "zip", "parameters": {"i": "1:2", "k": "1:3"}}]),
        ("jobs", 0, "parameters"),
    ),
    ("mode-unknown", WARNING, job(parameter_mode="Zip"), ("jobs", 0, "parameter_mode")),
    ("use-unknown", WARNING, job(use_parameters=["z"]), ("jobs", 0, "use_parameters", 0)),
    ("table", ERROR, job(parameters_file="no.csv"), ("jobs", 0, "parameters_file")),
    ("table-exclusive", ERROR, job(use_parameters_file=True), ("jobs", 0, "use_parameters_file")),
    (
        "expansion-too-large",
        ERROR,
        spec([{"name": "j{i}", "parameters": {"i": "1:2000000"}}]),
        ("jobs", 0, "parameters", "i"),
    ),
    ("gathered", NOTE, job(parameters={"i": "1:3"}), ("jobs", 0, "name")),
    ("gather-differs", ERROR, job(command="{i}", parameters={"i": "1:3"}), ("jobs", 0, "command")),
    *[
        (f"{code}-missing", ERROR, job(**{exact: ["nobody"]}), ("jobs", 0, exact, 0))
        for code, exact in (
            ("dep", "depends_on"),
            ("file-in", "input_files"),
            ("file-out", "output_files"),
            ("ud-in", "input_user_data"),
            ("ud-out", "output_user_data"),
        )
    ],
    *[
        (f"{code}-regex-{kind}", ERROR, job(**{field: [pattern]}), by_pattern(field))
        for code, field in (
            ("dep", "depends_on_regexes"),
            ("file-in", "input_file_regexes"),
            ("file-out", "output_file_regexes"),
            ("ud-in", "input_user_data_regexes"),
            ("ud-out", "output_user_data_regexes"),
        )
        for kind, pattern in (("bad", "("), ("nomatch", "^nothing"))
    ],
    ("rr-missing", ERROR, job(resource_requirements="x"), ("jobs", 0, "resource_requirements")),
    ("sched-missing", ERROR, job(scheduler="x"), ("jobs", 0, "scheduler")),
    ("handler-missing", ERROR, job(failure_handler="x"), ("jobs", 0, "failure_handler")),
    ("cycle", ERROR, job(depends_on=["j"]), ("jobs", 0)),
    ("output-shared", WARNING, spec([{"name": n, "output_files": ["f"]} for n in "ab"], files=[FILE]), ("jobs", 1)),
    ("var-unknown", ERROR, job(command="${files.input.x}"), ("jobs", 0, "command")),
    (
        "var-no-data",
        WARNING,
        spec([J | {"command": "${user_data.input.u}"}], user_data=[{"name": "u"}]),
        ("jobs", 0, "command"),
    ),
    (
        "var-union",
        WARNING,
        spec([J | {"command": "${files.input.f}", "input_files": ["g"]}], files=[FILE, {"name": "g", "path": "q"}]),
        ("jobs", 0, "input_files"),
    ),
    ("rr-zero", WARNING, spec(resource_requirements=[RR | {"num_cpus": 0}]), ("resource_requirements", 0, "num_cpus")),
    (
        "rr-zero",
        WARNING,
        spec(resource_requirements=[RR | {"runtime": "PT0S"}]),
        ("resource_requirements", 0, "runtime"),
    ),
    (
        "handler-rule",
        WARNING,
        spec(failure_handlers=[{"name": "h", "rules": [{}]}]),
        ("failure_handlers", 0, "rules", 0),
    ),
    (
        "handler-rule",
        WARNING,
        spec(failure_handlers=[{"name": "h", "rules": [{"exit_codes": [0, 1]}]}]),
        ("failure_handlers", 0, "rules", 0, "exit_codes"),
    ),
    (
        "handler-rule",
        NOTE,
        spec(failure_handlers=[{"name": "h", "rules": [{"match_all_exit_codes": True, "max_retries": 1}]}]),
        ("failure_handlers", 0, "rules", 0, "max_retries"),
    ),
    (
        "handler-rule",
        WARNING,
        spec(failure_handlers=[{"name": "h", "rules": [{"exit_codes": [1], "delay_seconds": 0, "backoff": 2}]}]),
        ("failure_handlers", 0, "rules", 0, "backoff"),
    ),
    ("env-name", ERROR, job(env={"A-B": "x"}), ("jobs", 0, "env", "A-B")),
    ("env-name", ERROR, spec(env={"1A": "x"}), ("env", "1A")),
    ("labels", ERROR, job(labels=["a,b"]), ("jobs", 0, "labels")),
    ("labels", ERROR, job(labels=[" a"]), ("jobs", 0, "labels")),
    ("labels", ERROR, job(labels=[""]), ("jobs", 0, "labels")),
    ("labels", ERROR, spec([J | {"labels": ["a"], "scheduler": "s"}], slurm_schedulers=[SCHED]), ("jobs", 0, "labels")),
    ("access-groups", ERROR, spec(access_groups=["a", "b", "a"]), ("access_groups", 2)),
    (
        "execution-config",
        ERROR,
        spec(execution_config={"mode": "slurm", "oom_exit_code": 1}),
        ("execution_config", "oom_exit_code"),
    ),
    (
        "execution-config",
        ERROR,
        spec(execution_config={"enable_cpu_bind": True}),
        ("execution_config", "enable_cpu_bind"),
    ),
    ("execution-config", ERROR, spec(execution_config={"srun_mpi": "pmix"}), ("execution_config", "srun_mpi")),
    (
        "execution-config",
        ERROR,
        spec(
            slurm_schedulers=[SCHED],
            actions=[NODES | {"start_one_worker_per_node": True}],
            execution_config={"mode": "slurm"},
        ),
        ("actions", 0, "start_one_worker_per_node"),
    ),
    ("monitor-key", WARNING, spec(resource_monitor={"enabled": True, "interval": 3}), ("resource_monitor", "interval")),
    ("monitor-key", WARNING, spec(resource_monitor={"jobs": {"enable": True}}), ("resource_monitor", "jobs", "enable")),
    ("monitor-off", WARNING, spec(resource_monitor={"sample_interval_seconds": 2}), ("resource_monitor",)),
    ("identifier", ERROR, spec(files=[FILE | {"identifier": "x", "st_mtime": 1.0}]), ("files", 0, "identifier")),
    ("action-fields", ERROR, spec(actions=[RUN | {"commands": []}]), ("actions", 0, "commands")),
    ("action-fields", ERROR, spec(actions=[NODES | {"scheduler": None}]), ("actions", 0, "scheduler")),
    ("action-fields", ERROR, spec([J], actions=[JOB_ACTION]), ("actions", 0)),
    ("action-fields", WARNING, spec([J], actions=[RUN | {"jobs": ["j"]}]), ("actions", 0, "jobs")),
    ("action-fields", WARNING, spec(actions=[RUN | {"num_allocations": 2}]), ("actions", 0, "num_allocations")),
    ("action-fields", WARNING, spec(actions=[NODES | {"scheduler_type": "slrum"}]), ("actions", 0, "scheduler_type")),
    ("action-job-missing", ERROR, spec([J], actions=[JOB_ACTION | {"jobs": ["k"]}]), ("actions", 0, "jobs", 0)),
    ("action-job-nomatch", ERROR, spec([J], actions=[JOB_ACTION | {"job_name_regexes": ["^k"]}]), ("actions", 0)),
    ("action-job-nomatch", ERROR, spec([J], actions=[JOB_ACTION | {"jobs": []}]), ("actions", 0)),
    (
        "action-regex-bad",
        ERROR,
        spec([J], actions=[JOB_ACTION | {"job_name_regexes": ["("]}]),
        ("actions", 0, "job_name_regexes", 0),
    ),
    ("action-sched-missing", ERROR, spec(actions=[NODES]), ("actions", 0, "scheduler")),
    ("walltime", ERROR, spec(slurm_schedulers=[SCHED | {"walltime": "4h"}]), ("slurm_schedulers", 0, "walltime")),
    ("walltime", WARNING, spec(slurm_schedulers=[SCHED | {"walltime": "4"}]), ("slurm_schedulers", 0, "walltime")),
    ("slurm-mem", ERROR, spec(slurm_schedulers=[SCHED | {"mem": "lots"}]), ("slurm_schedulers", 0, "mem")),
    ("slurm-defaults", ERROR, spec(slurm_defaults={"Job_Name": "x"}), ("slurm_defaults", "Job_Name")),
    ("slurm-defaults", WARNING, spec(slurm_defaults={"x": []}), ("slurm_defaults", "x")),
    (
        "node-mismatch",
        ERROR,
        spec(
            [J | {"scheduler": "s", "resource_requirements": "r"}],
            slurm_schedulers=[SCHED | {"nodes": 4}],
            resource_requirements=[RR | {"num_nodes": 2}],
            actions=[NODES],
        ),
        ("actions", 0, "scheduler"),
    ),
    (
        "fit",
        ERROR,
        spec(
            [J | {"resource_requirements": "r"}],
            slurm_schedulers=[SCHED | {"walltime": "00:30:00"}],
            resource_requirements=[RR | {"runtime": "PT1H"}],
        ),
        ("jobs", 0),
    ),
    ("unused", NOTE, spec(resource_requirements=[RR]), ("resource_requirements", 0)),
    ("unused", NOTE, spec(files=[FILE]), ("files", 0)),
    ("unused", NOTE, spec(user_data=[{"name": "u"}]), ("user_data", 0)),
    ("unused", NOTE, spec(slurm_schedulers=[SCHED]), ("slurm_schedulers", 0)),
    ("unused", NOTE, spec(failure_handlers=[{"name": "h", "rules": []}]), ("failure_handlers", 0)),
    ("unused", NOTE, spec([J], parameters={"i": "1:2"}), ("parameters", "i")),
    ("no-effect", NOTE, spec(jobs_sort_method="none"), ("jobs_sort_method",)),
]


@pytest.mark.parametrize(("code", "severity", "data", "path"), CASES, ids=[f"{c[0]}-{i}" for i, c in enumerate(CASES)])
def test_the_problem_is_found_where_it_is(code, severity, data, path):
    found = problems(data)
    assert (code, severity, path) in [(p.code, p.severity, p.path) for p in found]
    if severity == ERROR:  # nothing else is complained about, and what follows is not told as a problem of its own
        assert {p.code for p in found if p.severity == ERROR} == {code}


def test_every_code_of_the_catalogue_has_a_case():
    assert {case[0] for case in CASES} == set(CODES)


def test_every_code_that_is_used_is_in_the_catalogue():
    files = [*Path(torc_core.spec.__file__).parent.glob("*.py"), Path(values.__file__)]
    used = set()
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call):
                used |= _codes_of(node)
    links = {"dep", "file-in", "file-out", "ud-in", "ud-out", "rr", "sched"}
    assert {"dep-missing", "cycle", "type", "gathered", "table"} <= used | {f"{link}-missing" for link in links}
    assert used - set(CODES) == set()


def _codes_of(call: ast.Call) -> set[str]:
    """Return the literal codes of one call: of a finding, of a Problem, or given as ``code=``."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    given = [keyword.value for keyword in call.keywords if keyword.arg == "code"]
    if name in ("error", "warning", "note", "add", "Problem") and call.args:
        given.append(call.args[0])
    return {node.value for node in given if isinstance(node, ast.Constant) and isinstance(node.value, str)}
