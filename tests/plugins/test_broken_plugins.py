"""Plugins with every kind of mistake, installed by pip, never keep the command line from working."""

import json
import os
import subprocess
import sys

import pytest

PYPROJECT = """\
[build-system]
requires = ["setuptools"]
build-backend = "setuptools.build_meta"
[project]
name = "torc-{name}"
version = "0.2"
[project.entry-points."{group}"]
{name} = "{target}"
[tool.setuptools]
py-modules = ["torc_{name}"]
"""
HEAD = "from torc_core.contracts.provider import Provider\nfrom torc_core.hookspecs import hookimpl\n@hookimpl\n"
OFFER = (
    HEAD + "def torc_register_executors():\n    return [Provider('twin', 'torc_core.contracts.executor:Executor')]\n"
)

SOURCES = {
    "importing": "import no_such_library\n",
    "signature": HEAD + "def torc_modify_spec(spec, colour):\n    pass\n",
    "raising": HEAD + "def torc_register_executors():\n    raise RuntimeError('no licence')\n",
    "twin_a": OFFER,
    "twin_b": OFFER,
}
REASONS = {
    "importing": 'plugin "importing" (torc-importing 0.2) failed to load: ModuleNotFoundError: '
    "No module named 'no_such_library' (torc_importing.py:1)",
    "signature": "colour",
    "raising": 'plugin "raising" (torc-raising 0.2) failed in torc_register_executors: '
    "RuntimeError: no licence (torc_raising.py:5)",
    "twin_b": 'executor "twin" of plugin "twin_b" (torc-twin-b 0.2) is also offered by '
    'plugin "twin_a" (torc-twin-a 0.2)',
}


@pytest.fixture(scope="module")
def broken(tmp_path_factory, pip_install):
    folder = tmp_path_factory.mktemp("broken")
    projects = []
    for name, source in {**SOURCES, "command": "import no_such_library\n"}.items():
        project = folder / name
        project.mkdir()
        group, target = ("torc.commands", "torc_command:main") if name == "command" else ("torc", f"torc_{name}")
        (project / "pyproject.toml").write_text(PYPROJECT.format(name=name, group=group, target=target))
        (project / f"torc_{name}.py").write_text(source)
        projects.append(project)
    return pip_install(folder / "installed", *projects)


def test_help_works_and_lists_the_command_that_cannot_be_loaded(torc, broken):
    done = torc("--help", plugins=broken)
    assert (done.returncode, done.stderr) == (0, "")
    assert 'command  From plugin "command" (torc-command 0.2).' in done.stdout


def test_the_list_says_what_is_wrong_with_each(torc, broken):
    done = torc("plugins", "list", "-f", "json", plugins=broken)
    assert done.returncode == 0
    listed = {plugin["name"]: plugin for plugin in json.loads(done.stdout)["plugins"]}
    assert {name for name, plugin in listed.items() if "error" in plugin} == set(REASONS)
    for name, reason in REASONS.items():
        assert reason in listed[name]["error"]
    assert [listed[name]["enabled"] for name in ("importing", "signature", "raising", "twin_a")] == [
        False, False, True, True,
    ]  # fmt: skip
    assert listed["builtin"]["enabled"]


def test_the_table_tells_what_is_used_in_part_from_what_is_used(torc, broken):
    done = torc("plugins", "list", plugins=broken)
    rows = {line.split()[0]: line for line in done.stdout.splitlines() if line}
    assert rows["importing"].endswith(" broken")
    assert rows["raising"].endswith(" active in part")
    assert rows["builtin"].endswith(" active")


@pytest.mark.parametrize("name", [*REASONS, "command"])
def test_the_check_fails_for_each_alone(torc, broken, name):
    chosen = "twin_a,twin_b" if name == "twin_b" else name
    done = torc("plugins", "check", plugins=broken, TORC_PLUGINS=chosen)
    assert done.returncode == 1
    assert f'plugin "{name}" (torc-{name.replace("_", "-")} 0.2)' in done.stderr
    assert "Traceback" not in done.stderr


def test_without_them_the_check_passes(torc, broken):
    done = torc("plugins", "check", plugins=broken, TORC_PLUGINS="")
    assert (done.returncode, done.stdout, done.stderr) == (0, "All plugins can be used.\n", "")


def test_a_spec_is_read_with_a_line_about_each_plugin_that_is_left_out(torc, broken, tmp_path):
    (tmp_path / "w.yaml").write_text("name: w\njobs:\n- name: a\n  command: echo a\n")
    done = torc("create", "w.yaml", plugins=broken)
    assert done.returncode == 0
    lines = [line for line in done.stderr.splitlines() if line.startswith("plugins: warning")]
    assert sorted(line.partition('plugin "')[2].partition('"')[0] for line in lines) == ["importing", "signature"]


def test_a_command_that_cannot_be_loaded_explains_itself(torc, broken):
    done = torc("command", "--anything", plugins=broken)
    assert done.returncode == 1
    assert 'plugin "command" (torc-command 0.2) cannot load "command" from torc_command:main' in done.stdout
    assert "No module named 'no_such_library'" in done.stdout


def test_an_executor_is_missed_with_the_reasons(torc, broken):
    program = "from torc_core.plugins import PluginHost; PluginHost().executor('licensed')"
    env = {**os.environ, "PYTHONPATH": str(broken)}
    done = subprocess.run(
        [sys.executable, "-c", program], text=True, capture_output=True, check=False, env=env, timeout=60
    )
    assert 'executor "licensed" is not available: ' in done.stderr
    assert REASONS["raising"] in done.stderr
