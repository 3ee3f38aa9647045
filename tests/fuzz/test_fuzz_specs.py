"""Wrong types and values everywhere in a spec: problems with places, never another exception or "internal error"."""

from __future__ import annotations

import copy
import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.fuzz.anything import JSON, NUMBERS, WORDS, many
from torc_core.cli.main import run
from torc_core.errors import NotFound
from torc_core.spec.findings import BadText
from torc_core.spec.parameters import values_of
from torc_core.spec.plan import Plan
from torc_core.spec.read import check_data
from torc_core.spec.report import as_data, as_lines
from torc_core.spec.template import compile_template, format_value, left_over, render

VALID: dict[str, Any] = {
    "name": "everything", "description": "d", "project": "p", "metadata": "{}", "user": "u", "env": {"A": "1"},
    "parameters": {"k": "1:2"}, "use_pending_failed": False, "enable_ro_crate": False,
    "variables": {"there": "/data"}, "access_groups": ["g"], "slurm_defaults": {"qos": "low"},
    "compute_node_wait_for_new_jobs_seconds": 1, "compute_node_ignore_workflow_completion": True,
    "resource_monitor": {"enabled": True, "granularity": "summary", "sample_interval_seconds": 5},
    "execution_config": {"mode": "direct", "sigkill_headroom_seconds": 60, "oom_exit_code": 137,
                         "stdio": {"mode": "none"}},
    "jobs": [
        {
            "name": "a_{i:03d}", "command": "run {i} ${files.output.o_{i}}", "parameters": {"i": "1:3"}, "priority": 1,
            "parameter_mode": "product", "env": {"X": "{i}"}, "invocation_script": "s",
            "resource_requirements": "r", "failure_handler": "h", "output_files": ["o_{i}"], "scheduler": "s",
            "cancel_on_blocking_job_failure": False, "supports_termination": True, "stdio": {"mode": "combined"},
        },
        {"name": "b", "command": "x", "depends_on": ["a_001"], "depends_on_regexes": ["^a_.*$"],
         "input_files": ["o_1"]},
        {"name": "c_{k}", "command": "x", "use_parameters": ["k"], "input_user_data": ["u"], "output_user_data": ["v"],
         "labels": ["l"]},
    ],
    "files": [{"name": "o_{i}", "path": "o/{i}", "parameters": {"i": "1:3"}, "st_mtime": 1.5}],
    "user_data": [{"name": "u", "data": {"a": [1]}, "is_ephemeral": True}, {"name": "v"}],
    "resource_requirements": [
        {"name": "r", "num_cpus": 1, "num_gpus": 0, "num_nodes": 1, "memory": "1g", "runtime": "PT1H"}
    ],
    "failure_handlers": [{"name": "h", "rules": [{"exit_codes": [1], "max_retries": 2, "recovery_script": "r"}]}],
    "slurm_schedulers": [{"name": "s", "account": "a", "nodes": 1, "walltime": "01:00:00", "mem": "1g", "extra": "-x"}],
    "actions": [
        {"trigger_type": "on_workflow_start", "action_type": "run_commands", "commands": ["x"]},
        {"trigger_type": "on_jobs_ready", "jobs": ["b"], "action_type": "schedule_nodes", "scheduler": "s",
         "scheduler_type": "slurm", "num_allocations": 1, "max_parallel_jobs": 2},
    ],
}  # fmt: skip


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    found = [path]
    children = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, child in children:
        found += places(child, (*path, key))
    return found


PLACES = places(VALID)[1:]


@st.composite
def mutated(draw: st.DrawFn) -> dict[str, Any]:
    """The valid spec with some values replaced, removed or added."""
    data = copy.deepcopy(VALID)
    for _ in range(draw(st.integers(1, 4))):
        path = draw(st.sampled_from(PLACES))
        box: Any = data
        try:
            for part in path[:-1]:
                box = box[part]
            box[path[-1]]
        except (LookupError, TypeError):
            continue  # an earlier change has taken it away
        what = draw(st.integers(0, 9))
        if not isinstance(box, (dict, list)):
            continue
        if what == 0:
            del box[path[-1]]
        elif what == 1 and isinstance(box, dict):
            box[draw(WORDS)] = draw(JSON)
        elif what == 2 and isinstance(box, list):
            box += [copy.deepcopy(box[path[-1]])] * draw(st.integers(1, 2))
        else:
            box[path[-1]] = draw(JSON)
    return data


def nowhere(_: Any) -> tuple[int, int]:
    return 0, 0


def no_file(name: str) -> str:
    raise NotFound(f"there is no file {name}")


def check(data: Any) -> None:
    plan = check_data(data, nowhere, "fuzz", read_file=no_file, limit=200)
    assert isinstance(plan, Plan)
    for problem in plan.problems:
        assert problem.message and problem.code and str(problem)
    json.dumps(as_data(plan))
    assert as_lines(plan).out


@many
@given(JSON)
def test_any_data_is_planned_or_refused(data):
    check(data)


@many
@given(mutated())
def test_a_spec_with_wrong_values_is_planned_or_refused(data):
    check(data)


def test_the_spec_that_is_mutated_is_valid():
    plan = check_data(copy.deepcopy(VALID), nowhere, "fuzz", read_file=no_file)
    assert [str(problem) for problem in plan.problems if problem.severity == "error"] == []


@many
@given(mutated())
def test_the_command_that_checks_specs_never_shows_a_defect(tmp_path, capsys, data):
    (tmp_path / "spec.json").write_text(json.dumps(data))
    for words in (["spec", "check"], ["spec", "lint"], ["-f", "json", "spec", "check"]):
        code = run([*words, str(tmp_path / "spec.json")])
        said = capsys.readouterr()
        assert code in (0, 1), said
        assert "internal error" not in said.out + said.err and "Traceback" not in said.out + said.err, said.err
        if words[0] == "-f":
            json.loads(said.out)


GRAMMAR = st.text("0123456789:.,-+eE[]{}'\"@ax infnat_ #\n\0\u0661\uff11", max_size=24)


@many
@given(GRAMMAR | WORDS | JSON)
def test_a_parameter_is_read_or_refused(value):
    try:
        values = values_of(value, no_file, limit=100)
    except BadText as exc:
        assert str(exc) and exc.code
        return
    assert len(values) <= 100
    for item in values[:5]:
        assert type(item) in (int, float, str)
        assert isinstance(format_value(item), str)


@many
@given(
    st.text("ab{}:%$.0123456789df i\\[]()*+?^|", max_size=30),
    st.dictionaries(
        st.text("abi_", min_size=1, max_size=2), NUMBERS.filter(lambda n: abs(n) < 2**63) | WORDS, max_size=3
    ),
)
def test_a_template_is_filled_or_refused(text, values):
    try:
        compile_template(text, tuple(values) or ("i",))
        assert isinstance(render(text, values), str)
    except BadText as exc:
        assert str(exc) and exc.code == "token-format"
    for token, name in left_over(text, set(values)):
        assert token in text and name not in values
