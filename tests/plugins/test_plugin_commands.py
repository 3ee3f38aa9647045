import json

import pytest


def test_a_command_of_a_plugin_runs_with_its_arguments(torc, examples):
    done = torc("hello", "Ada", plugins=examples)
    assert (done.returncode, done.stdout) == (0, "Hello, Ada!\n")


def test_a_command_of_a_plugin_has_its_own_help(torc, examples):
    done = torc("hello", "--help", plugins=examples)
    assert done.returncode == 0
    assert "Usage: torc hello" in done.stdout
    assert "Greet NAME." in done.stdout


def test_wrong_usage_of_a_command_of_a_plugin_exits_2(torc, examples):
    assert torc("hello", "--no-such-option", plugins=examples).returncode == 2


def test_help_lists_commands_of_plugins_with_their_summaries_and_imports_none(torc, examples):
    done = torc("--help", plugins=examples)
    assert "Say what this site asks of specs." in done.stdout
    assert 'From plugin "hello" (torc-hello 0.1.0).' in done.stdout


def test_the_list_shows_where_plugins_come_from_and_what_they_add(torc, examples):
    done = torc("plugins", "-f", "json", plugins=examples)
    assert done.returncode == 0
    listed = {plugin["name"]: plugin for plugin in json.loads(done.stdout)["plugins"]}
    assert listed["site-rules"] == {
        "name": "site-rules", "version": "0.1.0", "distribution": "torc-site-rules", "enabled": True,
        "kinds": ["command", "spec rules"], "offers": ["site-rules"],
        "hooks": ["torc_modify_spec", "torc_register_commands", "torc_validate_spec"],
    }  # fmt: skip
    kinds = {
        "builtin": ["executor", "monitor", "spec format", "storage"], "nice": ["executor"], "lines": ["spec format"],
        "pss": ["monitor"], "scratch": ["storage"], "site-rules": ["command", "spec rules"],
        "server": ["command"], "site-access": ["access rules"], "site-sizes": ["decisions"], "hello": ["command"],
        "passing-troubles": ["decisions"],
    }  # fmt: skip
    assert {name: listed[name]["kinds"] for name in kinds} == kinds


def test_the_table_names_disabled_plugins_too(torc, examples):
    done = torc("plugins", "list", plugins=examples, TORC_PLUGINS_DISABLED="nice,torc-hello")
    rows = [line.split() for line in done.stdout.splitlines()[2:] if line.endswith(("active", "disabled"))]
    states = {row[0]: row[-1] for row in rows}
    assert {name for name, state in states.items() if state == "disabled"} == {"hello", "nice"}
    assert {"builtin", "lines", "passing-troubles", "pss", "scratch", "site-access", "site-rules"} <= states.keys()
    assert f"Total: {len(rows)} plugins" in done.stdout


def test_the_examples_pass_the_check(torc, examples):
    done = torc("plugins", "check", plugins=examples)
    assert (done.returncode, done.stdout) == (0, "All plugins can be used.\n")


def test_a_disabled_command_is_unknown(torc, examples):
    done = torc("hello", plugins=examples, TORC_PLUGINS_DISABLED="hello")
    assert done.returncode == 2
    assert "hello" in done.stderr


def test_a_workflow_runs_on_the_executor_of_a_plugin_that_is_asked_how_far_jobs_are(torc, examples, tmp_path):
    jobs = [{"name": "first", "command": "nice; exit 0"}, {"name": "second", "command": "exit 3"}]
    (tmp_path / "spec.json").write_text(json.dumps({"name": "w", "jobs": jobs}))
    done = torc("run", "spec.json", "--executor", "nice", plugins=examples)
    assert (done.returncode, "Error" in done.stderr) == (0, False), done.stderr
    results = json.loads(torc("results", "list", "1", "-f", "json").stdout)["items"]
    assert {result["job_name"]: result["return_code"] for result in results} == {"first": 0, "second": 3}
    assert torc("jobs", "logs", "1").stdout == "10\n"  # nice(1) adds ten


DYING = """
import click
from torc_core.contracts.executor import Capabilities, Executor
from torc_core.contracts.formats import SpecFormat
from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_register_spec_formats():
    return [Provider("dying", "torc_dying:Format", suffixes=(".dying",))]

@hookimpl
def torc_register_executors():
    return [Provider("dying", "torc_dying:Starter")]

@hookimpl
def torc_register_commands():
    return [Provider("dying", "torc_dying:dying")]

@click.command()
def dying():
    raise RuntimeError("I died")

class Format(SpecFormat):
    name, suffixes = "dying", (".dying",)
    def loads(self, text):
        raise RuntimeError("I died")
    def dumps(self, data):
        return ""

class Starter(Executor):
    name, capabilities = "dying", Capabilities(runs_locally=True)
    def submit(self, requests):
        raise RuntimeError("I died")
    def render(self, request): ...
    def poll(self, handles): ...
    def cancel(self, handles, grace_seconds): ...
    def close(self): ...
"""


@pytest.mark.parametrize("words", [["dying"], ["spec", "check", "s.dying"], ["run", "s.json", "--executor", "dying"]])
def test_what_a_plugin_raises_is_said_to_be_its_own_defect(torc, plugin, tmp_path, words):
    (tmp_path / "s.dying").write_text("x")
    (tmp_path / "s.json").write_text('{"name": "w", "jobs": [{"name": "a", "command": "true"}]}')
    done = torc(*words, plugins=plugin("dying", DYING))
    assert done.returncode == 1
    assert 'Error: plugin "dying" (torc-dying 0.2) failed: RuntimeError: I died (torc_dying.py:' in done.stderr
    assert "defect of the plugin" in done.stderr
    assert "defect of torc" not in done.stderr


WRONG = """
from torc_core.contracts.formats import SpecFormat
from torc_core.contracts.provider import Provider
from torc_core.hookspecs import hookimpl

@hookimpl
def torc_register_spec_formats():
    return [Provider("wrong", "torc_wrong:Format", suffixes=(".wrong",))]

class Format(SpecFormat):
    name, suffixes = "wrong", (".wrong",)
    def loads(self, text):
        return {"name": text}
    def dumps(self, data):
        return b"bytes"
"""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["check", "s.wrong"], "loads returned a dict, expected a ParsedSpec"),
        (["convert", "s.wrong", "--to", "json"], "loads returned a dict, expected a ParsedSpec"),
        (["convert", "s.json", "--to", "wrong"], "dumps returned a bytes, expected a str"),
        (["convert", "s.json", "-o", "new.wrong"], "dumps returned a bytes, expected a str"),
    ],
)
def test_a_format_that_answers_something_else_is_named(torc, plugin, tmp_path, words, said):
    (tmp_path / "s.wrong").write_text("x")
    (tmp_path / "s.json").write_text('{"name": "w", "jobs": []}')
    done = torc("spec", *words, plugins=plugin("wrong", WRONG))
    assert (done.returncode, done.stdout) == (1, "")
    assert f'Error: spec format "wrong": {said}' in done.stderr
    assert not (tmp_path / "new.wrong").exists()
