"""``torc diagnose`` on workflows whose jobs are real processes."""

import ast
import inspect
import re

import click

from tests.cli.programs import DIAMOND, SLOW, until
from torc_core.cli.main import torc as program
from torc_core.diagnosis import starting


def test_diagnose_says_that_nobody_runs_it_and_then_what_went_wrong(torc):
    id = torc.create(DIAMOND)
    done = torc("diagnose", id)
    assert done.lines[:2] == ["No run was begun: all 4 jobs are uninitialized.", "  torc run 1"]
    torc("workflows", "init", id)
    body = torc.json("workflows", "diagnose", id)
    assert [(f["code"], f["count"]) for f in body["findings"]] == [("no-runner", 1), ("behind-ready", 3)]
    assert (body["ready_jobs"], body["active_allocations"], body["runtime_blocked"]) == (1, 0, False)
    torc("run", id)
    [finding] = torc.json("diagnose", id)["findings"]
    assert finding["message"] == ("1 job failed or was terminated, like 'right'; 1 job that waits for it was canceled.")
    assert finding["next"] == "torc recover 1 --dry-run"


def test_diagnose_compares_ready_jobs_with_a_runner_at_work(torc, start):
    spec = (
        SLOW
        + """
  - {name: wide, command: echo wide, resource_requirements: huge}
  - {name: marked, command: echo marked, labels: [special]}
resource_requirements: [{name: huge, num_cpus: 4000, memory: 1m}]
"""
    )
    torc.write("spec.yaml", spec)
    runner = start(torc.path, "run", "spec.yaml", "--num-cpus", "2", "--time-limit", "PT1H")
    until(lambda: (torc.path / "pid").exists(), "the job's start")
    body = torc.json("diagnose", 1)
    found = {finding["code"]: finding["message"] for finding in body["findings"]}
    assert found["too-much-cpus"] == "1 ready job needs 4,000 CPUs, and no runner has more than 2 CPUs."
    assert found["too-much-labels"] == "1 ready job wants a runner with the labels special, and none offers them all."
    assert found["behind-running"] == "1 blocked job waits for job 'slow' that is running."
    assert 3000 < body["allocation_remaining"]["max_seconds"] <= 3600
    runner.process.terminate()
    runner.wait()


def test_diagnose_names_missing_inputs(torc):
    spec = DIAMOND.replace("cat top.txt, input_files: [top]", "cat top.txt, input_files: [top, raw]")
    torc.create(spec + "  - {name: raw, path: raw.csv}\n")
    messages = [finding["message"] for finding in torc.json("diagnose", 1)["findings"]]
    assert "1 input file is not there: raw.csv." in messages


def test_diagnose_does_not_lead_back_to_a_runner_that_left(torc):
    spec = """
name: wide
jobs: [{name: wide, command: "true", resource_requirements: huge}]
resource_requirements: [{name: huge, num_cpus: 4000, memory: 1m}]
"""
    done = torc("run", torc.write("spec.yaml", spec), "--num-cpus", "2", code=1)
    assert "What is needed: torc diagnose 1" in done.out
    assert torc("diagnose", 1).lines == [
        "1 ready job needs 4,000 CPUs, and no runner so far had more than 2 CPUs.",
        "  torc jobs list-resource-requirements 1",
    ]


def test_a_disabled_job_does_not_run_until_it_is_reset(torc):
    spec = "name: parts\njobs:\n- {name: a, command: 'true'}\n- {name: b, command: 'true', depends_on: [a]}\n"
    id = torc.create(spec + "- {name: c, command: 'true'}\n")
    a = next(job["id"] for job in torc.items("jobs", "list", id) if job["name"] == "a")

    def statuses():
        return {job["name"]: job["status"] for job in torc.items("jobs", "list", id)}

    torc("jobs", "update", a, "--status", "disabled")
    torc("run", id, code=1)
    assert statuses() == {"a": "disabled", "b": "blocked", "c": "completed"}
    torc("workflows", "init", id, "--no-prompts")
    assert statuses() == {"a": "disabled", "b": "blocked", "c": "ready"}
    torc("run", id, code=1)
    [finding] = torc.json("diagnose", id)["findings"]
    assert finding["code"] == "behind-disabled"
    torc(*finding["next"].split()[1:], "--no-prompts")
    torc("run", id)
    assert set(statuses().values()) == {"completed"}


def test_every_command_that_a_finding_names_exists():
    texts = [
        "".join(part.value if isinstance(part, ast.Constant) else "0" for part in node.values)
        if isinstance(node, ast.JoinedStr) else node.value
        for node in ast.walk(ast.parse(inspect.getsource(starting)))
        if isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))
    ]  # fmt: skip
    named = {words for text in texts for words in re.findall(r"\btorc ([a-z][a-z-]*(?: [a-z][a-z-]*)*) [-0{]", text)}
    assert named >= {"run", "jobs resolve", "recover", "status", "workflows reinit", "workflows init"}
    for words in named:
        command, context = program, click.Context(program)
        for word in words.split():
            if not isinstance(command, click.Group):
                break  # an argument
            command = command.get_command(context, word)
            assert command is not None, words
