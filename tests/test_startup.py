"""What is imported before a command does its work: every module here is paid for each time somebody types ``torc``."""

import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

HEAVY = {
    "alembic", "argparse", "asyncio", "bottle", "cheroot", "ckdl", "concurrent.futures", "configparser", "csv",
    "dataclasses", "dataset", "difflib", "email", "http.client", "http.server", "importlib.metadata",
    "importlib.resources", "json5", "logging", "msgspec", "multiprocessing", "psutil", "psycopg", "pyparsing",
    "selectors", "socket", "sqlalchemy", "sqlite3", "ssl", "strictyaml", "subprocess", "tempfile", "tomllib",
    "torc_server.commands", "torc_server.web", "unittest", "urllib.request", "xml", "yaml", "zipfile",
}  # fmt: skip


ROOT = Path(__file__).parents[1]
LIBRARIES = Path(click.__file__).parents[1]


def imported(code, tmp_path):
    """Return the modules that a new process has loaded after running ``code``, and what it printed.

    It runs without ``site``, since what the files there import differs between environments.
    """
    program = f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    pass\nprint('\\nmodules', *sys.modules)"
    env = {k: v for k, v in os.environ.items() if not k.startswith(("TORC_", "XDG_", "PYTHON", "COV"))}
    env |= {"HOME": str(tmp_path), "PYTHONPATH": f"{ROOT}{os.pathsep}{LIBRARIES}"}
    command = [sys.executable, "-S", "-c", program]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=env, timeout=60)
    assert done.returncode == 0, done.stderr
    output, _, names = done.stdout.rpartition("\nmodules ")
    return set(names.split()), output


@pytest.fixture
def added(tmp_path):
    """Gives what ``code`` loads that a bare interpreter has not."""
    bare, _ = imported("pass", tmp_path)
    return lambda code: imported(code, tmp_path)[0] - bare


HELP = "from torc_core.cli.main import main; main(['--help'])"
CODE = {
    "hookspecs": "import torc_core.hookspecs",
    "plugins": "import torc_core.plugins",
    "host": "from torc_core.plugins import PluginHost; PluginHost().offers('command')",
    "config": "from torc_core.config import load_config; load_config()",
    "output": "import torc_core.cli.output",
    "main": "import torc_core.cli.main",
    "help": HELP,
}


@pytest.mark.parametrize("what", CODE)
def test_nothing_heavy_is_imported(added, what):
    assert not HEAVY & added(CODE[what])


@pytest.mark.parametrize(("what", "most"), [("plugins", 12), ("host", 16), ("config", 12), ("main", 10), ("help", 36)])
def test_few_modules_are_imported_beside_the_libraries(tmp_path, what, most):
    libraries, _ = imported("import click, pluggy, pathlib", tmp_path)
    loaded = imported(CODE[what], tmp_path)[0] - libraries
    assert len(loaded) <= most, sorted(loaded)


def test_help_imports_no_plugin_target_and_no_command(added):
    ours = {name for name in added(HELP) if name.startswith(("torc_core.cli.", "torc_plugins."))}
    allowed = {"app", "groups", "main", "output", "plugin_commands"}
    assert ours <= {f"torc_core.cli.{name}" for name in allowed} | {"torc_plugins.builtin"}


def test_help_was_really_printed(tmp_path):
    assert "Usage: torc" in imported(HELP, tmp_path)[1]


SPEC = "name: one\njobs: [{name: a, command: 'true'}]\n"
RUN = "import os; os.environ['TORC_LOG_LEVEL'] = 'error'; from torc_core.cli.main import main; main(['run', 's.yaml'])"
UNUSED_IN_A_RUN = {
    "asyncio", "concurrent.futures", "dataclasses", "email", "http.client", "json5", "logging", "psutil", "shutil",
    "ssl", "subprocess", "tempfile", "traceback", "torc_core.planning", "torc_core.plots", "torc_core.service.beside",
    "torc_core.service.bulk", "torc_core.service.correcting", "torc_core.service.groups", "torc_core.service.http",
    "torc_core.service.job_calls", "torc_core.service.recovering", "torc_core.service.remote",
    "torc_core.service.spawning", "torc_core.service.tokens", "torc_server.app",
}  # fmt: skip
MOST_IN_A_RUN = 380


def test_a_run_imports_nothing_that_others_need(added, tmp_path):
    (tmp_path / "s.yaml").write_text(SPEC)
    loaded = added(RUN)
    assert "torc_core.runner.loop" in loaded
    assert not UNUSED_IN_A_RUN & loaded


def test_a_run_imports_few_modules(added, tmp_path):
    (tmp_path / "s.yaml").write_text(SPEC)
    loaded = added(RUN)
    assert "torc_core.runner.loop" in loaded
    assert len(loaded) <= MOST_IN_A_RUN, sorted(loaded)


def test_choosing_a_format_imports_that_format_only(added):
    code = "from torc_core.plugins import PluginHost; PluginHost().format_for('a.json')"
    formats = {name for name in added(code) if name.startswith("torc_plugins.formats.") and name.endswith("_format")}
    assert formats == {"torc_plugins.formats.json_format"}
